"""The `bothways` command: what a person asks at a terminal, beside Airflow's own UI.

Exit codes: 0 all is well, 1 problems were found, 2 the command was misspelt. What a command needs
is imported when it runs, so that `bothways --help` answers at once.
"""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from importlib.metadata import version as installed
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bothways.errors import BothwaysError
from bothways.vocabulary import RunStatus


class _Commands(TyperGroup):
    """Ends a command with one sentence where an error says what to do."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BothwaysError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a traceback with local variables would show addresses
    add_completion=False,
    help="Bothways keeps a CRM and a marketing platform in step.",
)


class Result(StrEnum):
    """What became of a job."""

    NEW = "new"
    UPDATED = "updated"
    RE_ADDED = "re_added"
    UNCHANGED = "unchanged"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    REMOVED = "removed"
    ERROR = "error"
    PLANNED = "planned"


PersonArgument = Annotated[
    str,
    typer.Argument(
        metavar="[ADDRESS]",
        help="Email address, or the id of a record. If left out, you are asked for it, which "
        "keeps it out of the shell's history.",
    ),
]


AccountArgument = Annotated[
    str,
    typer.Argument(metavar="[ACCOUNT]", help="The account's name; by default the default account."),
]


def _named(account: str) -> str:
    from bothways.config.load import default_account

    return account or default_account()


@app.command()
def init(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="Where to write; by default Airflow's home."),
    ] = None,
    account: Annotated[str, typer.Option(help="Name of the first account.")] = "example",
) -> None:
    """Write dags/ and include/ for an Airflow in which Bothways is installed; safe to repeat."""
    from bothways.cli.init import init as run

    run(folder, account)


@app.command()
def check(
    accounts: Annotated[
        list[str] | None, typer.Argument(metavar="[ACCOUNT]...", help="Only these accounts.")
    ] = None,
    live: Annotated[
        bool,
        typer.Option("--live", help="Also check connections, lists and fields with both vendors."),
    ] = False,
) -> None:
    """Check accounts, mappings and rule files; print every problem, and how to fix it.

    Fields are compared with what the last run of CRM metadata read, or with --live with what the
    vendors say now.
    """
    from bothways.cli.check import check as run

    raise typer.Exit(run(accounts or [], live=live))


@app.command("map")
def propose_mapping(
    account: AccountArgument = "",
    entity: Annotated[str, typer.Option(help="What to map: contact or lead.")] = "contact",
    live: Annotated[
        bool,
        typer.Option("--live", help="Ask both vendors instead of using what was last read."),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it to this new file.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace the file if it exists.")
    ] = False,
) -> None:
    """Propose a mapping from the fields of both systems, and print it as YAML."""
    from bothways.cli.map import propose_mapping as run

    run(_named(account), entity, live=live, out=out, replace=replace)


@app.command()
def prepare(
    account: AccountArgument = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; do it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it only.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove what was created, with all rows in it.")
    ] = False,
    shared: Annotated[
        bool, typer.Option("--shared", help="With --remove: also what other accounts use.")
    ] = False,
) -> None:
    """Show what the account's syncs need at the vendors and lack there, and make it.

    Nothing is deleted without --remove; safe to repeat.
    """
    if remove:
        from bothways.cli.remove import remove as taking_away

        raise typer.Exit(taking_away(_named(account), yes=yes, dry_run=dry_run, shared=shared))
    from bothways.cli.prepare import prepare as run

    raise typer.Exit(run(_named(account), yes=yes, dry_run=dry_run))


@app.command()
def events(  # noqa: PLR0917 - each is an option of the command
    account: AccountArgument = "",
    url: Annotated[
        str,
        typer.Option(
            metavar="URL", help="Where the vendors reach Airflow; by default its [api] base_url."
        ),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write secrets into this new file.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask; do it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show it only.")] = False,
    renew: Annotated[bool, typer.Option("--renew", help="Replace secrets that were lost.")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="Take webhooks away again.")] = False,
) -> None:
    """Show which webhooks an account's events need, and register them at the vendors.

    Safe to repeat. Secrets that a vendor tells once are written into a private file.
    """
    from bothways.cli import events as webhooks

    name = _named(account)
    if remove:
        raise typer.Exit(webhooks.remove(name, address=url, yes=yes, dry_run=dry_run))
    raise typer.Exit(
        webhooks.register(name, address=url, out=out, yes=yes, dry_run=dry_run, renew=renew)
    )


@app.command()
def audit(  # noqa: PLR0917 - each is an option of the command
    run: Annotated[int | None, typer.Argument(help="Show this run and its jobs.")] = None,
    account: Annotated[list[str] | None, typer.Option(help="Filter by account.")] = None,
    sync: Annotated[list[str] | None, typer.Option(help="Filter by sync type.")] = None,
    status: Annotated[list[RunStatus] | None, typer.Option(help="Filter by status.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="Started then or later, UTC."),
    ] = None,
    result: Annotated[list[Result] | None, typer.Option(help="Filter jobs by result.")] = None,
    entity: Annotated[list[str] | None, typer.Option(help="Filter jobs by entity.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Maximum number of rows.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Print the sync runs, newest first; with a run's number, that run and its jobs."""
    from bothways.cli import audit as pages

    if run is None and (result or entity):
        raise typer.BadParameter(
            "--result and --entity filter the jobs of one run; give its number."
        )
    if run is None:
        pages.show_runs(account, sync, status, since, limit=limit, as_json=as_json)
    elif account or sync or status or since:
        raise typer.BadParameter("give either a run number or filters, not both.")
    else:
        pages.show_run(run, result, entity, limit=limit, as_json=as_json)


