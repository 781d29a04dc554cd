"""The plan: what would be done to each item of a storage, why, when it is due, and what holds it back.

A plan is made of what is given alone and touches nothing. An item is due where

- the period of its policy has passed since the end of what it covers, or that end lies before the floor; and
- it is not one of the newest versions of its line, where its policy keeps these. A policy that keeps the newest and has
  neither a period nor a floor makes the others due at once.

What is due and still needed is `held`, and so is what was written where an earlier copy waits in its tombstone. Only
what is needed by nothing is archived or removed.
"""

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import polars as pl

from sparkhu.errors import InputError
from sparkhu_retention.items import ITEMS
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.action import ACTIONS, ARCHIVE, DELETE, KEEP, WAIT
from sparkhu_retention.planning.expiry import Tier, dated, kept_newest
from sparkhu_retention.planning.holding import UNWRITTEN, Holders, add_lists, holders
from sparkhu_retention.planning.newest import ranked, versions
from sparkhu_retention.policies.matching import kinds
from sparkhu_retention.policies.policy import Policy, PolicyVersion

BATCH: Final = 50_000
"""Items that are planned together, at the least."""
NONE_DOWNSAMPLED: Final = pl.DataFrame(schema={"content": pl.String(), "to": pl.String(), "by": pl.String()})


