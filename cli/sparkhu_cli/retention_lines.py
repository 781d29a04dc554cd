"""How the answers of retention look: tables for people, JSON for programs."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from sparkhu_cli.terminal import SKIPPED, Terminal

if TYPE_CHECKING:
    from pydantic import BaseModel

    from sparkhu_retention.service.answers import (
        Counted,
        HeldTotal,
        KeptTotal,
        PlanAnswer,
        PlannedItem,
        PlanTotal,
        PolicyAnswer,
        ReturningTotal,
        StorageAnswer,
    )

MOST_SHOWN: Final = 20


def write_json(value: Any) -> None:
    """Write a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def plain(answers: Iterable["BaseModel"]) -> list[dict[str, Any]]:
    """Give answers as JSON values."""
    return [answer.model_dump(mode="json") for answer in answers]


def moment(at: datetime | None) -> str:
    """Write an instant to the second, UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else SKIPPED


def size(count: float) -> str:
    """Write a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"


def show_storages(storages: Sequence["StorageAnswer"], terminal: Terminal, *, as_json: bool) -> None:
    """Show the storages."""
    if as_json:
        write_json(plain(storages))
        return
    rows = [[each.name, each.kind or "unknown", each.uri, each.archive or SKIPPED] for each in storages]
    terminal.table(["storage", "kind", "where", "archive"], rows, ["<"] * 4)


def show_policies(policies: Sequence["PolicyAnswer"], terminal: Terminal, *, as_json: bool) -> None:
    """Show a line a policy: what it is about, and what it says."""
    if as_json:
        write_json(plain(policies))
        return
    if not policies:
        terminal.line("no policy is in force, so nothing goes. Next: sparkhu retention policies set FILE")
        return
    rows = []
    for each in policies:
        about = _said(each.policy.get("match", {})) or "everything"
        rules = {name: value for name, value in each.policy.items() if name not in ("schema_version", "name", "match")}
        rows.append([each.name, str(each.version), about, _said(rules), moment(each.made_at), each.made_by])
    header = ["policy", "version", "about", "says", "made", "by"]
    terminal.table(header, rows, ["<", ">", "<", "<", "<", "<"])


def _said(fields: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={'/'.join(map(str, value.values())) if isinstance(value, dict) else value}"
        for name, value in fields.items()
    )


def show_versions(versions: Sequence["PolicyAnswer"], terminal: Terminal, *, as_json: bool) -> None:
    """Show versions of a policy as YAML."""
    if as_json:
        write_json(plain(versions))
        return
    import yaml

    for number, each in enumerate(versions):
        gone = ": taken out of force" if each.removed else ""
        terminal.line(f"{'---' + chr(10) if number else ''}# version {each.version}, {moment(each.made_at)}{gone}")
        if not each.removed:
            terminal.line(yaml.safe_dump(each.policy, sort_keys=False, allow_unicode=True).rstrip())
        elif len(versions) == 1:
            terminal.line(f"# sparkhu retention policies show {each.name} --versions shows what it said before")


def show_plan(plan: "PlanAnswer", terminal: Terminal) -> None:
    """Show what a plan does: a line for each action, policy, what holds back, and why the rest stays."""
    terminal.line(f"{plan.storage}{'' if plan.tier == 'live' else ', its archive'}: plan {plan.id}")
    rows = [[each.action, each.policy or SKIPPED, *_counts(each)] for each in plan.totals]
    rows += [["restore", each.reason, *_counts(each)] for each in plan.returning[:MOST_SHOWN]]
    if plan.past_grace.items:
        rows.append(["purge", "its grace is over", *_counts(plan.past_grace)])
    if not rows:
        terminal.line(f"{SKIPPED} the storage is empty")
        return
    terminal.table(["action", "policy", "items", "rows", "bytes"], rows, ["<", "<", ">", ">", ">"])
    _show_first(["held back by"], [[each.held_by or "", *_counts(each)] for each in plan.held], terminal)
    stays = [[each.reason or "", each.policy or SKIPPED, moment(each.due), *_counts(each)] for each in plan.kept]
    _show_first(["kept because", "policy", "first due"], stays, terminal)
    for note in plan.notes:
        terminal.marked("!", note)


def _show_first(header: Sequence[str], rows: Sequence[Sequence[str]], terminal: Terminal) -> None:
    """Show the first rows of a table of counts, and how many more there are; nothing of no rows."""
    if not rows:
        return
    terminal.line()
    words: list[Literal["<", ">"]] = ["<"] * len(header)
    terminal.table([*header, "items", "rows", "bytes"], rows[:MOST_SHOWN], [*words, ">", ">", ">"])
    if len(rows) > MOST_SHOWN:
        terminal.aside(f"and {len(rows) - MOST_SHOWN:,} more; --json shows them")


def _counts(total: "PlanTotal | HeldTotal | KeptTotal | ReturningTotal | Counted") -> list[str]:
    return [f"{total.items:,}", SKIPPED if total.rows is None else f"{total.rows:,}", size(total.bytes)]


def show_items(items: Sequence["PlannedItem"], terminal: Terminal) -> None:
    """Show what becomes of items, and why."""
    rows = [
        [each.action, each.id, size(each.bytes or 0), moment(each.due), "; ".join([each.reason or "", *each.held_by])]
        for each in items
    ]
    if rows:
        terminal.table(["action", "item", "bytes", "due", "why"], rows, ["<", "<", ">", "<", "<"])
