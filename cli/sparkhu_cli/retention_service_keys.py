"""Make, list and revoke the API keys of the retention service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sparkhu_cli.retention_lines import moment, write_json
from sparkhu_cli.retention_options import by
from sparkhu_cli.terminal import OK, SKIPPED, Terminal

if TYPE_CHECKING:
    from sparkhu_retention.service.keys import Keys


def add_key(name: str, role: str) -> None:
    """Make a key; it goes to the standard output by itself, all else to the standard error.

    Raises:
        InputError: The name or role cannot be used.
        SparkhuError: The database fails.
    """
    with _keys() as keys:
        text = keys.add(name, role, by=by())
    click.echo(text)
    click.echo(f"key '{name}' of the role {role}; it is shown this once. Sent as: Authorization: Bearer KEY", err=True)


def list_keys(*, as_json: bool) -> None:
    """List the keys."""
    with _keys() as keys:
        found = keys.listed()
    if as_json:
        write_json([{**vars(key)} for key in found])
        return
    terminal = Terminal()
    rows = [[key.name, str(key.role), moment(key.made_at), moment(key.revoked_at)] for key in found]
    if rows:
        terminal.table(["name", "role", "made", "revoked"], rows, ["<"] * 4)
    else:
        terminal.line(f"{SKIPPED} there is no key. Next: sparkhu retention key add NAME --role operator")


def revoke_key(name: str) -> None:
    """Revoke a key.

    Raises:
        InputError: There is no such key.
    """
    with _keys() as keys:
        keys.revoke(name, by=by())
    Terminal().marked(OK, f"key '{name}' is revoked")


@contextmanager
def _keys() -> Iterator["Keys"]:
    from sparkhu_retention.database.opening import open_database
    from sparkhu_retention.service.keys import Keys
    from sparkhu_retention.service.settings import RetentionSettings

    database = open_database(RetentionSettings().database)
    try:
        yield Keys(database)
    finally:
        database.close()
