"""`sparkhu retention key`: who may ask the service."""

import click

from sparkhu_cli.documented import Documented
from sparkhu_cli.metadata import DocumentedGroup
from sparkhu_cli.retention_options import JSON


@click.group(
    cls=DocumentedGroup,
    short_help="Make and revoke the keys of the service's callers.",
    example="""
        sparkhu retention key add ann --role operator
        sparkhu retention key list
    """,
)
def key() -> None:
    """Make and revoke the API keys that callers of sparkhu retention serve sign in with."""


@key.command(cls=Documented, short_help="Make a key.", example="sparkhu retention key add dashboard --role viewer")
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "operator"]), required=True, help="May look, or change as well.")
def add(name: str, role: str) -> None:
    """Make a key named NAME and write it to the standard output: now alone, for only its hash is kept."""
    from sparkhu_cli.retention_service_keys import add_key

    add_key(name, role)


@key.command("list", cls=Documented, short_help="List the keys.", example="sparkhu retention key list")
@JSON
def listed(as_json: bool) -> None:
    """List the keys, revoked ones too."""
    from sparkhu_cli.retention_service_keys import list_keys

    list_keys(as_json=as_json)


@key.command(cls=Documented, short_help="Revoke a key.", example="sparkhu retention key revoke dashboard")
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the key NAME; from the next request on it counts no longer."""
    from sparkhu_cli.retention_service_keys import revoke_key

    revoke_key(name)
