"""The review of a plan: passes within the guard's limits, else ends the run or asks a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param

from bothways.orchestration import tasks

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Context

    from bothways.engine.review import Verdict
    from bothways.engine.run import Run

# What the person may fill in beside the answer. Given where the operator is made: Airflow hands an
# operator's own params and the DAG's over together, before its `__init__`.
FORM = {
    "note": Param(
        "",
        type="string",
        maxLength=1000,
        title="Note",
        description="Kept in the audit beside your name.",
    )
}
BODY = "The plan is in the audit of the run; nothing has been written yet."
APPROVE = "Approve"
REJECT = "Reject"


class ReviewOperator(HITLOperator):
    """Checks the guard; waits for a person only where the account asks for that.

    Its result is the list of chunk numbers that may be applied: none in a dry run, none beyond the
    limits. An approval or a rejection is kept in the audit with the person's name and note. An
    approval by somebody whom the account does not let approve is noted, and asked for again:
    Airflow's own `assigned_users` are ids, and not every auth manager's ids are the usernames.
    """

    subject_line = "This run is over the safety limits"
    body_text = BODY

    def __init__(self, *, execution_timeout: timedelta | None = None, **kwargs: Any) -> None:
        super().__init__(
            subject=self.subject_line,
            body=self.body_text,
            options=[APPROVE, REJECT],
            execution_timeout=None,
            **kwargs,
        )
        # Airflow's operator would take it for the time that a person has to answer.
        self.execution_timeout = execution_timeout

    def execute(self, context: Context) -> list[int]:
        """Return what may be applied, or wait for an answer."""
        with tasks.step(context, "review") as run:
            verdict = self.verdict(run)
        if verdict.ask:
            self.body = f"{verdict.message}. {self.body_text}"
            super().execute(context)
        return verdict.chunks

    def verdict(self, run: Run) -> Verdict:
        """Compare the run's plan with the guard."""
        from bothways.engine.review import review

        return review(run)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> list[int]:
        """Return what may be applied after a person has answered, or wait for another answer."""
        from bothways.engine.review import answered, may_approve

        payload = super().execute_complete(context, event)
        approved = APPROVE in payload["chosen_options"]
        by = str((payload["responded_by_user"] or {}).get("name") or "timeout")
        note = str(payload["params_input"].get("note") or "")
        with tasks.step(context, "review") as run:
            accepted = not approved or may_approve(run, by)
            chunks = answered(run, approved=approved, by=by, note=note) if accepted else []
        if not accepted:
            super().execute(context)
        return chunks
