"""Replacing intervals, against a model that keeps one cell an hour."""

import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.lake import Replace, create_lake
from sparkhu.lake.changes import open_spans, republished
from sparkhu.lake.records import Interval
from tests.sparkhu.lake.made_rows import DAY, HOUR, START, observed

HOURS = 60


@dataclass(frozen=True)
class Publication:
    first: int
    hours: int
    read_back: int  # how many versions ago its observations were read
    params: str
    gap: int  # every so many hours have no row

    @property
    def cells(self) -> range:
        return range(self.first, min(self.first + self.hours, HOURS))


publications = st.builds(
    Publication,
    first=st.integers(0, HOURS - 1),
    hours=st.integers(1, HOURS),
    read_back=st.integers(0, 3),
    params=st.sampled_from("pq"),
    gap=st.integers(2, 9),
)


@given(
    todo=st.lists(publications, min_size=1, max_size=7),
    partition=st.sampled_from(["day", "month"]),
    buckets=st.integers(1, 3),
)
def test_every_hour_holds_what_was_made_from_the_newest_observations(
    todo: list[Publication], partition: str, buckets: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = create_lake(f"{folder}/lake", partition=partition, buckets=buckets, zone="Asia/Kolkata")  # type: ignore[arg-type]
        made: dict[int, tuple[int, str]] = {}
        values: dict[int, float] = {}
        for turn, each in enumerate(todo):
            version = lake.version()
            read = max(0, version.number - each.read_back)
            whole = observed("abc", START + each.first * HOUR, len(each.cells)).with_columns(y=pl.lit(float(turn)))
            rows = whole.filter(pl.col("ds").dt.hour() % each.gap != 0)
            end = START + (each.cells[-1] + 1) * HOUR
            change = Replace(rows, START + each.first * HOUR, end, read, each.params)
            version = lake.commit({"clean": change}, run=str(turn), based_on=version)
            for cell in each.cells:
                if cell in made and (made[cell][0] > read or made[cell] == (read, each.params)):
                    continue
                made[cell] = (read, each.params)
                values.pop(cell, None)
                if (START + cell * HOUR).hour % each.gap:
                    values[cell] = float(turn)
        table = version.table("clean")
        found = table.read()
        for name in "abc":
            own = found.filter(unique_id=name)
            assert own["ds"].to_list() == [START + cell * HOUR for cell in sorted(values)]
            assert own["y"].to_list() == [values[cell] for cell in sorted(values)]
        spans = [(cell, each) for each in table.intervals for cell in _cells(each)]
        assert [cell for cell, _ in spans] == sorted(made), "intervals overlap, or are not in order"
        assert {cell: (each.read_version, each.params) for cell, each in spans} == made
        assert len({(file.partition, file.bucket) for file in table.files()}) == len(table.files())


def _cells(interval: Interval) -> list[int]:
    return list(range(_hours(interval.start), _hours(interval.end)))


def _hours(moment: datetime) -> int:
    return int((moment - START) / timedelta(hours=1))


def interval(first: int, last: int, read: int, params: str = "p") -> Interval:
    return Interval(START + first * DAY, START + last * DAY, read, params, "before")


def test_only_what_is_not_newer_and_not_the_same_is_open() -> None:
    # Days 0-1 from version 5, 1-2 from 3 with other parameters, 2-3 from 3 with the same, 4-6 from 2.
    published = (interval(0, 1, 5), interval(1, 2, 3, "q"), interval(2, 3, 3), interval(4, 6, 2))
    change = Replace(observed(hours=0), START, START + 5 * DAY, 3, "p", START - DAY)
    spans, newer = open_spans(published, change)
    assert spans == [(START + DAY, START + 2 * DAY), (START + 3 * DAY, START + 5 * DAY)]
    assert newer == [published[0]]
    after = republished(published, change, spans, "now")
    assert [(_hours(each.start) // 24, _hours(each.end) // 24, each.read_version, each.run) for each in after] == [
        (0, 1, 5, "before"),
        (1, 2, 3, "now"),
        (2, 3, 3, "before"),
        (3, 5, 3, "now"),
        (5, 6, 2, "before"),
    ]
    assert [each.read_from for each in after] == [None, START - DAY, None, START - DAY, None]
