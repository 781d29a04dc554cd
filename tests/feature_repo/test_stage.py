"""The task of a run that brings the feature store up to date."""

import json
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.execution import recorded
from sparkhu.frame import TIME
from sparkhu.lake import Append, create_lake, open_lake
from sparkhu.lineage import read_trail
from sparkhu.snapshots import SNAPSHOT_SCHEMA
from sparkhu.stages.snapshotting import snapshot_tables
from sparkhu.summaries import HISTORY_SCHEMA
from sparkhu_components.store_features import store_features as component
from sparkhu_features.stage import update_features
from sparkhu_features.state import OWNER
from sparkhu_features.store import features_at, open_store
from tests.feature_repo.made_lake import generation, made_lake, moments_of
from tests.sparkhu.made_shard import hours
from tests.sparkhu.test_snapshots import clean_rows, made


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """The results of a run over two series; the last value, of hour 2, was known at 05:00."""
    folder = tmp_path / "results"
    clean = clean_rows({"a": [1, 3, 5], "b": [2, 4, None]}, late={2: 5})
    with recorded("publish", inputs=[], outputs=[folder]) as (_, (draft,)):
        clean.write_parquet(draft / "clean.parquet")
        for name, table in made(clean).items():
            table.write_parquet(draft / f"{name}.parquet")
    return folder


def test_the_tables_of_a_run_hold_one_row_a_series_of_one_moment(results: Path) -> None:
    tables = snapshot_tables(results)
    assert {name: table.height for name, table in tables.items()} == {"snapshots": 2, "parts": 2}
    assert tables["snapshots"].schema == pl.Schema(SNAPSHOT_SCHEMA)
    assert tables["snapshots"]["last_value"].to_list() == [5, 4]
    assert tables["parts"]["ds"].to_list() == [hours(2), hours(2)]
    assert {moment for table in tables.values() for moment in table["available_at"]} == {hours(5)}
    assert snapshot_tables(results, moment=hours(6))["parts"]["available_at"].unique().to_list() == [hours(6)]


def test_where_a_lake_was_read_statistics_are_those_of_its_history(results: Path) -> None:
    pl.DataFrame(schema=HISTORY_SCHEMA).write_parquet(results / "history.parquet")
    assert snapshot_tables(results)["snapshots"]["n"].to_list() == [3, 2], "of a source nothing else is known"
    told = {"unique_id": "a", "n": 70, "last_ds": hours(1), "last_value": 3.0, "last_values": [1.0, 3.0]}
    history = pl.DataFrame([told], schema=HISTORY_SCHEMA).with_columns(known_until=pl.lit(hours(1)).cast(TIME))
    history.write_parquet(results / "history.parquet")
    (row,) = snapshot_tables(results, moment=hours(4))["snapshots"].to_dicts()
    assert (row["unique_id"], row["n"], row["last_ds"], row["available_at"]) == ("a", 70, hours(1), hours(4))


