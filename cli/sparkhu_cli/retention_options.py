"""What the commands of `sparkhu retention` share: options, and retention itself opened."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from sparkhu_retention.service.operations import Operations

STORAGES = click.option(
    "--storages",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML file of the storages.  [SPARKHU_RETENTION_STORAGES, else retention.yaml in the home folder]",
)
STORAGE = click.option("--storage", metavar="NAME", help="Only this storage.  [all]")
JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON, for another program.")
ZONE = click.option(
    "--zone", default="UTC", show_default=True, metavar="ZONE", help="IANA zone of times without an offset."
)
BEFORE = click.option("--before", metavar="LINE", help="Only lines older than this one.")
LIMIT = click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, metavar="N", help="Most lines."
)


@contextmanager
def opened(storages: Path | None) -> Iterator["Operations"]:
    """Open retention on this machine's settings.

    Args:
        storages: File of the storages; null: as the settings say.

    Raises:
        InputError: A setting, the file or the database cannot be used.
        SparkhuError: The database fails.
    """
    from sparkhu_retention.service.embedded import open_operations
    from sparkhu_retention.service.settings import RetentionSettings

    settings = RetentionSettings(storages=storages) if storages else RetentionSettings()
    operations = open_operations(settings)
    try:
        yield operations
    finally:
        operations.close()


def by() -> str:
    """Say who types, for the audit log: as the system knows them, and not as a variable says."""
    user = os.getuid()
    try:
        return f"command:{pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"command:{user}"
