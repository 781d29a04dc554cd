"""Entries of the journal in groups: by the mark that they are buried under, by a reason, and in batches."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from sparkhu_retention.database.journal import Entered


def by_mark(entries: Iterable[Entered]) -> dict[str, list[Entered]]:
    """Group entries by the run that buried them."""
    marked: dict[str, list[Entered]] = defaultdict(list)
    for entry in entries:
        marked[entry.run].append(entry)
    return marked


def by_reason(
    entries: Iterable[Entered], reasons: dict[int, str], act: Callable[[Sequence[Entered], str], object]
) -> None:
    """Act on those entries that have a reason, on all of one reason at once; `reasons` has words by number."""
    grouped: dict[str, list[Entered]] = defaultdict(list)
    for entry in entries:
        if entry.entry in reasons:
            grouped[reasons[entry.entry]].append(entry)
    for reason, some in grouped.items():
        act(some, reason)


def batches(entries: Iterable[Entered], items: int, size: int | None = None) -> Iterator[list[Entered]]:
    """Cut entries into batches of so many items, and of so many bytes where that is said."""
    batch: list[Entered] = []
    so_far = 0
    for entry in entries:
        so_far += entry.bytes or 0
        if batch and (len(batch) == items or (size is not None and so_far > size)):
            yield batch
            batch, so_far = [], entry.bytes or 0
        batch.append(entry)
    if batch:
        yield batch


def halves(entries: Sequence[Entered]) -> tuple[Sequence[Entered], Sequence[Entered]]:
    """Cut entries into two halves."""
    middle = -(-len(entries) // 2)
    return entries[:middle], entries[middle:]
