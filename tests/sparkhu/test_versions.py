"""Versions of points: what is kept of them, and which of them count."""

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.frame import SCHEMA, TIME
from sparkhu.versions import first_known, first_seen, older_versions, versions_of
from tests.sparkhu.made_shard import hours


def rows(*points: tuple[str, float, float | None, float]) -> pl.DataFrame:
    """Rows of `unique_id`, hour, value, and the hour at which it became known."""
    table = [(name, hours(hour), y, hours(known)) for name, hour, y, known in points]
    return pl.DataFrame(table, schema=SCHEMA, orient="row")


def test_points_of_several_versions_are_kept_with_all_of_them() -> None:
    # a: hour 1 was 5 at first, 7 from 3 on; hour 2 never changed; b has an hour 2 of its own. Of two rows of one
    # arrival the later counts, and where nothing else came the point was never revised.
    table = rows(
        ("a", 1, 5, 1), ("a", 1, 6, 3), ("a", 1, 7, 3), ("a", 2, 1, 2), ("b", 2, 1, 2), ("b", 3, 1, 4), ("b", 3, 2, 4),
    )  # fmt: skip
    assert versions_of(table).equals(rows(("a", 1, 5, 1), ("a", 1, 7, 3)))
    assert versions_of(table.with_columns(volume=3)).columns == list(SCHEMA)
    assert versions_of(table.clear()).schema == pl.Schema(SCHEMA)
    with pytest.raises(InputError, match="'available_at' is missing"):
        versions_of(table.drop("available_at"))


CHAINS = versions_of(
    rows(
        *[("a", 0, 1.0, 0), ("a", 0, 2, 5), ("a", 0, 3, 9)],
        *[("a", 1, 1.0, 1), ("a", 1, None, 4), ("a", 1, 2, 6), ("a", 1, 3, 9)],
        *[("a", 2, None, 2), ("a", 2, 3, 9)],
        *[("b", 0, 4.0, 0), ("b", 0, None, 9)],
    )
)


def test_older_versions_count_where_the_newest_stands_as_it_came() -> None:
    standing = rows(("a", 0, 3, 9), ("a", 1, 3, 9), ("a", 2, 3, 9), ("a", 3, 3, 3), ("b", 0, None, 9))
    # What was withdrawn for a time counts from then on, and what was not there at first has no older version.
    assert older_versions(standing, CHAINS).equals(rows(("a", 0, 1, 0), ("a", 0, 2, 5), ("a", 1, 2, 6)))
    assert first_known(standing, CHAINS).to_list() == [hours(0), hours(6), hours(9), hours(3), hours(9)]


@pytest.mark.parametrize("made", [("a", 0, 2.5, 9), ("a", 0, 3.0, 12), ("a", 0, None, 9), ("b", 0, 3.0, 9)])
def test_a_value_that_was_made_or_is_dated_otherwise_has_no_older_version(
    made: tuple[str, float, float | None, float],
) -> None:
    table = rows(made)
    assert older_versions(table, CHAINS).is_empty()
    assert first_known(table, CHAINS).to_list() == table["available_at"].to_list()


def test_the_columns_may_be_others_and_nothing_revised_changes_nothing() -> None:
    table = rows(("a", 0, 9, 20)).with_columns(y_raw=3.0, came=pl.lit(hours(9)).cast(TIME))
    assert first_known(table, CHAINS, value="y_raw", known="came").to_list() == [hours(0)]
    assert first_known(table, CHAINS.clear(), value="y_raw", known="came").to_list() == [hours(9)]


def test_a_value_was_seen_with_its_first_version_though_it_was_withdrawn_since() -> None:
    # a 1 was withdrawn at 4 and given again, b 0 was withdrawn for good; a 2 was nothing before 9, a 3 never revised.
    table = rows(
        ("a", 0, 3, 9), ("a", 1, 3, 9), ("a", 2, 3, 9), ("a", 3, 3, 3), ("a", 4, None, 4), ("b", 0, None, 9)
    )  # fmt: skip
    seen = first_seen(table, CHAINS, value="y", known="available_at")
    assert seen.to_list() == [hours(0), hours(1), hours(9), hours(3), None, hours(0)]
    # What stands is not what came: it was seen when it was made. An arrival that was moved changes nothing.
    made = rows(("a", 0, 2.5, 9), ("a", 1, 3, 12))
    assert first_seen(made, CHAINS, value="y", known="available_at").to_list() == [hours(9), hours(1)]
    assert first_seen(made, CHAINS.clear(), value="y", known="available_at").to_list() == [hours(9), hours(12)]
