"""Windows that are looked up in a table are those of the frame that it was stored from, to the bit."""

from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sparkhu.arrivals import newest
from sparkhu.errors import InputError, SparkhuError
from sparkhu.evaluation.backtest import score_shard
from sparkhu.evaluation.conformal import calibrate_shard
from sparkhu.frame import SCHEMA, TIME
from sparkhu.models.base import Models
from sparkhu.models.candidates import candidates, for_evaluation
from sparkhu.steps.cleaning import VARIANTS, clean_inputs
from sparkhu.steps.joining import join_series
from sparkhu.steps.normalisation import SCALERS, Scaler
from sparkhu.steps.windows import index_windows
from sparkhu.training.gram import gram_shard
from sparkhu.training.ridge import fit_groups
from sparkhu.training.stored import INPUTS, SCHEMAS, TRUTHS, TableSource, X, assemble_stored, stored_rows
from sparkhu.training.windows import ShardWindows, assemble
from sparkhu.versions import versions_of
from tests.sparkhu.made_shard import MadeShard, cleaned_of, hours, polluted, profile_of, shard_of

PLACE = "'table/lake', version 3"
NEVER_REVISED = pl.DataFrame(schema=SCHEMA)


class Both(NamedTuple):
    """A shard, and what is stored of it."""

    made: MadeShard
    tables: dict[str, pl.DataFrame]

    def stored(self, **changed: pl.DataFrame) -> ShardWindows:
        return assemble_stored({**self.tables, **changed}, *self.made[1:], place=PLACE)


def both_of(rows: pl.DataFrame, profile: pl.DataFrame, kept: str = "none", scaler: Scaler = "standard") -> Both:
    given_rows = rows.with_columns(clean_inputs(rows, profile, kept).get_columns())
    return Both(shard_of(given_rows, profile, scaler), stored_rows(given_rows, NEVER_REVISED))


def profile() -> pl.DataFrame:
    return pl.concat([profile_of(["a", "b"]), profile_of(["c"], sizes=(5, 3), group="1h/other")])


def same_grams(one: ShardWindows, other: ShardWindows) -> None:
    expected, found = gram_shard(one), gram_shard(other)
    assert expected.keys() == found.keys()
    for group, gram in expected.items():
        for part in ("train", "choose", "rest"):
            wanted, got = getattr(gram, part), getattr(found[group], part)
            assert wanted.windows == got.windows
            np.testing.assert_array_equal(wanted.matrix, got.matrix)


def models_of(shard: ShardWindows, plan: pl.DataFrame) -> Models:
    return for_evaluation(candidates(plan, fit_groups(gram_shard(shard))[0]))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(VARIANTS), st.sampled_from(SCALERS))
def test_training_and_evaluation_on_the_table_are_those_on_the_frame(seed: int, kept: str, scaler: Scaler) -> None:
    both = both_of(polluted("abc", seed), profile(), kept, scaler)
    shuffled = {name: rows.sample(fraction=1.0, shuffle=True, seed=1) for name, rows in both.tables.items()}
    frame, table = assemble(*both.made), both.stored(**shuffled)
    same_grams(frame, table)
    models = models_of(frame, both.made.profile)
    for part in ("choose", "test"):
        scores = (score_shard(shard, models=models, part=part) for shard in (frame, table))
        assert_frame_equal(*scores, check_exact=True)
    one, other = (calibrate_shard(shard, models=models) for shard in (frame, table))
    assert_frame_equal(one.table, other.table, check_exact=True)
    assert one.pools.keys() == other.pools.keys()
    for key, pool in one.pools.items():
        np.testing.assert_array_equal(pool.scores, other.pools[key].scores)
        np.testing.assert_array_equal(pool.scales, other.pools[key].scales)


def quiet() -> Both:
    values = np.random.default_rng(0).normal(20, 1, 100)
    return both_of(cleaned_of({"a": values, "b": values + 5}), profile_of(["a", "b"]))


@pytest.mark.parametrize("points", [2, 4, 30])
def test_histories_in_the_table_are_those_on_the_frame(points: int) -> None:
    both = quiet()
    frame, table = assemble(*both.made), both.stored(**both.tables)
    windows = frame.table
    wanted, got = (shard.inputs(windows, 4).history(points) for shard in (frame, table))
    np.testing.assert_array_equal(got, wanted)


def revised(rows: pl.DataFrame, hour: int, known: float, change: float = 1000.0) -> pl.DataFrame:
    """Add a version of the point of an hour, so much higher and known at another hour."""
    again = rows.filter(pl.col("ds") == hours(hour))
    values = [pl.col(name) + change for name in ("y", "y_raw") if name in rows.columns]
    return pl.concat([rows, again.with_columns(*values, available_at=pl.lit(hours(known)).cast(TIME))])


