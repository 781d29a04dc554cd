"""A look at the source before anything starts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

LOOK_BYTES: Final = 16_000_000


def look_first(parameters: Mapping[str, Any]) -> None:
    """Find at once what would else end the run in a later step, after the tasks' start-up.

    A large source is read once only, by the first step; the steps refuse what they cannot use with the same words.

    Raises:
        InputError: The source cannot be used, or the horizon is longer than every series.
    """
    import polars as pl

    from sparkhu.sources import SourceOptions, read_source
    from sparkhu.training.groups import plan_groups
    from sparkhu_cli.source_check import profile_of

    if not parameters["source"] or not _is_small(parameters["source"]):
        return
    names = SourceOptions.__dataclass_fields__
    told = {**parameters, **parameters.get("reading", {})}
    options = SourceOptions(**{name: value for name, value in told.items() if name in names})
    frame = read_source(parameters["source"], options).frame
    sizes = {name: parameters.get(name, 0) for name in ("horizon", "input_size")}
    if any(sizes.values()):
        profile = profile_of(frame, options.zone)
        # An irregular series gets its length from the grid that a run lays over it.
        if profile.select((pl.col("decision") == "regular").all()).item():
            plan_groups(profile, zone=options.zone, **sizes)


def _is_small(source: str) -> bool:
    path = Path(source)
    if path.is_file():
        return path.stat().st_size <= LOOK_BYTES
    return not path.is_dir() and not any(sign in source for sign in ("*", "?", "[", "://"))
