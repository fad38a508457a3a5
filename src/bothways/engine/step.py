"""One step of a run, in the eyes of the audit: in progress while it works, and why it failed."""

from __future__ import annotations

import gc
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from bothways.engine.run import Run
from bothways.errors import BothwaysError, FeatureUnavailable, NotPrepared, RunStopped
from bothways.store import runs
from bothways.vocabulary import RunStatus

log = logging.getLogger(__name__)

STEPS: Final = (
    "open",
    "extract_crm",
    "extract_marketing",
    "plan",
    "review",
    "apply_crm",
    "apply_marketing",
    "find_crm",
    "find_marketing",
    "erase_crm",
    "erase_marketing",
)

RECONFIGURED: Final = (
    "The account's configuration has changed since the run began, so nothing more was written; "
    "clear the run from `open`, or trigger a new one."
)


@contextmanager
def step(run: Run, name: str) -> Iterator[None]:
    """Keep a failure in the run's notes; a step of an ended run that is cleared re-opens the run.

    Args:
        run: The run.
        name: One of STEPS.

    Raises:
        RunStopped: The account's configuration has changed since the run was opened.
        BothwaysError: Whatever went wrong. Of an error that is none of ours only the type is told,
            since its text may hold a row; the log has its trace.
    """
    with run.store.begin() as conn:
        runs.set_status(conn, run_id=run.run_id, status=RunStatus.IN_PROGRESS)
    try:
        _check_configuration(run)
        with _modules_frozen():
            yield
    except BothwaysError as error:
        _note(run, name, sentence_of(error))
        raise
    except Exception as error:  # noqa: BLE001 - its text must reach no log
        trace = "".join(traceback.format_tb(error.__traceback__))
        log.error("%s failed with %s:\n%s", name, type(error).__name__, trace)  # noqa: TRY400
        sentence = sentence_of(error)
        _note(run, name, sentence)
        raise BothwaysError(sentence) from None


@contextmanager
def _modules_frozen() -> Iterator[None]:
    """Keep the garbage collector away from the loaded modules for the block.

    A step makes objects by the hundred thousand. Each full collection that these cause would go
    through the objects of all modules as well: a sixth of an apply task's processor time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _check_configuration(run: Run) -> None:
    if run.reconfigured:
        raise RunStopped(RECONFIGURED)


def sentence_of(error: Exception) -> str:
    """Return what the audit says of an error."""
    if isinstance(error, FeatureUnavailable) and not isinstance(error, NotPrepared):
        return f"Feature is not activated in {error.vendor}: {error.message}"
    if isinstance(error, BothwaysError):
        return str(error)
    return f"Internal server error ({type(error).__name__}); report it with the task's log."


def failure_in(notes: list[str]) -> str | None:
    """Return the last failure among a run's notes, without the step's name."""
    failures = [note for note in notes if note.startswith(tuple(f"{name}: " for name in STEPS))]
    return failures[-1].partition(": ")[2] if failures else None


def _note(run: Run, name: str, sentence: str) -> None:
    with run.store.begin() as conn:
        runs.note(conn, run_id=run.run_id, sentence=f"{name}: {sentence}")
