"""What `sparkhu check` says of a source: how it would be read, what is wrong with it, what a run would choose."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from sparkhu_cli.terminal import Terminal

if TYPE_CHECKING:
    import polars as pl

    from sparkhu.sources import Role, SourceLook, SourceOptions

LABEL_WIDTH: Final = 12
SHOWN: Final = 10
SPLIT: Final = "0.7/0.1/0.2"


def check_source(uri: str, options: "SourceOptions", terminal: Terminal) -> None:
    """Show what is in a source and what a run would make of it; nothing is left behind.

    The source is sorted in a scratch folder, and a shard of it looked at at a time.

    Raises:
        InputError: A run could not use the source.
    """
    import polars as pl

    from sparkhu.sources import look_over
    from sparkhu.stages.sorted_source import SortedSource

    with TemporaryDirectory(prefix="sparkhu-check-", ignore_cleanup_errors=True) as folder:
        read = SortedSource(uri, options, Path(folder))
        look = look_over(read.raw, read.shards(), zone=options.zone)
        profile = pl.concat(profile_of(rows, options.zone) for rows in read.shards())
    _show_reading(uri, look, terminal)
    _show_choices(profile, options.zone, terminal)
    terminal.line()
    _show_problems(look, terminal)
    terminal.line(f"Next: {_run_command(uri, options)}")


def profile_of(frame: "pl.DataFrame", zone: str) -> "pl.DataFrame":
    """Detect the period of every series of a raw frame as a run does: over valid rows, one an instant."""
    from sparkhu.steps.deduplication import drop_duplicates
    from sparkhu.steps.regularity import detect_regularity
    from sparkhu.steps.validation import validate

    valid = validate(frame, zone=zone).frames["observations"]
    unique = drop_duplicates(valid).frames["observations"]
    return detect_regularity(unique, zone=zone, split=SPLIT).frames["profile"]


def _show_reading(uri: str, look: "SourceLook", terminal: Terminal) -> None:
    from sparkhu.sources import redacted

    size = sum(file.size for file in look.files)
    shown = redacted(uri)
    files = shown if len(look.files) == 1 else f"{shown} ({len(look.files):,} files)"
    _say("source", f"{files}, {_size(size)}, {'wide' if look.groups[0][1].wide else 'long'}", terminal)
    _show_roles(look, terminal)
    _say("written as", f"{'; '.join(look.notations)}; zone {look.zone}", terminal)
    for text in look.numbers:
        _say("numbers", text, terminal)
    for role in look.extras[:SHOWN]:
        _say("extra", f"{role.column} ({role.why})", terminal)
    if len(look.extras) > SHOWN:
        _say("", f"and {len(look.extras) - SHOWN:,} more", terminal)
    _say("series", f"{look.series:,} with {look.rows:,} rows", terminal)
    first, last = look.spans["first"].min(), look.spans["last"].max()
    _say("times", f"{_instant(first)} to {_instant(last)} UTC", terminal)


def _show_roles(look: "SourceLook", terminal: Terminal) -> None:
    """Say which columns were taken, and of which files where they differ."""
    kinds = [(_by_label(roles.time, roles.values, roles.id), name) for name, roles in look.groups]
    for label in ("time", "value", "id"):
        found: dict[str, list[str]] = {}
        for roles, name in kinds:
            for role in roles[label]:
                found.setdefault(role, []).append(name)
        for role, names in list(found.items())[:SHOWN]:
            where = f" in {', '.join(names[:2])}" if len(names) < len(kinds) else ""
            more = f" and {len(names) - 2} more groups of files" if where and len(names) > 2 else ""
            _say(label, f"{role}{where}{more}", terminal)
        if len(found) > SHOWN:
            _say("", f"and {len(found) - SHOWN:,} more", terminal)


def _by_label(time: "Role", values: Sequence["Role"], id_: "Role | None") -> dict[str, list[str]]:
    roles = {"time": [time], "value": values, "id": [id_] if id_ else []}
    return {label: [f"{role.column} ({role.why})" for role in each] for label, each in roles.items()}


def _show_choices(profile: "pl.DataFrame", zone: str, terminal: Terminal) -> None:
    """Say what a run would choose: periods, seasons, and the sizes of each group's windows."""
    import polars as pl

    from sparkhu.training.groups import plan_groups

    regular = profile.filter(pl.col("decision") == "regular")
    groups = regular.group_by("period_label", "season_length").len("series").sort("series", descending=True)
    for period, season, series in groups.rows():
        _say("period", f"{period}, season of {season}: {_series(series)}", terminal)
    for decision, why in (("irregular", "no common period"), ("no_decision", "too few points to tell")):
        count = profile.filter(pl.col("decision") == decision).height
        if count:
            _say("no period", f"{_series(count)}: {why}; forecast on the grid of the median gap", terminal)
    for note in plan_groups(regular, zone=zone).notes:
        _say("a run takes", note, terminal)


def _show_problems(look: "SourceLook", terminal: Terminal) -> None:
    if not look.problems:
        terminal.marked("✓", "nothing to complain about")
        return
    count = len(look.problems)
    terminal.marked("!", f"{count} thing{'s' * (count != 1)} to know; a run copes with {'them' if count > 1 else 'it'}")
    for problem in look.problems:
        terminal.line(f"    {problem}")


def _run_command(uri: str, options: "SourceOptions") -> str:
    """Write the command that runs the source with the same options; a password is not repeated."""
    from sparkhu.sources import redacted

    words = ["sparkhu", "run", "--source", redacted(uri)]
    for name, value in asdict(options).items():
        if value is True:
            words.append(f"--{name}")
        elif value and (name, value) != ("zone", "UTC"):
            words += [f"--{name.replace('_', '-')}", value]
    return f"{shlex.join(words)} --out DIR"


def _say(label: str, text: str, terminal: Terminal) -> None:
    terminal.line(f"{label:<{LABEL_WIDTH}} {text}")


def _series(count: int) -> str:
    return f"{count:,} series"


def _instant(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00")


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
