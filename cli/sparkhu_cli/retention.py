"""`sparkhu retention`: archive and remove old data by policy, and nothing that is still needed."""

import sys
from pathlib import Path
from typing import Any

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.metadata import DocumentedGroup
from sparkhu_cli.options import with_options
from sparkhu_cli.retention_holds import hold
from sparkhu_cli.retention_keys import key
from sparkhu_cli.retention_options import BEFORE, JSON, LIMIT, STORAGE, STORAGES, ZONE, by, opened
from sparkhu_cli.retention_policies import policies


@click.group(
    cls=DocumentedGroup,
    short_help="Archive and remove old data by policy.",
    example="""
        sparkhu retention policies set policies.yaml
        sparkhu retention plan
        sparkhu retention apply
    """,
)
def command() -> None:
    """Archive and remove old data by policy, and nothing that is still needed.

    A plan says what would be done, and what is held back by what: the data that the champion was trained on, an open
    backfill, a hold. To apply it is to archive, to read the archive back, to take the items out of every reader's path,
    and to remove them for good after a time of grace, in which they can be put back at once.

    The storages stand in a YAML file (--storages). What was done is remembered in SQLite in Sparkhu's home folder, or
    in the database that SPARKHU_RETENTION_DATABASE names; no server needs to run.
    """


command.add_command(policies)


@command.command(
    cls=Documented, short_help="List the storages that are retained.", example="sparkhu retention storages --json"
)
@with_options(STORAGES, JSON)
def storages(storages: Path | None, as_json: bool) -> None:
    """List the storages that policies are about."""
    from sparkhu_cli.retention_lines import show_storages
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        show_storages(operations.storages(kinds=True), Terminal(), as_json=as_json)


@command.command(
    cls=Documented,
    short_help="Say what would be done, and what is held back by what.",
    example="""
        sparkhu retention plan
        sparkhu retention plan --storage plant --items 20
    """,
)
@with_options(STORAGES, STORAGE)
@click.option("--items", type=click.IntRange(min=0), default=0, metavar="N", help="Show the first N items that go.")
@JSON
def plan(storages: Path | None, storage: str | None, items: int, as_json: bool) -> None:
    """Say what the policies would do to each storage, and what is held back by what. Nothing is done.

    The plan is kept: sparkhu retention apply --plan ID does what it says, and leaves alone what changed since.
    """
    from sparkhu_cli.retention_applying import make_plans
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        make_plans(operations, storage, Terminal(), items=items, as_json=as_json, by=by())


@command.command(
    cls=Documented,
    short_help="Do what a plan says.",
    example="""
        sparkhu retention apply
        sparkhu retention apply --plan 20240501T023000000000-plant-3f2c --yes
    """,
)
@with_options(STORAGES, STORAGE)
@click.option("--plan", metavar="ID", help="Plan that is applied.  [one is made]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@JSON
def apply(storages: Path | None, storage: str | None, plan: str | None, yes: bool, as_json: bool) -> None:
    """Archive, verify and remove what a plan names; without --plan one is made for every storage.

    What an earlier run left half-done is finished or taken back first. Items whose time of grace is over are removed
    for good, as the plan counts them. On a terminal it asks before it begins; elsewhere it needs --yes.
    """
    from sparkhu_cli.retention_applying import apply_plans
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        apply_plans(operations, plan, storage, Terminal(), sure=yes, as_json=as_json, by=by())


@command.command(
    cls=Documented,
    short_help="Show what was done, by whom.",
    example="""
        sparkhu retention history --storage plant
        sparkhu retention history --item observations/day=2023-01-01 --json
    """,
)
@with_options(STORAGES, STORAGE)
@click.option("--item", metavar="ID", help="Only of this item.")
@click.option("--policy", metavar="NAME", help="Only of this policy.")
@with_options(BEFORE, LIMIT, JSON)
@click.option("--check", is_flag=True, help="Walk the chain of hashes first; fail where a line was changed.")
def history(
    *, storages: Path | None, before: str | None, limit: int, as_json: bool, check: bool, **about: str | None
) -> None:
    """Show the audit log, the newest line first: who, when, under which version of a policy, which items.

    sparkhu retention restore puts back what a run removed: by --run, or by the items that --item and --json name.
    """
    from sparkhu_cli.retention_history_lines import show_history
    from sparkhu_cli.terminal import OK, Terminal

    with opened(storages) as operations:
        if check:
            Terminal(sys.stderr).marked(OK, f"{operations.check_history():,} lines are what was written")
        found = operations.history(**about, after=before, limit=limit)
        show_history(operations, found, Terminal(), as_json=as_json)


@command.command(
    cls=Documented,
    short_help="Put items back.",
    example="""
        sparkhu retention restore --storage plant observations/day=2023-01-01/part-0.parquet
        sparkhu retention restore --storage plant --run 20240501t023000-3f2c9a41
        sparkhu retention restore --storage plant 'observations/**' --start 2023-01-01 --end 2023-02-01
    """,
)
@STORAGES
@click.option("--storage", required=True, metavar="NAME", help="Storage that the items left.")
@click.argument("items", nargs=-1)
@click.option("--run", metavar="ID", help="Only what this run removed, as the history names it.")
@click.option("--start", metavar="TIME", help="Only what ends after it.")
@click.option("--end", metavar="TIME", help="Only what starts before it.")
@with_options(ZONE, JSON)
def restore(storages: Path | None, as_json: bool, **wanted: Any) -> None:
    """Put ITEMS back where they were: at once in their time of grace, from the archive after it.

    Items are named as in sparkhu retention history, or by patterns as in policies. They are held from then on; sparkhu
    retention hold release lets them go.
    """
    from sparkhu_cli.retention_applying import restore_items
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        restore_items(operations, wanted, Terminal(), as_json=as_json, by=by())


command.add_command(hold)


@command.command(
    cls=Documented,
    short_help="Serve the same over HTTP, and work by the schedule.",
    example="""
        sparkhu retention key add ann --role operator
        SPARKHU_RETENTION_SCHEDULE='30 2 * * *' sparkhu retention serve
    """,
)
@STORAGES
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), metavar="N", help="Port to listen on.  [8087]")
def serve(storages: Path | None, host: str | None, port: int | None) -> None:
    """Serve policies, plans, runs and history over HTTP, and work by SPARKHU_RETENTION_SCHEDULE.

    Callers sign in with a key of sparkhu retention key, or through a proxy; docs/retention.md has all settings. An
    address that other machines reach is refused before there is a key or a proxy.
    """
    from sparkhu_retention.service.serving import serve as serve_it
    from sparkhu_retention.service.settings import RetentionSettings

    given: dict[str, Any] = {"storages": storages, "host": host, "port": port}
    serve_it(RetentionSettings(**{name: value for name, value in given.items() if value is not None}))


command.add_command(key)
