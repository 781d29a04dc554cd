"""The guard over shards on disk: what it writes, what it says, and that sharding and later rows change nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.evaluation.mixture import fit_mixture
from sparkhu.evaluation.variants import fit_variants
from sparkhu.execution import recorded
from sparkhu.lineage import StepRecord, read_trail
from sparkhu.sections import Guard
from sparkhu.shards import Kind, open_dataset, read_shard, write_manifest, write_shard
from sparkhu.stages import cleaning
from sparkhu.stages.cleaning import keep_cleaning
from sparkhu.steps.cleaning import INPUT_SCHEMA
from sparkhu.steps.confirming import CLEANING_SCHEMA
from tests.sparkhu.made_shard import Floats, cleaned_of, hours, profile_of

HOURS, BORDERS = 400, (280, 340, 400)
SPIKES = np.array([40, 75, 110, 145, 180, 215, 250])
DAILY = np.arange(HOURS) % 24 == 8


def seasonal(seed: int) -> Floats:
    noise = np.random.default_rng(seed).normal(0, 0.3, HOURS)
    return 10 + 3 * np.sin(2 * np.pi * np.arange(HOURS) / 24) + noise


def spiked(values: Floats, at: np.ndarray = SPIKES, by: float = 40.0) -> Floats:
    spiky = values.copy()
    spiky[at] += by
    return spiky


def rows_of(name: str) -> pl.DataFrame:
    """Series by name: `outliers` and `anomalies` are worth cleaning, `bursts`, of another group, and `leaned` are not,
    and `leaning` gains only where `leaned` is cleaned."""
    clean = seasonal(len(name))
    if name == "outliers":
        return cleaned_of({name: spiked(clean)}, {name: clean})
    if name == "anomalies":
        return cleaned_of({name: spiked(clean)}, None, {name: clean}, handled_known=BORDERS[0] - 1)
    if name == "leaning":
        return cleaned_of({name: spiked(clean, np.array([100]), 1.5)}, {name: clean})
    if name in {"bursts", "leaned"}:
        return cleaned_of({name: spiked(clean, np.flatnonzero(DAILY), 20.0)}, {name: clean})
    return cleaned_of({name: clean})


ALL = ("anomalies", "bursts", "clean", "outliers")


def dataset(folder: Path, kind: Kind, frames: Sequence[pl.DataFrame], failed: Sequence[str] = ()) -> Path:
    with recorded(folder.name, inputs=[], outputs=[folder]) as (notes, (draft,)):
        write_manifest(draft, kind, [write_shard(draft, f"{at:04d}", frame) for at, frame in enumerate(frames)])
        ids = pl.concat(frames)["unique_id"].unique(maintain_order=True)
        lost = pl.select(pl.when(pl.Series(ids.is_in(list(failed)))).then(pl.lit("failed")).otherwise(pl.lit("ok")))
        notes.entries = ledger.entries(ids, status=lost.to_series(), reason="lost")
    return folder


class Run:
    """A run of the guard over shards with the series named."""

    def __init__(self, folder: Path, *shards: Sequence[str], failed: Sequence[str] = (), **how: Any):
        folder.mkdir(exist_ok=True)
        frames = [pl.concat([rows_of(name) for name in names]) for names in shards]
        tables = [profile_of(list(names), borders=BORDERS, season=24) for names in shards]
        other = pl.when(pl.col("unique_id") == "bursts").then(pl.lit(12)).otherwise("season_length").cast(pl.Int64)
        tables = [table.drop("group", "input_size", "horizon").with_columns(season_length=other) for table in tables]
        self.sequences = dataset(folder / "sequences", "rows", frames, failed)
        self.profile = dataset(folder / "profile", "series", tables)
        self.folder = folder
        self.run(**how)

    def run(self, *, horizon: int = 6, input_size: int = 24, **guard: Any) -> None:
        self.metadata = keep_cleaning(
            sequences=self.sequences,
            profile=self.profile,
            inputs=self.folder / "inputs",
            cleaning=self.folder / "cleaning",
            horizon=horizon,
            input_size=input_size,
            guard=Guard.of(guard),
        )

    @property
    def table(self) -> pl.DataFrame:
        return open_dataset(self.folder / "cleaning").scan().collect().sort("unique_id")

    @property
    def kept(self) -> dict[str, str]:
        return dict(self.table.select("unique_id", "kept").iter_rows())

    @property
    def given(self) -> pl.DataFrame:
        """What forecasters are given, set beside the rows."""
        both = [open_dataset(self.sequences), open_dataset(self.folder / "inputs")]
        return pl.concat([read_shard(both, shard.name) for shard in both[0].shards]).sort("unique_id", "ds")

    @property
    def record(self) -> StepRecord:
        return read_trail([self.folder / "inputs"]).history[-1]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("whole"), ALL)


def test_cleaning_is_kept_for_the_series_that_it_helps(whole: Run) -> None:
    assert whole.kept == {"anomalies": "anomalies", "bursts": "none", "clean": "none", "outliers": "outliers"}
    assert dict(whole.table.schema) == CLEANING_SCHEMA
    reasons = dict(whole.table.select("unique_id", "reason").iter_rows())
    assert reasons["clean"] == "nothing to clean"
    assert reasons["bursts"].startswith("no step lowers the error on ")
    assert reasons["outliers"].startswith("the error on 25 windows falls by ")


def test_forecasters_are_given_what_was_kept(whole: Run) -> None:
    assert open_dataset(whole.folder / "inputs").kind == "columns"
    layer = open_dataset(whole.folder / "inputs").scan().collect()
    assert dict(layer.schema) == INPUT_SCHEMA
    parts = {str(name): part for (name,), part in whole.given.partition_by("unique_id", as_dict=True).items()}
    assert np.array_equal(parts["outliers"]["y"].to_numpy(), seasonal(len("outliers")))
    assert np.array_equal(parts["anomalies"]["y"].to_numpy(), seasonal(len("anomalies")))
    assert parts["anomalies"].drop_nulls("anomaly_strategy").height == len(SPIKES)
    for name in ("bursts", "clean"):
        assert parts[name]["y"].equals(parts[name]["y_raw"])
        assert parts[name]["available_at"].equals(parts[name]["ds"])
        assert parts[name]["fill_strategy"].null_count() == HOURS


def test_the_record_says_aloud_what_was_kept(whole: Run) -> None:
    told = "outlier cleaning kept for 1 of 2 series that it changes; anomaly handling kept for 1 of 1 series"
    assert [note for note in whole.record.notes if note.startswith(told)]
    assert whole.record.params == {
        "horizon": 6, "input_size": 24, "stride": 1, "zone": "UTC", "mode": "measured", "min_gain": 0.01,
    }  # fmt: skip
    assert (whole.record.rows_in, whole.record.rows_out, whole.record.series_in) == (4 * HOURS, 4 * HOURS, 4)
    counts = {"series with outliers": 2, "outlier cleaning kept": 1, "series with anomalies": 1}
    assert whole.metadata.items() >= {**counts, "anomaly handling kept": 1}.items()


def test_the_ledger_has_a_line_a_series_with_a_reason_where_there_was_a_choice(whole: Run) -> None:
    lines = read_trail([whole.folder / "inputs"]).entries.filter(pl.col("step") == "choose_cleaning")
    found = {row["unique_id"]: row for row in lines.iter_rows(named=True)}
    assert {row["status"] for row in found.values()} == {"ok"}
    assert found["clean"]["reason"] is None
    assert found["outliers"]["reason"].startswith("the error on 25 windows")
    assert json.loads(found["outliers"]["counts"]) == {"windows": 25}
    assert set(found) == set(ALL)


@pytest.mark.parametrize("shards", [[ALL[:1], ALL[1:2], ALL[2:3], ALL[3:]], [ALL[:3], ALL[3:]]])
def test_any_sharding_gives_the_same_to_the_bit(whole: Run, tmp_path: Path, shards: list[list[str]]) -> None:
    found = Run(tmp_path / "run", *shards)
    assert_frame_equal(found.table, whole.table, check_exact=True)
    assert_frame_equal(found.given, whole.given, check_exact=True)


def test_never_gives_exactly_what_was_observed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "fit_variants", None)  # nothing is fitted
    run = Run(tmp_path / "run", ALL, mode="never")
    assert set(run.kept.values()) == {"none"}
    assert run.given["y"].equals(run.given["y_raw"])
    assert run.given["available_at"].equals(run.given["ds"])
    assert run.given["fill_strategy"].null_count() == run.given["anomaly_strategy"].null_count() == 4 * HOURS
    assert set(run.table["reason"]) == {"not measured: the mode is never"}
    kept = "outlier cleaning kept for 0 of 2 series that it changes; anomaly handling kept for 0 of 1 series that it"
    assert run.record.notes == (f"{kept} changes (not measured: the mode is never)",)


def test_always_cleans_every_series(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "fit_variants", None)
    run = Run(tmp_path / "run", ALL, mode="always")
    assert set(run.kept.values()) == {"outliers+anomalies"}
    assert not run.given.filter(pl.col("y") > 30).height
    assert run.record.counts["outlier cleaning kept"] == 2


def test_where_there_is_nothing_to_clean_no_model_is_fitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cleaning, "fit_variants", None)
    run = Run(tmp_path / "run", ["clean"])
    assert run.table["reason"].to_list() == ["nothing to clean"]
    assert run.given["y"].equals(run.given["y_raw"])


def test_only_groups_with_something_to_choose_are_fitted(whole: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[set[str]] = []

    def fit(grams: Any, plan: pl.DataFrame) -> Any:
        shards = list(grams)
        fitted.extend(set(groups) for shard in shards for groups in shard.values() if groups)
        return fit_variants(shards, plan)

    monkeypatch.setattr(cleaning, "fit_variants", fit)
    Run(whole.folder / "some", ["bursts", "clean"])
    assert fitted == [{"1h/12"}] * 4


def test_a_choice_that_the_mixture_does_not_confirm_falls_back_and_it_is_said(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", ["leaned"], ["leaning", "clean"])
    assert set(run.kept.values()) == {"none"}
    row = run.table.row(by_predicate=pl.col("unique_id") == "leaning", named=True)
    assert row["error_outliers"] < 0.95 * row["error_raw"]
    assert row["reason"].startswith("not confirmed: with what was chosen for each series the error on 25 windows is ")
    # Measured once more, without it nothing is cleaned in the mixture.
    assert (row["error_kept"], row["gain"]) == (row["error_raw"], 0.0)
    assert run.record.notes[-1].startswith("cleaning that looked better was not confirmed for 1 series, ")
    assert run.metadata["cleaning not confirmed"] == 1
    assert run.given["y"].equals(run.given["y_raw"])


def test_the_gain_is_that_of_the_verified_error(whole: Run) -> None:
    for row in whole.table.iter_rows(named=True):
        if row["kept"] == "none":
            assert row["gain"] == (None if row["candidates"] == "none" else 0.0)
        else:
            assert row["gain"] == 1 - row["error_kept"] / row["error_raw"] > 0.01
    assert whole.table.filter(pl.col("error_kept").is_null())["unique_id"].to_list() == ["clean"]
    assert whole.metadata["cleaning not confirmed"] == 0


@pytest.mark.parametrize(("horizon", "kept"), [(34, "none"), (33, "outliers")])
def test_fewer_than_ten_windows_keep_nothing(tmp_path: Path, horizon: int, kept: str) -> None:
    # The validation part has 60 hours: 60 - 34 + 1 = 27 windows, a third of which chooses: 9.
    run = Run(tmp_path / "run", ["outliers"], horizon=horizon)
    assert run.kept == {"outliers": kept}
    assert run.table["reason"][0].startswith("only 9 windows of the validation part hold") == (horizon == 34)


def test_what_has_nothing_to_clean_costs_no_training_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained: list[tuple[set[str], list[int]]] = []

    def fit(alike: Any, shards: Any, models: Any, groups: set[str]) -> Any:
        grams = list(shards)
        trained.append((set(groups), [gram["1h/24"].train.windows for gram in grams if gram]))
        return fit_mixture(alike, grams, models, groups)

    monkeypatch.setattr(cleaning, "fit_mixture", fit)
    Run(tmp_path / "some", ["bursts", "clean", "outliers"])
    Run(tmp_path / "alone", ["outliers"])
    assert trained[0] == trained[1]
    assert trained[0][0] == {"1h/24"}
    Run(tmp_path / "nothing chosen", ["bursts", "clean"])
    assert trained[2:] == [(set(), [])]


@pytest.mark.parametrize(
    ("min_gain", "reason"),
    [(0.02, "the error on 25 windows falls by "), (0.07, "not confirmed: "), (0.15, "no step lowers the error on 25 ")],
)
def test_a_least_gain_is_asked_for_twice(tmp_path: Path, min_gain: float, reason: str) -> None:
    # The error falls by 9.9 % where the whole group is cleaned, by 4.8 % in the mixture.
    run = Run(tmp_path / "run", ["leaned", "leaning"], ["outliers", "clean"], min_gain=min_gain)
    row = run.table.row(by_predicate=pl.col("unique_id") == "outliers", named=True)
    assert row["reason"].startswith(reason)
    assert run.kept["outliers"] == ("outliers" if min_gain == 0.02 else "none")


def test_a_series_that_failed_before_is_left_out_and_the_layer_still_fits(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", ["clean", "outliers"], failed=["clean"])
    assert run.kept == {"outliers": "outliers"}
    lost = run.given.filter(pl.col("unique_id") == "clean")
    assert lost["y"].null_count() == lost.height == HOURS


def test_a_horizon_longer_than_every_series_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="horizon 4000 is longer than every series"):
        Run(tmp_path / "run", ["outliers"], horizon=4000)


def test_without_a_training_window_seasonal_naive_measures_and_it_is_said(tmp_path: Path) -> None:
    run = Run(tmp_path / "run", ["outliers"], horizon=12, input_size=270)
    note = "1h/24: no linear model without cleaning, so seasonal naive measures what cleaning brings"
    assert run.record.notes[0] == note
    assert run.table["reason"][0].endswith("measured with seasonal naive, as its group has no linear model")


@pytest.mark.parametrize("hour", [310, 340])
def test_nothing_behind_the_choosing_half_changes_what_is_kept(whole: Run, tmp_path: Path, hour: int) -> None:
    run = Run(tmp_path / "run", ALL, mode="never")
    for file in open_dataset(run.sequences).files():
        later = pl.col("ds") >= hours(hour)
        moved = [pl.when(later).then(pl.col(name) * -3).otherwise(name) for name in ("y", "y_raw", "handled")]
        pl.read_parquet(file).with_columns(moved).write_parquet(file)
    run.run()
    assert_frame_equal(run.table, whole.table)
