import polars as pl

from sparkhu.frame import TIME
from sparkhu.histories import FOREVER, History

HOUR = 3_600_000_000


def history_of(known: list[int], revised: dict[int, int]) -> History:
    """Arrange hourly points that were known at these hours, and some of them revised at others."""
    hours = [*range(len(known)), *revised], [*known, *revised.values()]
    ds, available_at = (pl.Series([hour * HOUR for hour in each]).cast(TIME) for each in hours)
    rows = pl.DataFrame({"ds": ds, "available_at": available_at}).with_columns(unique_id=pl.lit("a"), y=0.0)
    return History.of(rows)


def test_a_stretch_is_settled_once_all_of_it_is_known_and_never_where_it_was_revised() -> None:
    # Eight points; that of 2 h arrives at 9 h, that of 6 h is revised. Stretches of three begin at 0 h to 5 h.
    history = history_of([0, 1, 9, 3, 4, 5, 6, 7], {6: 7})
    assert history.settled(3).tolist() == [9 * HOUR] * 3 + [5 * HOUR] + [FOREVER] * 2
    assert history.settled(1).tolist() == [0, HOUR, 9 * HOUR, 3 * HOUR, 4 * HOUR, 5 * HOUR, FOREVER, 7 * HOUR]


def test_stretches_that_would_nearly_all_hold_a_revision_are_not_looked_for() -> None:
    # Of eight points two are revised: of five in a row, ten in eight. Four in a row are eight in eight.
    history = history_of(list(range(8)), {0: 8, 6: 8})
    assert history.settled(5).tolist() == []
    assert history.settled(4).tolist() == [FOREVER, 4 * HOUR, 5 * HOUR, FOREVER, FOREVER]


def test_fewer_points_than_asked_for_make_no_stretch() -> None:
    assert history_of([0, 1], {}).settled(3).tolist() == []
