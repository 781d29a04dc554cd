"""`sparkhu retention policies`: what is kept for how long."""

from pathlib import Path

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.metadata import DocumentedGroup
from sparkhu_cli.options import with_options
from sparkhu_cli.retention_options import JSON, STORAGES, by, opened


@click.group(
    cls=DocumentedGroup,
    short_help="Keep the policies.",
    example="""
        sparkhu retention policies set policies.yaml
        sparkhu retention policies list
    """,
)
def policies() -> None:
    """Keep the policies: what is archived and removed when. Every change makes a new version."""


@policies.command("list", cls=Documented, short_help="List the policies.", example="sparkhu retention policies list")
@with_options(STORAGES, JSON)
def listed(storages: Path | None, as_json: bool) -> None:
    """List the policies in force, and warn of those that leave items to two of equal rank."""
    from sparkhu_cli.retention_lines import show_policies
    from sparkhu_cli.terminal import Terminal

    terminal = Terminal()
    with opened(storages) as operations:
        show_policies(operations.policies(), terminal, as_json=as_json)
        for warning in [] if as_json else operations.crossing():
            terminal.marked("!", warning)


@policies.command(
    cls=Documented, short_help="Show a policy.", example="sparkhu retention policies show raw-observations --versions"
)
@click.argument("name")
@click.option("--versions", is_flag=True, help="All of its versions, the newest first.")
@with_options(STORAGES, JSON)
def show(name: str, versions: bool, storages: Path | None, as_json: bool) -> None:
    """Show the policy NAME as YAML, which sparkhu retention policies set reads."""
    from sparkhu_cli.retention_lines import show_versions
    from sparkhu_cli.terminal import Terminal

    with opened(storages) as operations:
        found = operations.versions(name)
        show_versions(found if versions else found[:1], Terminal(), as_json=as_json)


@policies.command(
    "set",
    cls=Documented,
    short_help="Put policies into force.",
    example="sparkhu retention policies set policies.yaml",
)
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@STORAGES
def set_(files: tuple[Path, ...], storages: Path | None) -> None:
    """Put the policies of YAML FILES, or of folders of them, into force; those that are not named stay.

    They come into force together: a mistake in one, or between them and those in force, changes nothing.
    """
    from sparkhu_cli.terminal import OK, Terminal
    from sparkhu_retention.policies.documents import read_policies
    from sparkhu_retention.policies.policy import document_of

    found = read_policies(files)
    terminal = Terminal()
    with opened(storages) as operations:
        before = {each.name: each.version for each in operations.policies()}
        for now in operations.set_policies([document_of(policy) for policy in found], by=by()):
            same = ", as before" if before.get(now.name) == now.version else ""
            terminal.marked(OK, f"{now.name}  version {now.version}{same}")
            for warning in now.warnings:
                terminal.marked("!", warning)
    terminal.line("Next: sparkhu retention plan")


@policies.command(
    cls=Documented,
    short_help="Take a policy out of force.",
    example="sparkhu retention policies remove raw-observations",
)
@click.argument("name")
@STORAGES
def remove(name: str, storages: Path | None) -> None:
    """Take the policy NAME out of force. No data are deleted, and its versions stay in the history."""
    from sparkhu_cli.terminal import OK, Terminal

    terminal = Terminal()
    with opened(storages) as operations:
        removed = operations.remove_policy(name, by=by())
    terminal.marked(OK, f"policy '{name}' is out of force; no data were touched")
    for warning in removed.warnings:
        terminal.marked("!", warning)
