"""What registered models need: the data that they were trained on, and the versions that one can go back to."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sparkhu.errors import SparkhuError
from sparkhu.registry.ancestry import read_ancestry
from sparkhu.registry.reigns import champion_before, reigns_of
from sparkhu.registry.store import is_empty, registry, tracking_uri
from sparkhu.registry.versions import CHAMPION, registered_models, versions_of
from sparkhu_retention.needs.model_files import places_of_version
from sparkhu_retention.needs.need import Need
from sparkhu_retention.needs.places import EVERYWHERE

FLAVOR: Final = "sparkhu.flavor"
"""Tag of the versions that Sparkhu registers; of others nobody knows what they were trained on."""
KEPT_SOURCES: Final = 4096
WILD: Final = re.compile(r"[^/]*[*?\[].*", re.DOTALL)


def model_needs() -> list[Need]:
    """List what the versions in use need: the champion, the one that a roll back leads to, all that have an alias.

    Each needs what it was trained on, its own files and those of its run, and to be in the registry. What a version of
    another program was trained on is told nowhere, so it needs only itself. Where the registry cannot be asked, or
    what a version was trained on cannot be read, everything is needed, everywhere: nothing is removed on a guess.

    Example:
        A champion that was trained on the observations of 2023 in a lake needs these, by table and span.
    """
    if is_empty():
        return []
    try:
        with registry() as (client, _):
            used = [each for model in registered_models(client) for each in _used(client, model)]
    except SparkhuError as error:
        return [Need(f"the model registry cannot be asked: {error}", EVERYWHERE)]
    return [need for name, version, words in used for need in _needs(name, version, words)]


def _used(client: Any, model: Any) -> list[tuple[str, Any, str]]:
    """Give the versions of a model that are in use: its name, MLflow's record, and how the version is called."""
    name, aliases = str(model.name), dict(model.aliases)
    if not aliases:
        return []
    versions = {str(version.version): version for version in versions_of(client, name)}
    called = {str(number): f"'{name}' version {number}, alias '{alias}'," for alias, number in sorted(aliases.items())}
    champion = str(aliases[CHAMPION]) if CHAMPION in aliases else None
    if champion is not None:
        before = champion_before(reigns_of(model), champion, list(versions))
        if before is not None:
            called.setdefault(before, f"'{name}' version {before}, which a roll back leads to,")
        called[champion] = f"champion '{name}' version {champion}"
    return [(name, versions[number], words) for number, words in called.items() if number in versions]


def _needs(name: str, version: Any, words: str) -> list[Need]:
    number = str(version.version)
    kept = Need(f"{words.rstrip(',')} is in use", EVERYWHERE, ids=frozenset({f"versions/{name}/{number}"}))
    return [kept, *_files(name, version, words), *_trained_on(name, version, words)]


def _files(name: str, version: Any, words: str) -> list[Need]:
    """Give the model's own files, and those of its run, which says what it was trained on."""
    try:
        places = _places(tracking_uri(), name, str(version.version), str(version.run_id), str(version.source))
    except SparkhuError as error:
        return [Need(f"where the files of {words.rstrip(',')} lie cannot be asked: {error}", EVERYWHERE)]
    return [Need(f"{words} has it among its files", place) for place in places]


def _trained_on(name: str, version: Any, words: str) -> list[Need]:
    if FLAVOR not in version.tags:
        return []
    try:
        sources = _sources(tracking_uri(), name, str(version.version), str(version.run_id))
        return [_of_source(source, f"{words} was trained on it") for source in sources]
    except (SparkhuError, KeyError, TypeError, ValueError) as error:
        return [Need(f"what {words.rstrip(',')} was trained on cannot be read: {error}", EVERYWHERE)]


@lru_cache(KEPT_SOURCES)
def _places(registry_uri: str, name: str, number: str, run: str, source: str) -> tuple[str, ...]:  # noqa: ARG001 - tell versions of one number apart
    """Find where the files of a version lie, which never changes."""
    return places_of_version(name, number)


@lru_cache(KEPT_SOURCES)
def _sources(registry_uri: str, name: str, number: str, run: str) -> tuple[Mapping[str, Any], ...]:  # noqa: ARG001 - tell versions of one number apart
    """Read what a version was trained on, which never changes: it is asked for right before every batch."""
    return read_ancestry(f"{name}/{number}").sources


def _of_source(source: Mapping[str, Any], by: str) -> Need:
    """Give what a source of a model stands for: a span of a table of a lake, or a file, or the folder of some."""
    uri = str(source["uri"])
    if "table" in source:
        start, end = (datetime.fromisoformat(source[name]) if source.get(name) else None for name in ("start", "end"))
        return Need(by, uri, str(source["table"]), start, end)
    return Need(by, WILD.sub("", uri))