def test_a_window_holds_what_was_known_when_it_was_known_and_no_later_revision() -> None:
    # L = 4: the windows whose X ends at hours 20 to 23 hold point 20. A revision at 21:30 is seen by the last two.
    both = quiet()
    windows = both.stored().table.filter(pl.col("code") == 0, pl.col("cutoff").is_between(hours(20), hours(23)))
    before = both.stored().source.inputs(windows, 4)
    after = both.stored(inputs=revised(both.tables[INPUTS], 20, 21.5)).source.inputs(windows, 4)
    scale = both.made.scalers["scale"][0]
    wanted = np.zeros((4, 4))
    wanted[2, 1] = wanted[3, 0] = 1000 / scale
    np.testing.assert_allclose(after - before, wanted, atol=1e-9)


@pytest.mark.parametrize("table", [INPUTS, TRUTHS])
def test_revisions_known_after_the_end_move_nothing_that_was_learnt_before(table: str) -> None:
    # All revisions of the training part come at its end, hour 70, or later: training windows were known before.
    both = quiet()
    rows = both.tables[table]
    for hour in (0, 3, 40, 69):
        rows = revised(rows, hour, 70 + hour)
    found = gram_shard(both.stored(**{table: rows}))["1h/3"].train
    # Windows over a point that has versions are looked up and added behind the others: equal but for the last digits.
    wanted = gram_shard(assemble(*both.made))["1h/3"].train.matrix
    np.testing.assert_allclose(found.matrix, wanted, rtol=0, atol=1e-12)
    # The same revisions an hour after their points are seen: the test would notice.
    leaked = gram_shard(both.stored(**{table: revised(both.tables[table], 40, 41)}))["1h/3"].train.matrix
    assert not np.allclose(leaked, wanted, rtol=0, atol=1e-3)


class Observed(NamedTuple):
    """All versions of a series, and what is trained on of it."""

    rows: pl.DataFrame
    windows: pl.DataFrame
    tables: dict[str, pl.DataFrame]

    @classmethod
    def of(cls, points: dict[int, dict[float, float | None]], sizes: tuple[int, int] = (3, 2)) -> "Observed":
        """Make it of the values of each hour by the hour at which they became known."""
        chain = [("a", hours(hour), y, hours(known)) for hour, made in points.items() for known, y in made.items()]
        rows = pl.DataFrame(chain, schema=SCHEMA, orient="row")
        now = newest(rows)
        versions = versions_of(rows.sort("unique_id", "ds", maintain_order=True))
        made = join_series(now, now.clear(), cls.plan(sizes), cls.plan(sizes).clear()).frames["sequences"]
        given = made.with_columns(clean_inputs(made, cls.plan(sizes), "none").get_columns())
        windows = index_windows(given, cls.plan(sizes), versions=versions).frames["windows"]
        return cls(rows, windows, stored_rows(given, versions))

    @staticmethod
    def plan(sizes: tuple[int, int]) -> pl.DataFrame:
        return profile_of(["a"], borders=(10**4,) * 3, sizes=sizes)

    def inputs(self) -> list[list[float]]:
        """Look the X of all valid windows up."""
        windows = self.windows.filter("valid").with_columns(code=pl.lit(0, pl.Int64))
        unscaled = pl.DataFrame({"unique_id": ["a"], "center": [0.0], "scale": [1.0], "lambda": [None]})
        source = TableSource(self.tables, pl.Series(["a"]), unscaled, PLACE)
        return source.inputs(windows, 3).tolist()  # type: ignore[no-any-return]

    def known(self) -> list[list[float]]:
        """Give what the X of all valid windows were when the index says that they were known."""
        found = []
        for first, last, at in self.windows.filter("valid").select("inputs_from", "cutoff", X.known).iter_rows():
            then = newest(self.rows, known_at=at).filter(pl.col("ds").is_between(first, last))
            found.append(then["y"].to_list())
        return found


def test_an_input_that_was_revised_a_year_later_is_what_it_was_in_its_time() -> None:
    # Hour 4 was 4 at once and is 400 a year later; the window from hour 2 holds it, and the one from 4 too.
    points: dict[int, dict[float, float | None]] = {hour: {hour: float(hour)} for hour in range(10)}
    points[4] |= {366 * 24: 400.0}
    found = Observed.of(points)
    assert found.windows["valid"].all()
    assert found.inputs() == [[s, s + 1.0, s + 2.0] for s in range(6)]
    # As a target it is final: windows whose Y it is in were known a year later.
    late = found.windows["targets_available_at"] > hours(10)
    assert found.windows.filter(late)["targets_from"].to_list() == [hours(3), hours(4)]


