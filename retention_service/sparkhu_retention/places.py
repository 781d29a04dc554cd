"""The file of the storages: where the data are that policies are about, and where they are archived."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from sparkhu.errors import InputError
from sparkhu.explaining import all_explained
from sparkhu.settings import Settings
from sparkhu.sources.secrets import redacted
from sparkhu_retention.names import Name
from sparkhu_retention.storages.opening import Kind

EXAMPLE: Final = """schema_version: 1
storages:
  - name: plant
    uri: s3://plant/lake
    archive: s3://cold/plant
"""
FILE: Final = "retention.yaml"
"""In Sparkhu's home folder, where no other is named."""
ON_THIS_MACHINE: Final = re.compile(r"file://|sqlite(\+\w+)?:///")
NOT_RELATIVE: Final = ("/", "${", ":memory:", "file:")
"""How paths begin that are absolute, may be by what the environment has, or are none."""
WORDS: Final = {"True": "yes", "False": "no"}


class Place(BaseModel):
    """A storage whose data are retained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="What plans, holds and the audit log call it.")
    uri: str = Field(
        min_length=1,
        description="Its root: a folder (relative: to this file's), s3://bucket/prefix, a lake, a tracking URI.",
    )
    kind: Kind | None = Field(default=None, description="What it is; null: found.")
    archive: str | None = Field(
        default=None, description="Where what leaves it is archived: a folder (relative: to this file's) or s3://…."
    )
    options: dict[str, str] = Field(default_factory=dict, description="What its kind takes beside the URI.")

    @field_validator("options", mode="before")
    @classmethod
    def _as_texts(cls, options: Any) -> Any:
        """Take `yes`, which YAML reads as a truth value, and numbers as the texts that they were written as."""
        if not isinstance(options, Mapping):
            return options
        return {name: WORDS.get(str(value), str(value)) for name, value in options.items()}


class Places(BaseModel):
    """The storages that are retained."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = Field(1, description="Version of this schema.")
    storages: list[Place] = Field(min_length=1, description="A storage each.")

    @field_validator("storages", mode="before")
    @classmethod
    def _are_some(cls, storages: Any) -> Any:
        if storages in (None, []):
            raise InputError("it must list one storage or more, each with its name and its uri")
        return storages


def read_places(path: Path) -> dict[str, Place]:
    """Read the file of the storages.

    Returns:
        The storages by name; none where nobody has written the file in the home folder yet.

    Raises:
        InputError: The file cannot be used; the message names it, the field, and the way out.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if path == Settings().home / FILE:
            return {}
        raise InputError(f"the storages' file '{path}' is not there. Write it, or name another.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the storages' file '{path}' cannot be read: {error}") from error
    try:
        found = Places.model_validate(_mapping(text, path)).storages
    except ValidationError as error:
        raise InputError(f"'{path}': {all_explained(Places, error)}") from error
    folder = path.parent.resolve()
    found = [each.model_copy(update=_absolute(each, folder)) for each in found]
    _check_apart(found, path)
    return {place.name: place for place in found}


def _absolute(place: Place, folder: Path) -> dict[str, str]:
    """Give the addresses of a storage from the folder of its file, so that they mean one place wherever it is read."""
    given = {"uri": place.uri, "archive": place.archive}
    return {field: _from(folder, uri) for field, uri in given.items() if uri}


def _from(folder: Path, uri: str) -> str:
    begin = ON_THIS_MACHINE.match(uri)
    path = uri[begin.end() :] if begin else uri
    if not path or "://" in path or path.startswith(NOT_RELATIVE):
        return uri
    return f"{uri.removesuffix(path)}{folder / path}"


def _mapping(text: str, path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"'{path}' is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise InputError(f"'{path}' must hold storages, such as:\n{EXAMPLE}")
    return content


def _check_apart(places: list[Place], path: Path) -> None:
    """See that storages have names of their own, and that none lies, or is archived, in what another retains."""
    names = [place.name for place in places]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"'{path}': field 'storages.name' has '{twice}' twice; each storage needs its own.")
    for place in places:
        for other in places:
            where = f"is or lies in the root of '{other.name}', '{redacted(other.uri)}'"
            if place is not other and _lies_in(place.uri, other.uri):
                raise InputError(
                    f"'{path}': field 'storages.uri' of '{place.name}', '{redacted(place.uri)}', {where}: both would "
                    "retain the same data. Give each a root of its own."
                )
            if place.archive is not None and _lies_in(place.archive, other.uri):
                raise InputError(
                    f"'{path}': field 'storages.archive' of '{place.name}', '{redacted(place.archive)}', {where}: what "
                    "is archived would be retained again. Give another place."
                )


def _lies_in(uri: str, root: str) -> bool:
    """Tell whether a place is another or lies in it, however the two are written."""
    return _normalised(uri).startswith(_normalised(root))


def _normalised(uri: str) -> str:
    """Write a place in the one way: folders absolute and without symbolic links, each part followed by a slash."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme == "file":
        return f"{Path(rest if separator else uri).resolve()}/".replace("//", "/")
    if scheme.partition("+")[0] == "sqlite":
        return f"sqlite://{Path(rest.removeprefix('/')).resolve()}/"
    return f"{scheme}://{re.sub('/+', '/', rest).strip('/')}/"
