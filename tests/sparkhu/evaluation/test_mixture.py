"""The mixture of what was chosen: what confirms a choice, what takes it back, and what it may not cost.

Hourly series of 400 points with a season of 24; the training part ends at hour 280, the choosing half of validation at
hour 310, validation at hour 340.
"""

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.evaluation.mixture import fit_mixture, measure_mixture, mixture_grams
from sparkhu.evaluation.variants import ALIKE, DIGITS, fit_variants, measure_variants, sum_grams, variant_grams
from sparkhu.models.naive import SeasonalNaive
from sparkhu.steps.cleaning import NONE, choose_variants, clean_inputs, find_candidates
from sparkhu.steps.confirming import conclude, fall_back
from sparkhu.training.gram import gram_shard
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import Floats, cleaned_of, hours, profile_of, shard_of
from tests.sparkhu.window_inputs import inputs as window_inputs

HOURS, TRAIN, CHOSEN, VALID = 400, 280, 310, 340
GROUP = "1h/24"
SPIKES = np.array([40, 75, 110, 145, 180, 215, 250])
DAILY = np.arange(HOURS) % 24 == 8


def seasonal(seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(0, 0.3, HOURS)
    return 10 + 3 * np.sin(2 * np.pi * np.arange(HOURS) / 24) + noise


def spiked(values: Floats, at: np.ndarray = SPIKES, by: float = 40.0) -> Floats:
    spiky = values.copy()
    spiky[at] += by
    return spiky


POLLUTED = cleaned_of({"a": spiked(seasonal(1))}, {"a": seasonal(1)})
BURSTS = cleaned_of({"b": spiked(seasonal(3), np.flatnonzero(DAILY), 20.0)}, {"b": seasonal(3)})
CLEAN = cleaned_of({"c": seasonal(5)})
LEANING = cleaned_of({"d": spiked(seasonal(7), np.array([100]), 1.5)}, {"d": seasonal(7)})
LATE = np.array([75, 145, 215, 275])
HANDLED = cleaned_of({"e": spiked(seasonal(9), LATE)}, None, {"e": seasonal(9)}, handled_known=TRAIN - 1)
EARLY = cleaned_of({"f": spiked(seasonal(1))}, None, {"f": seasonal(1)}, handled_known=TRAIN - 1)


class Guarded:
    """What the guard measures of shards; `kept` puts choices in the place of its own."""

    def __init__(
        self, *shards: pl.DataFrame, kept: dict[str, str] | None = None, borders: tuple[int, int] = (TRAIN, VALID)
    ):
        names = [rows["unique_id"].unique(maintain_order=True).to_list() for rows in shards]
        sizes = {"borders": (*borders, HOURS), "sizes": (24, 6), "season": 24, "group": GROUP}
        self.plan = profile_of([name for part in names for name in part], **sizes)  # type: ignore[arg-type]
        found = [find_candidates(rows, self.plan) for rows in shards]
        changed = [table.filter(pl.col("candidates") != NONE)["unique_id"] for table in found]
        grams = sum_grams(variant_grams(rows, self.plan, ids) for rows, ids in zip(shards, changed, strict=True))
        self.models = fit_variants([grams], self.plan)
        self.shards = [
            (rows, self.chosen(choose_variants(measure_variants(rows, self.plan, table, models=self.models)), kept))
            for rows, table in zip(shards, found, strict=True)
        ]
        self.groups = [GROUP] if any((chosen["kept"] != NONE).any() for _, chosen in self.shards) else []
        mixed = (mixture_grams(rows, self.plan, chosen) for rows, chosen in self.shards)
        self.mixture = fit_mixture(grams.get(ALIKE, {}), mixed, self.models, self.groups)

    def chosen(self, table: pl.DataFrame, kept: dict[str, str] | None) -> pl.DataFrame:
        own = pl.col("unique_id").replace_strict(kept or {}, default=pl.col("kept"), return_dtype=pl.String)
        return table.with_columns(kept=own)

    @property
    def table(self) -> pl.DataFrame:
        parts = [measure_mixture(rows, self.plan, chosen, mixture=self.mixture) for rows, chosen in self.shards]
        return pl.concat(parts)


def test_a_gain_that_came_from_the_cleaning_of_others_is_not_confirmed() -> None:
    # The outlier of d is a small one. It is forecast better where the bursts of b are cleaned, which spoil the model
    # that both share; but b is forecast better with its bursts, keeps them, and leaves d without a gain.
    guarded = Guarded(pl.concat([BURSTS, LEANING]))
    table = guarded.table
    assert dict(table.select("unique_id", "kept").iter_rows()) == {"b": "none", "d": "outliers"}
    leaning = table.row(1, named=True)
    assert leaning["error_outliers"] < 0.9 * leaning["error_raw"]
    assert leaning["error_kept"] > 0.99 * leaning["error_raw"]
    found = conclude(fall_back(table))
    assert found["kept"].to_list() == ["none", "none"]
    assert found["reason"][1].startswith("not confirmed: ")


def test_a_gain_of_its_own_is_confirmed() -> None:
    table = Guarded(pl.concat([POLLUTED, CLEAN])).table
    assert conclude(fall_back(table))["kept"].to_list() == ["outliers", "none"]
    assert table["error_kept"][0] < 0.9 * table["error_raw"][0]
    assert table["error_kept"][1] is None  # there was nothing to clean


@pytest.mark.parametrize("rows", [POLLUTED, pl.concat([POLLUTED, CLEAN]), EARLY])
def test_the_mixture_of_one_variant_has_the_error_of_that_variant_to_the_bit(rows: pl.DataFrame) -> None:
    found = Guarded(rows).table.row(0, named=True)
    assert found["kept"] in {"outliers", "anomalies"}
    assert found["error_kept"] == found[f"error_{found['kept']}"]


def test_the_error_is_that_of_one_model_on_all_series_as_chosen() -> None:
    # By hand: a is cleaned, b is not, c has nothing to clean, and e is handled in what is trained on but not in what
    # its windows are given (hour 275 is an input of the first of them). Truth is what was observed.
    guarded = Guarded(pl.concat([POLLUTED, BURSTS, CLEAN, HANDLED]), kept={"b": "none", "e": "anomalies"})
    rows, chosen = guarded.shards[0]
    mixed = rows.with_columns(clean_inputs(rows, guarded.plan, chosen).get_columns())
    shard = shard_of(mixed, guarded.plan)
    model = fit_groups(gram_shard(assemble(*shard)))[0][GROUP].for_evaluation()
    served = {"a": seasonal(1), "b": BURSTS["y_raw"].to_numpy(), "e": spiked(seasonal(9), LATE)}
    for name, values in served.items():
        scaler = shard.scalers.row(by_predicate=pl.col("unique_id") == name, named=True)
        found = guarded.table.row(by_predicate=pl.col("unique_id") == name, named=True)
        truth = rows.filter(pl.col("unique_id") == name)["y_raw"].to_numpy()
        # The refilled hour 296 of b is known an hour later: no input of a window that ends with it.
        ends = [end for end in range(TRAIN, CHOSEN - 5) if name != "b" or end != 297]
        inputs = np.array([(values[end - 24 : end] - scaler["center"]) / scaler["scale"] for end in ends])
        forecast = model.predict(window_inputs(inputs)) * scaler["scale"] + scaler["center"]
        error = np.abs(forecast - np.array([truth[end : end + 6] for end in ends])).mean() / truth[:TRAIN].std()
        assert found["windows"] == len(ends)
        assert found["error_kept"] == pytest.approx(error, rel=10.0 ** (1 - DIGITS))


def test_series_with_nothing_to_clean_are_not_summed_again() -> None:
    both, alone = Guarded(pl.concat([POLLUTED, CLEAN])), Guarded(POLLUTED)
    windows = [mixture_grams(*_first(guarded))[GROUP].train.windows for guarded in (both, alone)]
    assert windows[0] == windows[1] > 0
    assert mixture_grams(*_first(Guarded(CLEAN))) == {}


def _first(guarded: Guarded) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    return guarded.shards[0][0], guarded.plan, guarded.shards[0][1]


def test_a_group_in_which_nothing_was_chosen_keeps_the_model_without_cleaning() -> None:
    guarded = Guarded(BURSTS)
    assert guarded.groups == []
    assert guarded.mixture == guarded.models.by_variant[NONE]
    assert guarded.table["error_kept"].to_list() == guarded.table["error_raw"].to_list()


def test_seasonal_naive_stands_in_here_too() -> None:
    rows = cleaned_of({"a": spiked(seasonal(1), np.array([29]))}, {"a": seasonal(1)})
    guarded = Guarded(rows, borders=(29, 100))
    assert isinstance(guarded.mixture[GROUP], SeasonalNaive)
    assert guarded.table["error_kept"].to_list() == guarded.table["error_outliers"].to_list()


def test_a_mixture_without_a_window_to_train_on_confirms_nothing() -> None:
    # Each window of 24 hours holds a burst: handled, none is left to train on.
    flat = np.where(DAILY, seasonal(3), BURSTS["y_raw"].to_numpy())
    rows = cleaned_of({"b": BURSTS["y_raw"].to_numpy()}, None, {"b": flat}, handled_known=TRAIN - 1)
    guarded = Guarded(rows, kept={"b": "anomalies"})
    assert guarded.mixture == {}
    assert guarded.table["error_kept"].to_list() == [None]
    assert fall_back(guarded.table)["kept"].to_list() == ["none"]


def test_a_second_measurement_takes_the_place_of_the_first() -> None:
    guarded = Guarded(POLLUTED)
    again = measure_mixture(POLLUTED, guarded.plan, guarded.table, mixture=guarded.mixture)
    assert_frame_equal(again, guarded.table)


def test_any_sharding_gives_the_same_errors() -> None:
    parts = [POLLUTED, BURSTS, CLEAN, LEANING, HANDLED]
    whole = Guarded(pl.concat(parts)).table
    assert_frame_equal(Guarded(*parts).table, whole, check_exact=True)
    assert_frame_equal(Guarded(pl.concat(parts[:2]), pl.concat(parts[2:])).table, whole, check_exact=True)
    assert_frame_equal(Guarded(*parts, POLLUTED.clear()).table, whole, check_exact=True)


@pytest.mark.parametrize("hour", [CHOSEN, VALID])
def test_nothing_behind_the_choosing_half_moves_the_error(hour: int) -> None:
    rows = pl.concat([POLLUTED, BURSTS])
    later = pl.col("ds") >= hours(hour)
    moved = rows.with_columns(pl.when(later).then(pl.col(name) * -3).otherwise(name) for name in ("y", "y_raw"))
    assert_frame_equal(Guarded(moved).table, Guarded(rows).table)