@app.command()
def erase(  # noqa: PLR0917 - each is an option of the command
    account: Annotated[str, typer.Argument(help="The account's name.")],
    person: PersonArgument = "",
    confirm: Annotated[
        str, typer.Option(help="The same again, to confirm; you are asked for it if left out.")
    ] = "",
    pending: Annotated[bool, typer.Option("--pending", help="Print the pending requests.")] = False,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the hashes of erased addresses.")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="After the store was restored: put saved hashes back, and file a request for "
            "everybody who is known again.",
        ),
    ] = None,
) -> None:
    """Create an erasure request for the erase DAG, and show what it would delete."""
    from bothways.cli import erase as requests

    if sum((pending, save is not None, replay is not None)) > 1:
        raise typer.BadParameter("--pending, --save and --replay stand alone.")
    if pending:
        requests.pending(account)
        return
    if save is not None:
        requests.save(account, save)
        return
    if replay is not None:
        requests.replay(account, replay)
        return
    person = person or typer.prompt("Address or id")
    requests.erase(account, person, confirm or typer.prompt("The same again"))


@app.command()
def export(
    account: Annotated[str, typer.Argument(help="The account's name.")],
    person: PersonArgument = "",
    out: Annotated[Path | None, typer.Option(help="A new file that only you can read.")] = None,
) -> None:
    """Print everything that is known of a person, as JSON."""
    from bothways.cli.export import export as run

    run(account, person or typer.prompt("Address or id", err=True), out)


@app.command("erasure-key")
def erasure_key(
    new: Annotated[
        bool, typer.Option("--new", help="Print a new key, to replace the current one.")
    ] = False,
) -> None:
    """Print which keys the hashes of erased addresses need, and a new one where none is set."""
    from bothways.cli.erasure_key import erasure_key as run

    run(rotate=new)


@app.command()
def access(
    user: Annotated[str | None, typer.Option(help="Only of this Airflow user.")] = None,
    account: Annotated[str | None, typer.Option(help="Only of this account.")] = None,
    record: Annotated[
        str | None, typer.Option(help="Only looks at the person with this record, by its id.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Entries at most.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Print who looked at people in the console and who downloaded what, newest first."""
    from bothways.cli.access import show

    show(user, account, record, limit=limit, as_json=as_json)


@app.command()
def select(
    account: Annotated[str, typer.Argument(help="The account's name.")],
    people: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ADDRESS]...",
            help="Email addresses, or ids of records. If left out, you are asked for them, which "
            "keeps them out of the shell's history.",
        ),
    ] = None,
) -> None:
    """Store the people to sync, and print the token for Only these records."""
    from bothways.cli.select import select as run

    run(account, people or typer.prompt("Addresses or ids, separated by spaces").split())


@app.command()
def adopt(account: Annotated[str, typer.Argument(help="The account's name.")]) -> None:
    """Accept that an account's connections reach other accounts of the vendors than before."""
    from bothways.cli.adopt import adopt as run

    run(account)


@app.command()
def migrate(
    runs_as: Annotated[
        str, typer.Option(metavar="ROLE", help="PostgreSQL role that syncs and console use.")
    ] = "",
    reads_as: Annotated[
        str, typer.Option(metavar="ROLE", help="PostgreSQL role that may only read.")
    ] = "",
) -> None:
    """Bring the store's tables up to date, and grant roles their rights on them; safe to repeat."""
    from bothways.orchestration.connections import join_airflow, open_store
    from bothways.store.erasure_keys import stored_key

    if reads_as and not runs_as:
        raise typer.BadParameter("--reads-as needs --runs-as; name that role too.")
    join_airflow()
    with open_store() as store:
        store.migrate()
        if runs_as:
            store.grant(runs_as, reads_as)
        with store.begin() as conn:
            stored = stored_key(conn)
    typer.echo("The store is up to date.")
    if stored is not None:
        typer.echo("It still contains the key of erased addresses; run `bothways erasure-key`.")


@app.command()
def pools() -> None:
    """Print the accounts' pools as JSON for `airflow pools import`."""
    from bothways.cli.accounts import valid_accounts
    from bothways.orchestration.pools import pools as needed

    typer.echo(json.dumps(needed(valid_accounts()), indent=2))


@app.command()
def forecast(
    account: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", help="Only this account.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Print the calls and minutes that each sync type needs, and whether its interval allows it."""
    from bothways.cli.forecast import show

    raise typer.Exit(show(account, as_json=as_json))


@app.command()
def version() -> None:
    """Print the versions of Bothways and of Airflow."""
    typer.echo(f"bothways {installed('bothways')}, Airflow {installed('apache-airflow')}")
