"""Draw the steps of a run as a graph with times: a line a step, lanes at the left, a bar for when it ran.

The lanes follow the way `git log --graph` draws history: it fits a phone and needs no layout engine.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sparkhu.report.markup import escape, plural, seconds

ROW, LANE, MARGIN = 40, 14, 10


@dataclass(frozen=True)
class Node:
    """A step in the graph: its line, its lane, and the lines of the steps that it stands on directly."""

    line: int
    lane: int
    parents: tuple[int, ...]


def parents_of(history: Sequence[Mapping[str, Any]]) -> list[tuple[int, ...]]:
    """Find for each step the earlier steps that it stands on directly.

    An input that another input stands on already is left out (transitive reduction): the graph says the same with
    fewer lines. A name that no earlier step has is left out too.
    """
    lines: dict[str, int] = {}
    ancestors: list[set[int]] = []
    parents: list[tuple[int, ...]] = []
    for line, record in enumerate(history):
        named = {lines[name] for name in record.get("inputs") or () if name in lines}
        implied = set().union(*(ancestors[parent] for parent in named)) if named else set()
        parents.append(tuple(sorted(named - implied)))
        ancestors.append(named | implied)
        lines[str(record["step"])] = line
    return parents


def place(parents: Sequence[tuple[int, ...]]) -> list[Node]:
    """Give each step a lane: that of a parent which nothing later needs, else the leftmost free one."""
    last_use = {parent: line for line, above in enumerate(parents) for parent in above}
    holders: list[int | None] = []
    nodes: list[Node] = []
    for line, above in enumerate(parents):
        for index, holder in enumerate(holders):
            if holder is not None and last_use.get(holder, holder) <= line:
                holders[index] = None
        lane = _free_lane(holders, [nodes[parent].lane for parent in above])
        holders[lane] = line
        nodes.append(Node(line, lane, above))
    return nodes


def _free_lane(holders: list[int | None], wished: Sequence[int]) -> int:
    free = [lane for lane in sorted(wished) if holders[lane] is None]
    free += [lane for lane, holder in enumerate(holders) if holder is None]
    if not free:
        holders.append(None)
        return len(holders) - 1
    return free[0]


def draw_graph(history: Sequence[Mapping[str, Any]]) -> str:
    """Draw the steps of a run, in order of their start, as HTML; each links down to the steps that used it."""
    nodes = place(parents_of(history))
    width = 2 * MARGIN + LANE * max(node.lane for node in nodes)
    height = ROW * len(nodes)
    edges = "".join(_edge(nodes[parent], node) for node in nodes for parent in node.parents)
    dots = "".join(_dot(node, history[node.line]) for node in nodes)
    begins = [_instant(record) for record in history]
    lines = "".join(_line(record, bar) for record, bar in zip(history, _bars(history, begins), strict=True))
    return (
        f'<div class="dag"><svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" aria-hidden="true">'
        f"{edges}{dots}</svg><ol>{lines}</ol></div>"
    )


def _centre(node: Node) -> tuple[float, float]:
    return MARGIN + LANE * node.lane, ROW * (node.line + 0.5)


def _edge(above: Node, below: Node) -> str:
    """Run down the lane of the upper step and bend into the lower one just above it."""
    (x, y), (to_x, to_y) = _centre(above), _centre(below)
    bend = to_y - ROW
    if x == to_x:
        return f'<path d="M{x:g} {y:g}V{to_y:g}"/>'
    low, high = bend + ROW * 0.6, bend + ROW * 0.4
    return f'<path d="M{x:g} {y:g}V{bend:g}C{x:g} {low:g} {to_x:g} {high:g} {to_x:g} {to_y:g}"/>'


def _dot(node: Node, record: Mapping[str, Any]) -> str:
    x, y = _centre(node)
    return f'<circle cx="{x:g}" cy="{y:g}" r="5" class="{_state(record)}"/>'


def _state(record: Mapping[str, Any]) -> str:
    if record.get("status", "ok") != "ok":
        return "bad"
    return "warn" if record.get("series_failed") else "ok"


def _instant(record: Mapping[str, Any]) -> float | None:
    try:
        return datetime.fromisoformat(str(record.get("started"))).timestamp()
    except ValueError:
        return None


def _bars(history: Sequence[Mapping[str, Any]], begins: Sequence[float | None]) -> list[tuple[float, float]]:
    """Give each step's bar as (left, width) in percent of the run; steps without a start all begin at the left."""
    known = [begin for begin in begins if begin is not None]
    origin = min(known) if len(known) == len(begins) else None
    lefts = [0.0 if origin is None or begin is None else begin - origin for begin in begins]
    widths = _widths(history, lefts)
    total = max(left + width for left, width in zip(lefts, widths, strict=True)) or 1.0
    return [(100 * left / total, 100 * width / total) for left, width in zip(lefts, widths, strict=True)]


def _widths(history: Sequence[Mapping[str, Any]], lefts: Sequence[float]) -> list[float]:
    """Give how long each step ran, in seconds, at most until a step began that read its result.

    What ran over groups of shards side by side has the sum of their seconds.
    """
    widths = [float(record.get("seconds") or 0.0) for record in history]
    readers = [
        [left for left, record in zip(lefts, history, strict=True) if each["step"] in (record.get("inputs") or ())]
        for each in history
    ]
    if not any(lefts):
        return widths
    return [
        min([width, *(reader - left for reader in begins if reader > left)])
        for left, width, begins in zip(lefts, widths, readers, strict=True)
    ]


def _line(record: Mapping[str, Any], bar: tuple[float, float]) -> str:
    inputs = ", ".join(map(str, record.get("inputs") or ())) or "the source"
    rows = f"{record.get('rows_in') or 0:,} → {record.get('rows_out') or 0:,} rows"
    marks = [
        f'<b class="{state}">{plural(int(record[key]), "series", "series")} {word}</b>'
        for key, word, state in (("series_failed", "failed", "bad"), ("series_skipped", "skipped", "warn"))
        if record.get(key)
    ]
    if record.get("status", "ok") != "ok":
        marks.insert(0, f'<b class="bad">{escape(record["status"])}</b>')
    return (
        f'<li title="reads {escape(inputs)}"><span class="step">{escape(record["step"])}</span>'
        f'<span class="track"><i style="left:{bar[0]:.2f}%;width:{bar[1]:.2f}%"></i></span>'
        f'<span class="took">{seconds(float(record.get("seconds") or 0.0))}</span>'
        f'<span class="rows">{rows} {" ".join(marks)}</span></li>'
    )
