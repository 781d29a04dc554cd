"""What holds items back: the store itself, legal holds, and whatever still needs them.

Of needs with spans only their borders are looked at: which of them an item meets depends on how many begin before its
end and how many have ended by its start, so items between the same borders are one question.
"""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu_retention.items import INSTANT
from sparkhu_retention.needs.need import Need
from sparkhu_retention.needs.places import ANYWHERE, EVERYWHERE, path_within, place_of
from sparkhu_retention.policies.matching import Kinds
from sparkhu_retention.policies.patterns import expression
from sparkhu_retention.policies.policy import Policy

MOST_NAMED: Final = 5
"""Of the needs of one kind that an item is held by, this many are named, and the others counted."""

Integers = npt.NDArray[np.int64]
Names = tuple[str, ...]
ALL: Final = "**"
BEHIND_SLASH: Final = chr(ord("/") + 1)
LAKE_FILE: Final = (
    r"/(current\.json|next\.json|current\.lock|versions/\d{8,}-[0-9a-f]{32}\.json"
    r"|purged/[^/]+-[0-9a-f]{32}\.json|returned/[0-9a-f]{32}\.json"
    r"|tables/[a-z][a-z0-9_]*/(manifests/[0-9a-f]{32}\.json|data/[^/]+/\d+-[0-9a-f]{32}\.parquet))$"
)
"""What a lake is made of, by its path; `sparkhu.lake.lakes` has the folders."""
LAKE_TABLE: Final = r"^tables/([a-z][a-z0-9_]*)/data/"
OF_LAKE: Final = "it belongs to a lake, whose files go only from a storage of the kind 'lake'"
UNWRITTEN: Final = "its downsample to {} by {} is not yet written and verified"
FIRST, LAST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Holders:
    """Who holds each of some items; items that the same hold share one list of them."""

    def __init__(self, items: int) -> None:
        self._of_item: Integers = np.zeros(items, dtype=np.int64)
        self._lists: list[Names] = [()]

    def add(self, rows: Integers, names: Sequence[Names], which: Integers | None = None) -> None:
        """Add to items who holds them.

        Args:
            rows: Places of the items, each once.
            names: Those who hold, in lists.
            which: For each of the items its list; null: the first.
        """
        of_item = self._of_item[rows] * len(names) + (0 if which is None else which)
        met, inverse = np.unique(of_item, return_inverse=True)
        added = [(*self._lists[each // len(names)], *names[each % len(names)]) for each in met.tolist()]
        self._of_item[rows] = len(self._lists) + inverse
        self._lists += [tuple(dict.fromkeys(each)) for each in added]

    @property
    def held(self) -> pl.Series:
        """Which items anybody holds."""
        return pl.Series("held", self._of_item != 0)

    @property
    def names(self) -> pl.Series:
        """Who holds each item, in words."""
        return pl.Series("held_by", self._lists, dtype=pl.List(pl.String)).gather(self._of_item)


def holders(
    items: pl.DataFrame, found: Kinds, storage: str, policies: Sequence[Policy], needs: Sequence[Need]
) -> Holders:
    """Find who holds items back.

    A need counts for the storage that it names and for any that lies in its place or around it, where what is needed is
    told by the path alone; one that begins with `ANYWHERE` counts wherever the rest of it is found in a path. An item
    without a start or an end meets all spans on that side; one whose start is its end covers that instant.

    Args:
        items: Of the schema `ITEMS`.
        found: Their kinds.
        storage: URI of their storage.
        policies: The policies in force.
        needs: What needs data, of this storage or another; holds among them.
    """
    held = Holders(items.height)
    _by_store(held, items)
    root = place_of(storage)
    _by_lake(held, items, root)
    for place, fit in found.legal.items():
        words = f"legal hold of the policy '{policies[place].name}': {policies[place].hold}"
        held.add(_rows(fit.gather(found.of_item)), [(words,)])
    named = {need.storage for need in needs}
    places = {each: root if each == EVERYWHERE else place_of(each) for each in named}
    own = [need for need in needs if places[need.storage] == root]
    _by_place(held, items, root, [(places[need.storage], need.by) for need in needs if places[need.storage] != root])
    _by_end(held, items, root, [need for need in needs if need.storage.startswith(ANYWHERE)])
    _by_id(held, items, [need for need in own if need.ids])
    _by_span(held, items, found, [need for need in own if not need.ids])
    return held


def _by_lake(held: Holders, items: pl.DataFrame, root: str) -> None:
    """Add the lake that files are a part of where its storage lists plain files: without one of them it is damaged."""
    parts = root.split("/")[-4:]  # no more stands in the pattern before the name of a file
    inside = items.select((pl.lit("/".join(["", *parts, ""])) + pl.col("id")).str.contains(LAKE_FILE)).to_series()
    if not inside.any():
        return
    is_table = pl.col("id").str.extract(LAKE_TABLE).eq(pl.col("dataset")).fill_null(value=False)
    rows = _rows(inside & ~items.select(is_table).to_series())
    if len(rows):
        held.add(rows, [(OF_LAKE,)])


def _by_place(held: Holders, items: pl.DataFrame, root: str, needs: Sequence[tuple[str, str]]) -> None:
    """Add needs of places around this storage, which hold all of it, and within, which hold what lies there."""
    around = [by for place, by in needs if path_within(root, place) is not None]
    if around:
        held.add(np.arange(items.height), [_cut(around)])
    within: dict[str, list[str]] = {}
    for place, by in needs:
        if (path := path_within(place, root)) is not None:
            within.setdefault(path, []).append(by)
    for path, rows in _below(items["id"], list(within)).items():
        held.add(rows, [_cut(within[path])])


def _by_end(held: Holders, items: pl.DataFrame, root: str, needs: Sequence[Need]) -> None:
    """Add needs of places whose root nobody here knows: what has the end of their path in its own is theirs."""
    ends: dict[str, list[str]] = {}
    for need in needs:
        ends.setdefault(f"/{need.storage.removeprefix(ANYWHERE).rstrip('/')}/", []).append(need.by)
    if not ends:
        return
    paths = items.select(pl.lit(f"{root}/") + pl.col("id") + "/").to_series()
    met = _rows(paths.str.contains_any(list(ends)))
    there = paths.gather(met)
    for end, by in ends.items():
        rows = met[there.str.contains(end, literal=True).to_numpy()]
        if len(rows):
            held.add(rows, [_cut(by)])


def _below(ids: pl.Series, paths: Sequence[str]) -> dict[str, Integers]:
    """Find the places of the ids that each path is, or is the folder of; those of none are left out.

    In order of id, what lies below a folder stands together: between it with a `/` and with the character behind that.
    """
    if not paths:
        return {}
    order = ids.arg_sort().cast(pl.Int64).to_numpy()
    there = ids.gather(order)

    def limits(begins: Sequence[str], ends: Sequence[str], side: Literal["left", "right"]) -> list[tuple[int, int]]:
        first, last = there.search_sorted(pl.Series(begins), "left"), there.search_sorted(pl.Series(ends), side)
        return list(zip(first.to_list(), last.to_list(), strict=True))

    same = limits(paths, paths, "right")
    inside = limits([f"{path}/" for path in paths], [f"{path}{BEHIND_SLASH}" for path in paths], "left")
    found = ((path, [*range(*one), *range(*other)]) for path, one, other in zip(paths, same, inside, strict=True))
    return {path: order[places] for path, places in found if places}


def _by_store(held: Holders, items: pl.DataFrame) -> None:
    named = items.select(pl.col("holds").list.len().fill_null(0) > 0).to_series()
    if named.any():
        lists = items.filter(named)["holds"]
        add_lists(held, _rows(named), lists)


def _by_id(held: Holders, items: pl.DataFrame, needs: Sequence[Need]) -> None:
    if not needs:
        return
    wanted = pl.concat(pl.DataFrame({"id": sorted(need.ids), "by": need.by}) for need in needs).unique()
    ids = items.select("id").with_row_index("row")
    met = ids.join(wanted, on="id").group_by("row", maintain_order=True).agg(pl.col("by").sort())
    add_lists(held, met["row"].cast(pl.Int64).to_numpy(), met["by"])


def add_lists(held: Holders, rows: Integers, lists: pl.Series) -> None:
    """Add a list of holders an item; equal lists are one."""
    frame = pl.DataFrame({"names": lists}).with_columns(key=pl.col("names").list.join("\0", ignore_nulls=True))
    distinct = frame.unique("key", maintain_order=True).with_row_index("which")
    which = frame.join(distinct.select("key", "which"), on="key", how="left", maintain_order="left")["which"]
    held.add(rows, [_cut(names) for names in distinct["names"].to_list()], which.cast(pl.Int64).to_numpy())


def _by_span(held: Holders, items: pl.DataFrame, found: Kinds, needs: Sequence[Need]) -> None:
    by_dataset: dict[str, list[Need]] = {}
    for need in needs:
        if need.start is None or need.end is None or need.start < need.end:
            by_dataset.setdefault(need.dataset or ALL, []).append(need)
    for dataset, those in by_dataset.items():
        about = found.table["dataset"].str.contains(expression(dataset))
        rows = _rows(about.gather(found.of_item))
        if len(rows):
            _meeting(held, rows, items.select("start", "end")[rows], those)


def _meeting(held: Holders, rows: Integers, spans: pl.DataFrame, needs: Sequence[Need]) -> None:
    """Add the needs that spans meet: those that begin before the end and do not end by the start."""
    limits = pl.DataFrame(
        {"start": [need.start for need in needs], "end": [need.end for need in needs]},
        schema={"start": INSTANT, "end": INSTANT},
    )
    begin, end = _physical(limits["start"], FIRST), _physical(limits["end"], LAST)
    first, last = _physical(spans["start"], FIRST), _physical(spans["end"], LAST)
    last = np.maximum(last, first + 1)
    by_begin, by_end = np.argsort(begin, kind="stable"), np.argsort(end, kind="stable")
    begun = np.searchsorted(begin[by_begin], last, side="left")
    ended = np.searchsorted(end[by_end], first, side="right")
    meets = np.flatnonzero(begun > ended)
    if not len(meets):
        return
    place_by_begin, place_by_end = np.argsort(by_begin), np.argsort(by_end)
    width = len(needs) + 1
    questions, which = np.unique(begun[meets] * width + ended[meets], return_inverse=True)
    names = []
    for question in questions.tolist():
        met = np.flatnonzero((place_by_begin < question // width) & (place_by_end >= question % width))
        names.append(_cut([needs[number].by for number in met.tolist()]))
    held.add(rows[meets], names, which)


def _cut(names: Sequence[str]) -> Names:
    """Name the first few, each once, and count the others."""
    distinct = tuple(dict.fromkeys(names))
    more = len(distinct) - MOST_NAMED
    return distinct if more <= 0 else (*distinct[:MOST_NAMED], f"{more:,} more of these")


def _physical(instants: pl.Series, null: int) -> Integers:
    return instants.cast(INSTANT).to_physical().fill_null(null).to_numpy()


def _rows(which: pl.Series) -> Integers:
    return which.arg_true().cast(pl.Int64).to_numpy()