def test_with_preliminary_values_for_all_points_windows_hold_these() -> None:
    # Each hour is known at once as 100 too little, and as final 48 hours later.
    found = Observed.of({hour: {hour: hour - 100.0, hour + 48: float(hour)} for hour in range(10)})
    assert found.windows["valid"].all()
    assert found.inputs() == [[s - 100, s - 99.0, s - 98.0] for s in range(6)]
    assert found.windows["targets_available_at"].to_list() == [hours(s + 4 + 48) for s in range(6)]


def test_a_point_that_was_first_known_a_year_later_refuses_the_windows_that_hold_it_as_input() -> None:
    points: dict[int, dict[float, float | None]] = {hour: {hour: float(hour)} for hour in range(10)}
    points[4] = {366 * 24: 4.0}
    found = Observed.of(points)
    assert found.windows.filter(~pl.col("valid"))["inputs_from"].to_list() == [hours(2), hours(3), hours(4)]
    assert found.windows.filter(~pl.col("valid"))["reason"].unique().to_list() == ["input not yet known"]
    # Where all came a year later, in one delivery, nothing is refused.
    assert Observed.of({hour: {9000: float(hour)} for hour in range(10)}).windows["valid"].all()


def test_a_target_that_was_seen_and_withdrawn_and_given_again_refuses_inputs_known_since_it_was_seen() -> None:
    # Hour 2 came at 20:00. Hour 3 was 3 at 03:00, withdrawn at 10:00, given again at 21:00: still nobody could have
    # forecast it from hour 2. Without the withdrawal the window was refused all along.
    points: dict[int, dict[float, float | None]] = {hour: {hour: float(hour)} for hour in range(5)}
    points[2], points[4] = {20: 2.0}, {23: 4.0}
    again: list[dict[float, float | None]] = [{3: 3.0, 21: 3.0}, {3: 3.0, 10: None, 21: 3.0}]
    for points[3] in again:
        (window,) = Observed.of(points).windows.to_dicts()
        assert (window["valid"], window["reason"]) == (False, "input not yet known")
    # Where it was seen only after hour 2, the window is one.
    points[3] = {20: 3.0, 21: None, 22: 3.0}
    assert Observed.of(points).windows["valid"].all()


ARRIVALS = st.dictionaries(st.integers(0, 30).map(float), st.none() | st.integers(1, 99).map(float), max_size=4)


@settings(max_examples=50, deadline=None)
@given(st.lists(ARRIVALS, min_size=5, max_size=12))
def test_no_input_is_a_version_that_was_unknown_and_all_are_the_newest_known(
    chains: list[dict[float, float | None]],
) -> None:
    observed = Observed.of({hour: chain for hour, chain in enumerate(chains) if chain})
    assert observed.inputs() == observed.known()
    # A window is refused for its arrivals only where an X was there, since it was withdrawn, after a Y was first seen.
    there, seen = {}, {}
    for hour, chain in enumerate(chains):
        withdrawn = max((known for known, y in chain.items() if y is None), default=-1.0)
        there[hours(hour)] = min((known for known in chain if known > withdrawn), default=None)
        seen[hours(hour)] = min((known for known, y in chain.items() if y is not None), default=None)
    for row in observed.windows.iter_rows(named=True):
        points = [row["inputs_from"] + step * (hours(1) - hours(0)) for step in range(5)]
        if row["reason"] in (None, "input not yet known"):
            inputs = [x for x in map(there.get, points[:3]) if x is not None]
            targets = [y for y in map(seen.get, points[3:]) if y is not None]
            assert row["valid"] == (max(inputs) <= min(targets))


def test_a_planted_leak_is_noticed() -> None:
    # The table dates the newest version of hour 4 back to its first arrival: a later revision in the X of its time.
    points: dict[int, dict[float, float | None]] = {hour: {hour: float(hour)} for hour in range(10)}
    points[4] |= {40: 400.0}
    found = Observed.of(points)
    assert found.inputs() == found.known()
    inputs = found.tables[INPUTS]
    final = inputs.filter(pl.col("y") == 400).with_columns(available_at=pl.lit(hours(4)).cast(TIME))
    leaking = found._replace(tables={**found.tables, INPUTS: pl.concat([inputs.filter(pl.col("y") != 400), final])})
    assert leaking.inputs() != leaking.known()


