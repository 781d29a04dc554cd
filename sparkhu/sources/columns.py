"""Which column is the time, which the value, which the series: as told, or found where that is safe."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from sparkhu.errors import InputError
from sparkhu.sources.distinct import all_differ, has_several
from sparkhu.sources.options import SourceOptions
from sparkhu.sources.parts import Column
from sparkhu.sources.times import share_of_times
from sparkhu.sources.values import present, share_of_numbers

TIME_NAMES = ("ds", "date", "datetime", "date_time", "timestamp", "time", "year")
VALUE_NAMES = ("y", "value")
ID_NAMES = ("unique_id", "id", "series", "series_id", "sensor", "sensor_id", "item_id")
AVAILABLE_AT = "available_at"
UNNAMED = re.compile(r"unnamed[_: ]+\d+", re.IGNORECASE)
LIKELY = 0.5


@dataclass(frozen=True)
class Role:
    """A column and why it was taken."""

    column: str
    why: str


@dataclass(frozen=True)
class Roles:
    """What the columns of a source are.

    Attributes:
        time: The times.
        values: The one value column of a long source, or the series of a wide one.
        id: The series' names; null where the source has no such column (wide, or one series a file).
        wide: Each of `values` is a series.
        available_at: There is a column that says from when each value was known.
        notes: What was found rather than given.
    """

    time: Role
    values: tuple[Role, ...]
    id: Role | None
    wide: bool
    available_at: bool
    notes: tuple[str, ...]


def find_roles(table: Mapping[str, Column], options: SourceOptions, source: str, folders: Sequence[str] = ()) -> Roles:
    """Choose the columns of `table` as `options` say, and by their names and contents where they say nothing.

    Args:
        table: The source's columns by name, text or typed.
        options: What the user said.
        source: How to call the source in messages.
        folders: Columns among them that come from names of folders. They count only where the user names them, or where
            their name is one for series: nothing else tells what a folder's name means.

    Raises:
        InputError: A named column is missing, a choice is not safe, or there is no time or no value column. The
            message lists the candidates and the flag that decides.
    """
    _check_options(options)
    for flag, name in (("--time", options.time), ("--value", options.value), ("--id", options.id)):
        if name:
            _check_exists(table, name, flag, source)
    hidden = {name for name in folders if not _counts(name, options)}
    table = {name: column for name, column in table.items() if name not in hidden}
    time = _time(table, options, source)
    rest = [name for name in table if name not in (time.column, AVAILABLE_AT)]
    available_at = AVAILABLE_AT in table and time.column != AVAILABLE_AT
    if options.wide:
        series = tuple(Role(name, "--wide: a series a column") for name in rest if not UNNAMED.fullmatch(name))
        if not series:
            raise InputError(f"{source}: with --wide there must be a column beside the time column '{time.column}'.")
        return Roles(time, series, None, wide=True, available_at=available_at, notes=_said("time", time))
    # What travels along is neither the value nor the series' name.
    rest = [name for name in rest if name not in options.extra_names]
    numbers = _values(table, options, [name for name in rest if name != options.id])
    if not numbers:  # before the ids: where there is none, which of its words are the series is beside the point
        raise InputError(_without_numbers(table, options, source, {time.column: "the time"}))
    id_, remark = _id(table, options, source, [name for name in rest if name != options.value], time.column)
    numbers = [each for each in numbers if id_ is None or each.column != id_.column]
    if id_ is not None and not numbers:
        raise InputError(_without_numbers(table, options, source, {time.column: "the time", id_.column: "the series"}))
    chosen = _only([each.column for each in numbers], "y", "value", source)
    value = next(each for each in numbers if each.column == chosen)
    notes = (*_said("time", time), *_said("value", value), *_said("id", id_), *remark)
    return Roles(time, (value,), id_, wide=False, available_at=available_at, notes=notes)


def _check_options(options: SourceOptions) -> None:
    for flag, name in (("--value", options.value), ("--id", options.id)):
        if options.wide and name:
            raise InputError(f"--wide makes every column a series, so {flag} '{name}' has no place. Give one of them.")
    if options.wide and options.extra:
        raise InputError(f"--wide makes every column a series, so --extra '{options.extra}' has no place. Give one.")
    if options.decimal not in ("", ".", ","):
        raise InputError(f"--decimal must be . or , and is '{options.decimal}'.")
    named = [name for name in (options.time, options.value, options.id) if name]
    for name in named:
        if named.count(name) > 1:
            raise InputError(f"column '{name}' is given for two of --time, --value and --id. Give each its own.")


def _counts(folder: str, options: SourceOptions) -> bool:
    """Tell whether the name of a folder is looked at as a column."""
    return folder in (options.time, options.value, options.id) or (not options.wide and folder.lower() in ID_NAMES)


def _check_exists(table: Mapping[str, Column], name: str, flag: str, source: str) -> None:
    if name not in table:
        raise InputError(about_missing(list(table), name, flag, source))


def about_missing(columns: Sequence[str], name: str, flag: str, source: str) -> str:
    """Say that a source lacks a column, what it has, and which of them may have been meant."""
    close = get_close_matches(name.lower(), [each.lower() for each in columns], 1)
    meant = [each for each in columns if each.lower() in close]
    hint = f" Did you mean '{meant[0]}'?" if meant else ""
    return f"{source} has no column '{name}' ({flag}); it has {_list(columns)}.{hint}"


def _time(table: Mapping[str, Column], options: SourceOptions, source: str) -> Role:
    if options.time:
        return Role(options.time, "--time")
    others = {options.value, options.id, AVAILABLE_AT}
    candidates = [name for name in table if name not in others]
    named = [
        name
        for name in _named(candidates, TIME_NAMES)
        if share_of_times(table[name], numbers=True) > LIKELY or name == "ds"
    ]
    if named:
        return Role(_only(named, "ds", "time", source), "its name")
    parsing = [name for name in candidates if share_of_times(table[name], numbers=False) > LIKELY]
    if parsing:
        return Role(_only(parsing, "ds", "time", source), "the only column that reads as a time")
    raise InputError(
        f"{source} has no column with a time that can be parsed; it has {_list(list(table))}. "
        "Name the time column with --time (and its format with --time-format)."
    )


def _values(table: Mapping[str, Column], options: SourceOptions, candidates: Sequence[str]) -> list[Role]:
    """Give the columns that could be the value."""
    if options.value:
        return [Role(options.value, "--value")]
    if named := _named(candidates, VALUE_NAMES):
        return [Role(name, "its name") for name in named]
    return [
        Role(name, "the only column of numbers")
        for name in candidates
        if not UNNAMED.fullmatch(name) and share_of_numbers(table[name], options.decimal) > LIKELY
    ]


def _without_numbers(table: Mapping[str, Column], options: SourceOptions, source: str, taken: Mapping[str, str]) -> str:
    """Say that a source has no column of numbers, and what its columns hold."""
    known = {**dict.fromkeys(options.extra_names, "travels along"), **taken}
    held = [f"'{name}' ({known.get(name) or _kind(column)})" for name, column in table.items()]
    return (
        f"{source} has no column of numbers beside {' and '.join(dict.fromkeys(taken.values()))}; it has "
        f"{_joined(held)}. Name the value column with --value, and --decimal where its numbers have another sign than "
        "the point, or give a source with numbers."
    )


def _kind(column: Column) -> str:
    """Say what the cells of a column are."""
    if UNNAMED.fullmatch(column.name):
        return "without a name"
    if not any(present(part).count() for part in column.scan()):
        return "empty"
    if column.dtype.is_numeric() or share_of_numbers(column) > LIKELY:
        return "numbers"
    if column.dtype.is_temporal() or share_of_times(column, numbers=False) > LIKELY:
        return "times"
    return "true or false" if column.dtype == pl.Boolean else "text"


def _id(
    table: Mapping[str, Column], options: SourceOptions, source: str, candidates: Sequence[str], time: str
) -> tuple[Role | None, tuple[str, ...]]:
    """Find the id column; one that numbers the rows is none, and that is said."""
    if options.id:
        return Role(options.id, "--id"), ()
    found = _named(candidates, ID_NAMES)
    why = "its name"
    if not found:
        found = [name for name in candidates if _is_text(table[name]) and name.lower() not in VALUE_NAMES]
        why = "the only column of text"
    running = [name for name in found if name != "unique_id" and _numbers_rows(table[name], table[time])]
    remark = tuple(
        f"column '{each}' differs in every row, so it is no series; --id {each} takes it" for each in running
    )
    found = [name for name in found if name not in running]
    return (Role(_only(found, "unique_id", "id", source), why) if found else None), remark


def _is_text(column: Column) -> bool:
    """Tell whether a column is words: neither numbers nor times nor nothing at all."""
    if column.dtype.is_numeric() or column.dtype.is_temporal() or column.dtype == pl.Boolean:
        return False
    empty = not any(present(part).count() for part in column.scan())
    return not empty and share_of_numbers(column) <= LIKELY and share_of_times(column, numbers=False) <= LIKELY


def _numbers_rows(column: Column, times: Column) -> bool:
    """Tell whether a column that differs in every row counts rows; rows of one instant are one a series, though."""
    return all_differ(column) and has_several(times)


def _named(columns: Sequence[str], names: Sequence[str]) -> list[str]:
    return [name for name in columns if name.strip().lower() in names]


def _only(candidates: Sequence[str], own: str, flag: str, source: str) -> str:
    """Give the only candidate, or the one that has the observation frame's own name."""
    if own in candidates:
        return own
    if len(candidates) == 1:
        return candidates[0]
    wide = " or, where each is a series, --wide" if flag == "value" else ""
    raise InputError(
        f"{source}: {_list(candidates)} could each be the {flag} column. Say which with --{flag} NAME{wide}."
    )


def _said(kind: str, role: Role | None) -> tuple[str, ...]:
    if role is None or role.why.startswith("--"):
        return ()
    return (f"{kind} column is '{role.column}' ({role.why})",)


def _list(names: Sequence[str]) -> str:
    return _joined([f"'{name}'" for name in names])


def _joined(texts: Sequence[str], shown: int = 12) -> str:
    listed = ", ".join(texts[:shown])
    return listed if len(texts) <= shown else f"{listed} and {len(texts) - shown} more"
