"""What is said of a source: how its values are written, and the way out where it holds none."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sparkhu.sources.columns import Roles
from sparkhu.sources.drafts import Plan
from sparkhu.sources.tables import Table
from sparkhu.sources.values import Notation

NOTATIONS: dict[Notation, str] = {
    "1,5": "values have a decimal comma",
    "1,234.5": "values have commas between thousands",
    "1.234,5": "values have a decimal comma and points between thousands",
}


class Told(NamedTuple):
    """What is said of a source: all notes, and among them how its values are written."""

    notes: tuple[str, ...]
    numbers: tuple[str, ...]


def said_of_numbers(plan: Plan, table: Table) -> Iterator[str]:
    """Say how numbers are written where that is not the usual way, and that files differ."""
    for role, notations in zip(plan.roles.values, plan.values, strict=True):
        found = Counter(notations)
        yield from (text for notation, text in NOTATIONS.items() if notation in found)
        if len(found) > 1:
            signs = "; ".join(f"{notation} in {count}" for notation, count in sorted(found.items()))
            yield (
                f"column '{role.column}' of {table.name} is written in several ways, each file read by its own: {signs}"
            )


def way_to_values(roles: Roles, *, named: bool, nothing: bool) -> str:
    """Tell what to do about a source without any number.

    Args:
        roles: What its columns are.
        named: The value column was given.
        nothing: All values are missing.
    """
    if roles.wide:
        return "Leave --wide out and name the value column with --value."
    if named:
        return "Name another column with --value, or the sign in its numbers with --decimal."
    if nothing:
        column = roles.values[0].column
        return f"Name another column with --value, or this one, --value {column}, if its values are withdrawn."
    return "Name the value column with --value."


def examples(texts: Sequence[str]) -> str:
    """Show some texts of a column."""
    return ", ".join(f"'{text}'" for text in texts) or "only missing values"