def test_a_lake_whose_snapshots_are_empty_brings_nothing_online(results: Path, tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    early = {name: Append(rows) for name, rows in snapshot_tables(results, moment=hours(-1)).items()}
    lake.commit(early, run="run", based_on=lake.version())
    assert lake.version().tables["snapshots"].rows == 0
    update_features(results=results, lake=lake.uri, out=tmp_path / "features")
    told = json.loads((tmp_path / "features" / "features.json").read_text())["online"]
    assert sum(told.values()) == 0


@pytest.mark.parametrize("name", ["clean", "scalers", "seasons"])
def test_results_that_lack_a_table_are_refused(results: Path, name: str) -> None:
    (results / f"{name}.parquet").unlink()
    with pytest.raises(InputError, match=f"has no {name}.parquet. Give the results folder"):
        snapshot_tables(results)


def test_a_run_over_a_source_puts_its_snapshots_into_a_lake_of_its_own(results: Path, tmp_path: Path) -> None:
    told = update_features(results=results, lake="", out=tmp_path / "features")
    assert told["series_state"] == 2
    content = json.loads((tmp_path / "features" / "features.json").read_text())
    assert content["lake"] == "lake"
    assert content["version"] == 1
    assert content["online"] == {"series_state": 2, "series_statistics": 2, "series_scaler": 2, "series_parts": 2}
    lake = str(tmp_path / "features" / "lake")
    asked = moments_of(("a", 5), ("a", 4.9), ("b", 6))
    assert features_at(lake, asked, ["series_state:last_value"])["last_value"].to_list() == [5, None, 4]
    row = open_store(lake).get_online_features(["series_statistics:mean"], [{"unique_id": "a"}]).to_dict()
    assert row["mean"] == [3]
    assert [record.step for record in read_trail([tmp_path / "features"]).history] == ["publish", "store_features"]


def test_a_run_over_a_lake_brings_what_it_published_online(results: Path, tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    published = tmp_path / "published"
    with recorded("publish_interval", inputs=[results], outputs=[published]) as (_, (draft,)):
        (draft / "published.json").write_text("{}")
    told = update_features(results=results, lake=lake.uri, out=tmp_path / "features", published=published)
    assert told["rows_in"] == 6
    assert told["rows_out"] == 4 * 3
    assert json.loads((tmp_path / "features" / "features.json").read_text())["version"] == 2
    assert open_lake(lake.uri).version().number == 2, "the lake is read, not written"
    steps = [record.step for record in read_trail([tmp_path / "features"]).history]
    assert steps == ["publish", "publish_interval", "store_features"]


def test_online_rows_of_a_lake_are_written_over_by_no_trial_and_no_other_lake(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    lake, other = (made_lake(str(tmp_path / name), generation(number)) for number, name in enumerate(("lake", "other")))

    def online(source: str, number: int) -> tuple[list[float | None], tuple[str, ...]]:
        out = tmp_path / f"features-{number}"
        update_features(results=results, lake=source, out=out)
        rows = [{"unique_id": name} for name in ("a", "s0")]
        found = open_store(lake.uri).get_online_features(["series_state:last_value"], rows).to_dict()
        return found["last_value"], read_trail([out]).history[-1].notes

    trial, _ = online("", 1)
    assert trial == [5, None]
    own, notes = online(lake.uri, 2)
    assert (own[0], notes) == (None, ()), "rows of trials give way to those of a lake"
    assert own[1] is not None
    state = tmp_path / "home" / "features"
    said = (
        f"the online rows below Sparkhu's home stay those of the lake '{lake.uri}'. For others set SPARKHU_HOME apart, "
        f"or give them up: remove '{state / OWNER}'."
    )
    assert online("", 3) == (own, (said,))
    assert online(other.uri, 4) == (own, (said,))
    assert online(lake.uri, 5) == (own, ())


def test_a_lake_without_snapshots_brings_nothing_online_and_says_so(results: Path, tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    update_features(results=results, lake=lake.uri, out=tmp_path / "features")
    assert json.loads((tmp_path / "features" / "features.json").read_text())["online"] == {}
    (note,) = read_trail([tmp_path / "features"]).history[-1].notes
    assert note == "no snapshot has been taken yet, so nothing is brought online"


def test_a_lake_that_is_not_there_fails_the_task_and_leaves_nothing(results: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no lake"):
        update_features(results=results, lake=str(tmp_path / "none"), out=tmp_path / "features")
    assert not (tmp_path / "features").exists()


def test_the_component_runs_the_task(results: Path, tmp_path: Path) -> None:
    from kfp.dsl import Dataset

    artifacts = {
        name: Dataset(name=name, uri=str(path))
        for name, path in {"results": results, "published": results, "features": tmp_path / "out"}.items()
    }
    component.python_func(**artifacts)
    assert artifacts["features"].metadata["series_parts"] == 2
    assert (tmp_path / "out" / "features.json").is_file()
