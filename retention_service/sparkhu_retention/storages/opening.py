"""Finding the storage that a URI means."""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Literal, cast

from sparkhu.errors import InputError
from sparkhu.lake import is_lake
from sparkhu.sources.secrets import redacted
from sparkhu_retention.storages.protocol import RetainedStorage

Kind = Literal["folder", "s3", "lake", "runs", "mlflow", "features"]
KINDS = {
    "folder": "folder:Folder",
    "lake": "lake:LakeFiles",
    "s3": "s3:Bucket",
    "runs": "runs:Runs",
    "mlflow": "mlflow:Tracking",
    "features": "features:OnlineRows",
}
"""Where each kind of storage is; loaded when one is opened, as some take long."""


SCHEMES = {"file": "folder", "s3": "s3", **dict.fromkeys(("sqlite", "postgresql", "mysql", "mssql"), "mlflow")}
"""What a URI means that does not lead to a lake."""


LAKES = ("folder", "s3")
"""What a lake may lie in."""


def open_retained(uri: str, kind: str | None = None, options: Mapping[str, str] | None = None) -> RetainedStorage:
    """Open a storage whose items policies are about.

    Args:
        uri: Its root: a folder, a lake, `s3://bucket/prefix`, or the database of MLflow such as `sqlite:///mlflow.db`.
        kind: What it is; null: a lake where there is one, else what the URI says.
        options: What the storage takes beside its URI, such as `dates` and `zone` of files.

    Raises:
        InputError: There is none, there is no such kind, or an option is unknown or has a value that it cannot have.
        SparkhuError: It fails.

    Example:
        >>> open_retained("s3://plant/exports", options={"dates": "{year}/{month}/{day}"})  # doctest: +SKIP
    """
    if not uri.strip():
        raise InputError("uri is empty. Give a folder, s3://bucket/prefix or the URI of a database.")
    found = kind or kind_of(uri)
    if found not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got '{found}' for '{redacted(uri)}'")
    make = _maker(found)
    known = [name for name in signature(make).parameters if name != "uri"]
    for name in options or {}:
        if name not in known:
            raise InputError(
                f"options has '{name}', which a storage of kind '{found}' does not know; it knows "
                f"{', '.join(known) or 'none'}."
            )
    return make(uri, **(options or {}))


def _maker(kind: str) -> Callable[..., RetainedStorage]:
    module, _, name = KINDS[kind].partition(":")
    return cast("Callable[..., RetainedStorage]", getattr(import_module(f"{__package__}.{module}"), name))


def kind_of(uri: str) -> str:
    """Tell the kind of what lies at a URI.

    Raises:
        SparkhuError: The storage fails, or refuses the sign-in.
    """
    kind = SCHEMES.get(uri.partition("://")[0].partition("+")[0] if "://" in uri else "file", "folder")
    return "lake" if kind in LAKES and is_lake(uri) else kind
