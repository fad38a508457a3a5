"""What the sync of forms reads and decides: forms, and whose response is whose."""

from __future__ import annotations

from typing import Final, cast

import pandas as pd
import pyarrow as pa

from bothways.config.account import Account
from bothways.streams.definitions import Forms
from bothways.streams.events import FormResponses
from bothways.streams.people import People
from bothways.syncs.base import Dataset, Inputs, Plan, Request, SyncType
from bothways.syncs.definitions import definition_jobs
from bothways.syncs.events import Written, event_jobs
from bothways.syncs.forms import SPEC, Settings
from bothways.syncs.forms.records import FORM_RESPONSE
from bothways.syncs.jobs import joined
from bothways.tables.fields import FIELD_PREFIX, TIME
from bothways.tables.forms import RESPONSE_DETAILS
from bothways.transform.arrow import Array, pc
from bothways.transform.json_rows import field_columns, json_objects, read_objects
from bothways.transform.lists import lines
from bothways.vocabulary import FORM, FORM_RESPONSES

FORMS: Final = "forms"
FAILURE: Final = "Responses could not be read for this form ({name})"

_ANSWERS: Final = FIELD_PREFIX + "answers"
_FORM: Final = {
    "state": pa.string(),
    "url": pa.string(),
    "created_at": TIME,
    "modified_at": TIME,
}


def datasets(request: Request) -> list[Dataset]:
    """Read forms, the responses to them, and the people of the CRM, whose they are."""
    settings = _settings(request.account)
    wants_responses = settings.level != "forms"
    if request.side == "crm":
        return [
            Dataset(f"{entity}s", People(entity=entity, everybody=True))
            for entity in request.entities
            if wants_responses
        ]
    # Whoever wants other responses than before wants those to the forms that were read before, too.
    found = [Dataset(FORMS, Forms(), rules=settings.model_dump())]
    if wants_responses:
        stream = FormResponses(
            sliced_by=FORMS,
            failure=FAILURE,
            for_crm=True,
            answers=settings.level == "answers",
            only_complete=settings.only_complete,
        )
        found.append(Dataset(FORM_RESPONSES, stream))
    return found


def plan(inputs: Inputs) -> Plan:
    """Write the forms that have changed, then the responses that wait.

    One partition plans it all: forms are few, and responses come in batches.
    """
    if inputs.partition:
        return Plan(joined([]))
    jobs, there = definition_jobs(inputs, FORM, FORMS, details=_form)
    if _settings(inputs.account).level == "forms":
        return Plan(jobs)
    return Plan(jobs, bulk=event_jobs(inputs, RESPONSES, there))


def _settings(account: Account) -> Settings:
    return cast(Settings, account.settings_of(SPEC))


def _form(details: pd.Series) -> pd.Series:
    """Return what is written of a form."""
    told = read_objects(details, _FORM)
    return json_objects(told, field_columns(told))


def _response(details: pd.Series) -> pd.Series:
    """Return what is written of a response: a line for each answer."""
    told = read_objects(details, {field.name: field.type for field in RESPONSE_DETAILS})
    told = told.assign(**{_ANSWERS: lines(told[_ANSWERS], _answer)})
    return json_objects(told, field_columns(told))


def _answer(answers: Array) -> Array:
    question, answer = pc.struct_field(answers, [0]), pc.struct_field(answers, [1])
    both = pc.binary_join_element_wise(question, pc.fill_null(answer, ""), ": ")
    return pc.fill_null(pc.coalesce(both, answer), "")


RESPONSES: Final = Written(
    FORM_RESPONSE.name, (FORM_RESPONSES,), values={"form_id": "scope_id"}, details=_response
)
"""What responses are written as."""

SYNC: Final = SyncType(datasets, plan)
