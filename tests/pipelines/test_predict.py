"""Tests of the predict pipeline: the champion of a real run forecasts data that came later."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.models.bundle import Bundle, read_bundle
from sparkhu.models.linear import Linear
from sparkhu.registry import load_champion
from tests.pipelines.conftest import HOURS, Finished, run, write_observations

pytestmark = pytest.mark.xdist_group("pipelines")


@pytest.fixture(scope="module")
def predicted(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("predict")
    write_observations(folder / "later.csv", hours=range(HOURS, HOURS + 200))
    with (folder / "later.csv").open("a") as file:
        file.writelines(f"newcomer,2024-02-{day:02d},1.0\n" for day in range(1, 20))
    arguments = {"source": str(folder / "later.csv"), "model_name": "plant"}
    return run(folder, finished.home, "predict", arguments)


def test_nothing_is_trained(predicted: Finished) -> None:
    assert sorted(predicted.finished_steps()) == [
        "drop_duplicates",
        "forecast_new",
        "ingest",
        "learn_new",
        "load_champion",
        "publish",
        "render_report",
        "sync_metadata",
        "validate",
    ]


def test_known_series_are_forecast_behind_their_newest_point_by_the_champion(predicted: Finished) -> None:
    forecasts = predicted.table("forecasts").filter(pl.col("unique_id").is_in(["boiler", "pump"]))

    assert set(forecasts["model"]) == {"linear"}
    assert set(forecasts.group_by("unique_id").len()["len"]) == {12}
    assert forecasts["ds"].min() > predicted.table("clean").filter(unique_id="boiler")["ds"].max()


def test_a_series_that_the_model_does_not_know_is_left_out_with_the_reason(predicted: Finished) -> None:
    entry = predicted.table("ledger").filter(unique_id="newcomer", step="forecast_new")

    assert entry["status"].to_list() == ["failed"]
    assert entry["reason"][0] == "model 'plant' does not know it; train with it first"
    assert predicted.table("forecasts").filter(unique_id="newcomer").is_empty()


def test_a_model_without_a_champion_is_named(finished: Finished, tmp_path: Path) -> None:
    write_observations(tmp_path / "later.csv", hours=range(50))

    with pytest.raises(InputError, match="'unheard-of'"):
        run(tmp_path, finished.home, "predict", {"source": str(tmp_path / "later.csv"), "model_name": "unheard-of"})


GROUP, REACH = "1h/24", 48 + 12
"""The regular series' group; points that a window spans."""


def champion_of(home: Path, folder: Path) -> tuple[Bundle, str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_HOME", str(home))
        bundle, version = load_champion("plant", folder)
    return bundle, version.version


def linear(bundle: Bundle) -> Linear:
    model = bundle.models["linear"][GROUP]
    assert isinstance(model, Linear)
    return model


def windows_in(bundle: Bundle) -> int:
    model = linear(bundle)
    assert model.sums is not None
    return round(model.sums[model.input_size, model.input_size])


@pytest.fixture(scope="module")
def learnt(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The champion learns from 100 hours more, given with those before them that a window reaches back to."""
    folder = tmp_path_factory.mktemp("learn")
    shutil.copytree(finished.home, folder / "home")
    write_observations(folder / "later.csv", hours=range(HOURS - REACH + 1, HOURS + 100))
    arguments = {"source": str(folder / "later.csv"), "model_name": "plant", "learn": True}
    return run(folder, folder / "home", "predict", arguments)


def test_a_champion_that_learns_takes_each_new_window_in_and_is_a_version_of_its_own(
    finished: Finished, learnt: Finished, tmp_path: Path
) -> None:
    before, old = champion_of(finished.home, tmp_path / "before")
    after, new = champion_of(learnt.home, tmp_path / "after")
    notes = next(
        event["record"]["notes"] for event in learnt.events if event.get("step") == "learn_new" and "record" in event
    )

    # Three regular series, a window for each new hour.
    assert windows_in(after) == windows_in(before) + 3 * 100
    assert f"{GROUP}: 300 new windows beside {windows_in(before):,}" in notes
    assert f"version {new} of 'plant' grew out of version {old}; champion from now on" in notes
    assert int(new) > int(old)
    np.testing.assert_array_equal(linear(after).evaluation_weights, linear(before).evaluation_weights)
    assert np.abs(linear(after).weights - linear(before).weights).max() > 1e-6
    # The forecasts are those of the version that learnt, and its lineage names both sources.
    forecasting = learnt.results.parents[1] / "learn-new" / "learnt"
    assert read_bundle(forecasting).sources == after.sources
    assert [str(source["uri"]).rpartition("/")[2] for source in after.sources] == ["observations.csv", "later.csv"]


def test_learning_from_the_same_observations_again_changes_nothing(learnt: Finished, tmp_path: Path) -> None:
    shutil.copytree(learnt.home, tmp_path / "home")
    _, before = champion_of(tmp_path / "home", tmp_path / "before")
    write_observations(tmp_path / "later.csv", hours=range(HOURS - REACH + 1, HOURS + 100))
    arguments = {"source": str(tmp_path / "later.csv"), "model_name": "plant", "learn": True}
    again = run(tmp_path, tmp_path / "home", "predict", arguments)

    assert champion_of(tmp_path / "home", tmp_path / "after")[1] == before
    notes = next(
        event["record"]["notes"] for event in again.events if event.get("step") == "learn_new" and "record" in event
    )
    assert "the champion, linear, has learnt nothing and stays as it is" in notes
