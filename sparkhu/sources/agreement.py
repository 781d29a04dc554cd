"""The files of a source hold the same columns in the same roles; where that was guessed and differs, it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkhu.errors import InputError
from sparkhu.sources.columns import Role, Roles


@dataclass(frozen=True)
class Group:
    """Files of a source with equal columns.

    Attributes:
        name: How to call them in messages.
        roles: What their columns are.
        series: Their series, where these are named after the files; null where a column or a header names them.
    """

    name: str
    roles: Roles
    series: frozenset[str] | None


def check_agreement(groups: Sequence[Group]) -> None:
    """Refuse a source whose files give one role to differently named columns: they may hold different quantities.

    Names that differ in case or in spaces around them are the same. Time and value columns may differ where every file
    is a series of its own, named after it; value columns too where every column is a series (`--wide`).

    Raises:
        InputError: A role differs; the message names both files, both columns and the ways out.
    """
    holders: dict[str, Group] = {}
    for group in groups:
        _check("id", groups[0], group)
        for series in sorted(group.series) if group.series is not None else [""]:
            holder = holders.setdefault(series, group)
            _check("time", holder, group)
            _check("value", holder, group)


def _check(flag: str, one: Group, other: Group) -> None:
    first, second = _role(one.roles, flag), _role(other.roles, flag)
    # Of a wide source each value column is a series of its own.
    if _plain(first) == _plain(second) or (flag == "value" and one.roles.wide):
        return
    wide = "let each be a series with --wide, " if flag == "value" and one.series is not None else ""
    raise InputError(
        f"the {flag} column would be {_shown(first)} in {one.name} and {_shown(second)} in {other.name}: that may mix "
        f"what does not belong together. Say which is meant with --{flag} NAME, which every file must then have; or "
        f"rename one, {wide}or read the files apart."
    )


def _role(roles: Roles, flag: str) -> Role | None:
    return {"time": roles.time, "value": roles.values[0], "id": roles.id}[flag]


def _plain(role: Role | None) -> str:
    return role.column.strip().lower() if role else ""


def _shown(role: Role | None) -> str:
    return f"'{role.column}' ({role.why})" if role else "none"