def plan(
    storage: str,
    items: Iterable[pl.DataFrame],
    policies: Sequence[PolicyVersion],
    *,
    now: datetime,
    needs: Sequence[Need] = (),
    holds: Sequence[Need] = (),
    tier: Tier = "live",
    earlier: pl.DataFrame | None = None,
    downsampled: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Plan what is done to the items of a storage.

    Args:
        storage: Its URI.
        items: Frames of the schema `ITEMS`.
        policies: The policies in force, each with the number of its version.
        now: The time; what is due at it or before is due.
        needs: What still needs data, of this storage or another.
        holds: Holds that people have placed, in the same form; their datasets may be patterns.
        tier: `archive`, where the items are those of the archive of `storage`.
        earlier: The items of which an earlier copy waits in its tombstone: `id`, and `by`, which says so in words.
        downsampled: The items of the archive whose downsample was written: `content`, `to` and `by`.

    Returns:
        The items with what is done to each, of the schema `ACTIONS`, in the order that they came in.

    Raises:
        InputError: Two policies are equally specific for an item, a frame has another schema, or `now` has no zone.
    """
    parts = plan_parts(
        *(storage, items, policies),
        now=now,
        needs=needs,
        holds=holds,
        tier=tier,
        earlier=earlier,
        downsampled=downsampled,
    )
    return pl.concat([pl.DataFrame(schema=ACTIONS), *parts])


def plan_parts(
    storage: str,
    items: Iterable[pl.DataFrame],
    policies: Sequence[PolicyVersion],
    *,
    now: datetime,
    needs: Sequence[Need] = (),
    holds: Sequence[Need] = (),
    tier: Tier = "live",
    earlier: pl.DataFrame | None = None,
    downsampled: pl.DataFrame | None = None,
    met: list[pl.DataFrame] | None = None,
) -> Iterator[pl.DataFrame]:
    """Plan as `plan` does, and give the frame in parts, so that a plan of millions of items needs little memory.

    Where a policy keeps the newest versions, all items are listed before the first part comes, and wait compressed;
    what `versions` gave of them is added to `met`.
    """
    if now.tzinfo is None:
        raise InputError(f"now must have a zone, got '{now.isoformat()}'. Write {now.isoformat()}+00:00.")
    rules = [each.policy for each in policies]
    keep, wanted = kept_newest(rules, tier), [*needs, *holds]
    instant = now.astimezone(UTC)
    there = None if tier == "live" else NONE_DOWNSAMPLED if downsampled is None else downsampled

    def finished(part: _Part, frame: pl.DataFrame, ranks: pl.DataFrame | None) -> pl.DataFrame:
        dates = dated(part.told(frame), ranks, rules, now=instant, tier=tier)
        dates = dates.with_columns(is_due=(pl.col("due") <= instant).fill_null(value=False))
        _hold_what_lacks_a_downsample(part, frame, dates["is_due"], rules, there)
        if earlier is not None:
            _hold_later_copies(part, frame, dates["is_due"], earlier)
        return _planned(part, frame, dates, policies, tier)

    found = ((frame, _part(frame, storage, rules, wanted)) for frame in _batches(items))
    if not keep:
        return (finished(part, frame, None) for frame, part in found)
    return _in_two_passes(found, keep, finished, [] if met is None else met)


@dataclass(frozen=True, eq=False)
class _Part:
    """What is found of some of the items by itself: the place of each one's policy, and who holds it."""

    policy: pl.Series
    holders: Holders

    def told(self, items: pl.DataFrame) -> pl.DataFrame:
        """Give what versions are told apart and dates are found by."""
        return items.select("dataset", "line", "end").with_columns(policy=self.policy, held=self.holders.held)


def _part(items: pl.DataFrame, storage: str, rules: Sequence[Policy], needs: Sequence[Need]) -> _Part:
    found = kinds(items, storage, rules)
    held = holders(items, found, storage, rules, needs)
    return _Part(found.table["policy"].gather(found.of_item), held)


def _in_two_passes(
    found: Iterable[tuple[pl.DataFrame, _Part]],
    keep: Mapping[int, int],
    finished: Callable[[_Part, pl.DataFrame, pl.DataFrame], pl.DataFrame],
    there: list[pl.DataFrame],
) -> Iterator[pl.DataFrame]:
    """Rank the versions of all items first."""
    parts = deque[tuple[_Part, bytes]]()
    for frame, part in found:
        there.append(versions(part.told(frame), keep))
        parts.append((part, _packed(frame)))
    ranks = ranked(there) if there else pl.DataFrame()
    while parts:
        part, packed = parts.popleft()
        yield finished(part, pl.read_ipc(io.BytesIO(packed)), ranks)


def _packed(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc(buffer, compression="lz4")
    return buffer.getvalue()


def _planned(
    part: _Part, items: pl.DataFrame, dates: pl.DataFrame, policies: Sequence[PolicyVersion], tier: Tier
) -> pl.DataFrame:
    place, held, due = part.policy, part.holders.held, dates["is_due"]
    removed = [DELETE if each.policy.without_archive or tier == "archive" else ARCHIVE for each in policies]
    done = pl.Series(removed, dtype=pl.String).gather(place)
    action = pl.select(pl.when(~due).then(pl.lit(KEEP)).when(held).then(pl.lit(WAIT)).otherwise(done)).to_series()
    return items.with_columns(
        action=action,
        policy=pl.Series([each.policy.name for each in policies], dtype=pl.String).gather(place),
        policy_version=pl.Series([each.version for each in policies], dtype=pl.Int64).gather(place),
        due=dates["due"],
        reason=dates["reason"],
        held_by=part.holders.names,
    ).select(list(ACTIONS))


def _batches(items: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join frames to larger ones, which take less time and memory than many small ones."""
    waiting: list[pl.DataFrame] = []
    for frame in items:
        if frame.schema != ITEMS:
            raise InputError(f"items must be frames of the schema of items, got {dict(frame.schema)}.")
        waiting.append(frame)
        if sum(each.height for each in waiting) >= BATCH:
            yield pl.concat(waiting, rechunk=True)
            waiting = []
    if waiting:
        yield pl.concat(waiting, rechunk=True)


def _hold_what_lacks_a_downsample(
    part: _Part, items: pl.DataFrame, due: pl.Series, rules: Sequence[Policy], there: pl.DataFrame | None
) -> None:
    """Hold what is due and has no downsample, where its policy wants one.

    In a storage (`there` is null) what is a table gets one before it goes; in its archive nothing does.
    """
    has_rows = items["rows"].is_not_null()
    for number, rule in enumerate(rules):
        if (wanted := rule.downsample) is None:
            continue
        lacking = due & (part.policy == number).fill_null(value=False)
        if there is not None:
            written = there.filter(to=wanted.to, by=wanted.by)["content"]
            lacking &= ~items["content"].is_in(written.implode())
        never = f"it has no rows to downsample to {wanted.to}, as its policy wants"
        part.holders.add((lacking & ~has_rows).arg_true().cast(pl.Int64).to_numpy(), [(never,)])
        if there is not None:
            not_yet = UNWRITTEN.format(wanted.to, wanted.by)
            part.holders.add((lacking & has_rows).arg_true().cast(pl.Int64).to_numpy(), [(not_yet,)])


def _hold_later_copies(part: _Part, items: pl.DataFrame, due: pl.Series, earlier: pl.DataFrame) -> None:
    """Hold what is due and was written where an earlier copy lay that can be put back still."""
    there = items.select("id").with_row_index("row").filter(due).join(earlier, on="id").unique("row", keep="any")
    if there.height:
        rows, lists = there["row"].cast(pl.Int64).to_numpy(), there.select(pl.concat_list("by")).to_series()
        add_lists(part.holders, rows, lists)