def test_inputs_and_truths_are_apart() -> None:
    # A table of truths may say what it likes: no X is read from it. And no Y from the table of inputs.
    both = quiet()
    other = {
        INPUTS: both.stored(truths=revised(both.tables[TRUTHS], 20, 20)),
        TRUTHS: both.stored(inputs=revised(both.tables[INPUTS], 20, 20)),
    }
    windows = both.stored().table
    wanted, source = both.stored().source, other[INPUTS].source
    np.testing.assert_array_equal(source.inputs(windows, 4), wanted.inputs(windows, 4))
    for what in ("given", "truth", "observed"):
        found = other[TRUTHS].source.targets(windows, 2, what)
        np.testing.assert_array_equal(found, wanted.targets(windows, 2, what))


def test_what_is_stored_are_the_columns_that_were_given_and_observed() -> None:
    # Hour 1 was observed as 90 at once and clipped to 9 by what was known at hour 5.
    rows = cleaned_of({"a": np.array([1.0, 90, 3])}, handled={"a": np.array([1.0, 9, 3])}, handled_known=5)
    plan = profile_of(["a"], borders=(3, 3, 3), sizes=(1, 1))
    tables = stored_rows(rows.with_columns(clean_inputs(rows, plan, "anomalies").get_columns()), NEVER_REVISED)
    assert {name: dict(table.schema) for name, table in tables.items()} == SCHEMAS
    assert tables[INPUTS].select("y", "available_at").rows() == [(1, hours(0)), (9, hours(5)), (3, hours(2))]
    assert tables[TRUTHS].select("y", "y_raw", "available_at").rows() == [
        (1, 1, hours(0)), (9, 90, hours(5)), (3, 3, hours(2)),
    ]  # fmt: skip
    with pytest.raises(InputError, match=r"^column 'y_raw' is missing"):
        stored_rows(rows.drop("y_raw"), NEVER_REVISED)


def test_a_truth_is_known_once_it_was_observed() -> None:
    # Hour 1 was replaced at once; what was observed there came at hour 9.
    rows = cleaned_of({"a": np.arange(3.0)}).with_columns(
        observed_available_at=pl.when(pl.col("ds") == hours(1)).then(pl.lit(hours(9)).cast(TIME)).otherwise("ds")
    )
    tables = stored_rows(rows, NEVER_REVISED)
    assert tables[INPUTS]["available_at"].to_list() == [hours(0), hours(1), hours(2)]
    assert tables[TRUTHS]["available_at"].to_list() == [hours(0), hours(9), hours(2)]


@pytest.mark.parametrize(
    ("table", "change", "holds"),
    [
        (INPUTS, pl.col("ds") != hours(20), 3),
        (TRUTHS, pl.col("ds") != hours(20), 1),
        (INPUTS, pl.col("unique_id") != "b", 0),
        (INPUTS, pl.lit(value=False), 0),
    ],
)
def test_a_table_that_lacks_points_is_an_error_and_no_shorter_window(table: str, change: pl.Expr, holds: int) -> None:
    both = quiet()
    shard = both.stored(**{table: both.tables[table].filter(change)})
    said = rf"^the table '{table}' of 'table/lake', version 3 holds {holds} of the \d points of series '[ab]' from 2024"
    with pytest.raises(SparkhuError, match=said):
        gram_shard(shard)


def test_a_point_that_became_known_later_than_the_index_says_is_lacking() -> None:
    both = quiet()
    moved = both.tables[INPUTS].with_columns(pl.col("available_at").dt.offset_by("1m"))
    with pytest.raises(SparkhuError, match=r"holds 3 of the 4 points of series 'a' .* known at 2024-01-01 03:00:00"):
        gram_shard(both.stored(inputs=moved))


def test_a_stored_null_in_a_window_that_is_used_is_lacking() -> None:
    both = quiet()
    for name in (INPUTS, TRUTHS):
        holed = both.tables[name].with_columns(y=pl.when(pl.col("ds") != hours(20)).then("y"))
        with pytest.raises(SparkhuError, match=rf"^the table '{name}' .* holds (3|1) of the (4|2) points"):
            gram_shard(both.stored(**{name: holed}))


def test_series_of_other_shards_are_left_out() -> None:
    both = quiet()
    one = MadeShard(*(frame.filter(unique_id="b") for frame in both.made))
    shard = assemble_stored(both.tables, *one[1:], place=PLACE)
    same_grams(assemble(*one), shard)
    assert shard.source.rows()["unique_id"].unique().to_list() == ["b"]


def test_an_empty_shard_has_no_windows() -> None:
    both = quiet()
    empty = assemble_stored(both.tables, *(frame.clear() for frame in both.made[1:]), place=PLACE)
    assert (gram_shard(empty), empty.groups()) == ({}, [])
    assert score_shard(empty, models={}).is_empty()
