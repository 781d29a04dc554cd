"""Tests of the predict pipeline: the champion of a real run forecasts data that came later."""

from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
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
