"""What a run leaves in the lake that it read."""

import json
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Append, DataFile, Lake, Replace, Version, create_lake
from sparkhu.lake.tables import Table
from sparkhu.lineage import StepRecord, Trail
from sparkhu.stages.lake_publishing import parameters_of, publish_interval

START, HOUR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1)
HOURS, HORIZON = 96, 3


def hours(first: int, last: int, *, late: int = 0, name: str = "a") -> pl.DataFrame:
    ds = [START + hour * HOUR for hour in range(first, last)]
    known = [moment + late * HOUR for moment in ds]
    values = [float(hour) for hour in range(first, last)]
    columns = {"unique_id": [name] * len(ds), "ds": ds, "y": values, "available_at": known}
    return pl.DataFrame(columns, schema=SCHEMA)


def results(
    folder: Path,
    last: int,
    *,
    version: int = 1,
    width: float = 1.5,
    late: int = 0,
    first: int = 0,
    revised: dict[int, float] | None = None,
) -> Path:
    """Write the results of a run that read the hours from `first` until `last`; its forecasts begin there.

    The hours in `revised` have these values, known 100 hours after their own time.
    """
    folder.mkdir(parents=True)
    rows = hours(first, last, late=late)
    for hour, value in (revised or {}).items():
        moment = START + hour * HOUR
        new = {"y": pl.lit(value), "available_at": pl.lit(moment + 100 * HOUR).cast(TIME)}
        rows = rows.with_columns(pl.when(ds=moment).then(new[name]).otherwise(name).alias(name) for name in new)
    parts = {"y_raw": pl.col("y"), "trend": pl.col("y"), "seasonal": pl.lit(0.0), "resid": pl.lit(0.0)}
    flags = {"is_outlier": pl.lit(value=False), "is_anomaly": pl.lit(value=False)}
    clean = rows.with_columns(**parts, **flags, fill_strategy=pl.lit(None, pl.String))
    clean.write_parquet(folder / "clean.parquet")
    cutoff = START + (last - 1) * HOUR
    ahead = [cutoff + step * HOUR for step in range(1, HORIZON + 1)]
    made = {"unique_id": ["a"] * HORIZON, "cutoff": [cutoff] * HORIZON, "ds": ahead, "y_hat": [1.0] * HORIZON}
    pl.DataFrame(made, schema_overrides={"cutoff": TIME, "ds": TIME}).write_parquet(folder / "forecasts.parquet")
    one = pl.DataFrame({"unique_id": ["a"]})
    profile = {"decision": "regular", "period_label": "1h", "season_length": 24, "version": 1}
    described = {name: pl.lit(value) for name, value in profile.items()}
    border = pl.lit(START + (first + 0.7 * (last - first)) * HOUR).cast(TIME)
    one.with_columns(**described, train_end=border).write_parquet(folder / "profile.parquet")
    numbers = ("share_missing", "mean", "std", "min", "q1", "median", "q3", "max")
    one.with_columns(n=last, **dict.fromkeys(numbers, pl.lit(1.0))).write_parquet(folder / "stats.parquet")
    one.with_columns(trend_strength=0.5, seasonal_strength=0.5).write_parquet(folder / "seasons.parquet")
    scaled = {"scaler": pl.lit("standard"), "center": pl.lit(1.0), "scale": pl.lit(2.0), "version": pl.lit("v1")}
    one.with_columns(**scaled, available_at=pl.lit(START).cast(TIME)).write_parquet(folder / "scalers.parquet")
    source: dict[str, Any] = {"uri": "lake", "table": "observations", "version": version}
    source |= {"start": (START + first * HOUR).isoformat() if first else None, "end": None}
    read = StepRecord("ingest", "2024-01-01", 1.0, sources=(source,), params={"lake": "lake", "end": str(last)})
    cleaned = StepRecord("flag_outliers", "2024-01-02", 1.0, params={"width": width})
    Trail((read, cleaned)).write(folder)
    return folder


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = create_lake(str(tmp_path / "lake"))
    made.commit({"observations": Append(hours(0, HOURS))}, run="ingest", based_on=made.version())
    return made


def publish(lake: Lake, folder: Path, start: str, end: str) -> dict[str, Any]:
    out = folder.with_name(f"{folder.name}-published")
    publish_interval(results=folder, lake=lake.uri, out=out, start=start, end=end)
    content: dict[str, Any] = json.loads((out / "published.json").read_text())
    return content


def test_all_tables_of_the_interval_appear_in_one_version(lake: Lake, tmp_path: Path) -> None:
    told = publish(lake, results(tmp_path / "run", 48), "2024-01-02", "2024-01-03")
    version = lake.version()
    assert (told["version"], told["read_version"], version.number) == (2, 1, 2)
    assert {name: version.table(name).rows for name in version.tables} == {
        "observations": 96, "clean": 24, "forecasts": 3, "profiles": 1, "targets": 0, "snapshots": 1, "parts": 1,
    }  # fmt: skip
    clean = version.table("clean").read()
    assert (clean["ds"].min(), clean["ds"].max()) == (START + 24 * HOUR, START + 47 * HOUR)


def test_a_snapshot_stands_at_the_end_of_its_interval(lake: Lake, tmp_path: Path) -> None:
    publish(lake, results(tmp_path / "one", 48), "2024-01-02", "2024-01-03")
    publish(lake, results(tmp_path / "two", 72), "2024-01-03", "2024-01-04")
    snapshots = lake.version().table("snapshots").read()
    assert snapshots["available_at"].to_list() == [START + 48 * HOUR, START + 72 * HOUR]
    assert snapshots["last_value"].to_list() == [47.0, 71.0]
    assert snapshots["n"].to_list() == [48, 72]


def test_a_snapshot_of_an_interval_that_is_computed_anew_holds_what_was_known_then(lake: Lake, tmp_path: Path) -> None:
    publish(lake, results(tmp_path / "in-time", 48), "2024-01-02", "2024-01-03")
    lake.commit({"observations": Append(hours(40, 41, late=99))}, run="late", based_on=lake.version())
    assert lake.version().number == 3
    publish(lake, results(tmp_path / "again", 48, version=3, late=30), "2024-01-02", "2024-01-03")
    version = lake.version()
    assert version.table("clean").read()["available_at"].max() == START + (47 + 30) * HOUR
    # All rows came 30 hours late now: at hour 48 those up to hour 18 were known, and not the whole training part.
    (found,) = version.table("snapshots").read().to_dicts()
    assert (found["available_at"], found["last_value"]) == (START + 48 * HOUR, 18.0)
    assert (found["n"], found["decision"], found["center"]) == (None, None, None)
    assert version.table("parts").rows == 0


def test_where_nothing_was_known_in_time_the_tables_of_snapshots_are_empty(lake: Lake, tmp_path: Path) -> None:
    publish(lake, results(tmp_path / "run", 48, late=50), "2024-01-02", "2024-01-03")
    assert [lake.version().table(name).rows for name in ("clean", "snapshots", "parts")] == [24, 0, 0]


def test_the_truth_behind_a_forecast_is_published_when_all_of_it_is_there(lake: Lake, tmp_path: Path) -> None:
    # The first run forecasts hours 48, 49 and 50 from 47 on; the second has seen them.
    publish(lake, results(tmp_path / "one", 48), "2024-01-02", "2024-01-03")
    publish(lake, results(tmp_path / "two", 72), "2024-01-03", "2024-01-04")
    (truth,) = lake.version().table("targets").read().rows(named=True)
    assert (truth["cutoff"], truth["ds"]) == (START + 47 * HOUR, START + 50 * HOUR)
    assert truth["truth"] == [48.0, 49.0, 50.0]


def targets(lake: Lake) -> pl.DataFrame:
    return lake.version().table("targets").read()


def test_targets_are_the_same_in_whatever_order_intervals_are_published(tmp_path: Path) -> None:
    # Days 2, 3 and 4, of which each forecasts the first three hours of the next, in all orders; and, with a horizon
    # that is longer than a day, forecasts that reach over a day to the one behind it.
    found = []
    for number, order in enumerate(permutations((2, 3, 4))):
        place = create_lake(str(tmp_path / f"lake-{number}"))
        place.commit({"observations": Append(hours(0, HOURS))}, run="ingest", based_on=place.version())
        for day in order:
            folder = results(tmp_path / f"{number}-{day}", day * 24)
            ahead = pl.read_parquet(folder / "forecasts.parquet")
            longer = (
                ahead.select("unique_id", "cutoff", "y_hat")
                .head(1)
                .join(pl.DataFrame({"step": range(1, 31)}), how="cross")
            )
            longer = longer.with_columns(unique_id=pl.lit("b"), ds=pl.col("cutoff") + pl.col("step") * pl.lit(HOUR))
            pl.concat([ahead, longer.select(ahead.columns)]).write_parquet(folder / "forecasts.parquet")
            clean = pl.read_parquet(folder / "clean.parquet")
            pl.concat([clean, clean.with_columns(unique_id=pl.lit("b"))]).write_parquet(folder / "clean.parquet")
            publish(place, folder, f"2024-01-0{day}", f"2024-01-0{day + 1}")
        found.append(targets(place))
    assert found[0].select("unique_id", "cutoff").rows() == [
        ("a", START + 47 * HOUR),
        ("a", START + 71 * HOUR),
        ("b", START + 47 * HOUR),
    ]
    assert found[0]["truth"].to_list()[2] == [float(hour) for hour in range(48, 78)]
    for other in found[1:]:
        assert_frame_equal(other, found[0])


def with_horizon(folder: Path, horizon: int) -> Path:
    """Let the forecasts of results reach further."""
    one = pl.read_parquet(folder / "forecasts.parquet").head(1)
    steps = one.drop("ds").join(pl.DataFrame({"step": range(1, horizon + 1)}), how="cross")
    ahead = steps.with_columns(ds=pl.col("cutoff") + pl.col("step") * pl.lit(HOUR)).select(one.columns)
    ahead.write_parquet(folder / "forecasts.parquet")
    return folder


def test_targets_are_the_same_where_a_run_looks_back_less_than_forecasts_reach(tmp_path: Path) -> None:
    # Days 2, 3 and 4; the forecasts reach 36 hours ahead, and each run looks back 24 hours on the day before its own.
    found = []
    for number, order in enumerate(permutations((2, 3, 4))):
        place = create_lake(str(tmp_path / f"lake-{number}"))
        place.commit({"observations": Append(hours(0, HOURS))}, run="ingest", based_on=place.version())
        for day in order:
            folder = results(tmp_path / f"{number}-{day}", day * 24, first=max(0, day * 24 - 48))
            publish(place, with_horizon(folder, 36), f"2024-01-0{day}", f"2024-01-0{day + 1}")
        found.append(targets(place))
    assert found[0]["cutoff"].to_list() == [START + 47 * HOUR]
    assert found[0]["truth"].to_list() == [[float(hour) for hour in range(48, 84)]]
    for other in found[1:]:
        assert_frame_equal(other, found[0])


def test_only_forecasts_that_reach_into_the_interval_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = create_lake(str(tmp_path / "lake"))
    place.commit({"observations": Append(hours(0, 240))}, run="ingest", based_on=place.version())
    for day in range(2, 9):
        publish(place, results(tmp_path / f"{day}", day * 24), f"2024-01-0{day}", f"2024-01-0{day + 1}")
    read: list[str] = []
    read_file = Table.read_file

    def counted(self: Table, file: DataFile) -> pl.DataFrame:
        read.append(file.partition)
        return read_file(self, file)

    monkeypatch.setattr(Table, "read_file", counted)
    publish(place, results(tmp_path / "last", 9 * 24), "2024-01-09", "2024-01-10")
    assert read == ["2024-01-08"]
    assert targets(place).height == 7


def test_a_truth_that_is_not_all_published_is_no_target(lake: Lake, tmp_path: Path) -> None:
    # Of the hours 48 to 50 behind the forecast, a run publishes those up to 49 and another those from 50 on.
    publish(lake, results(tmp_path / "one", 48), "2024-01-02", "2024-01-03")
    publish(lake, results(tmp_path / "three", 72), "2024-01-03T02:00", "2024-01-04")
    assert targets(lake).is_empty()
    publish(lake, results(tmp_path / "two", 50), "2024-01-03", "2024-01-03T02:00")
    assert targets(lake)["truth"].to_list() == [[48.0, 49.0, 50.0], [50.0, 51.0, 52.0]]


def test_the_truth_is_as_long_as_the_newest_forecast_of_its_cutoff(lake: Lake, tmp_path: Path) -> None:
    publish(lake, results(tmp_path / "one", 48), "2024-01-02", "2024-01-03")
    publish(lake, results(tmp_path / "two", 72), "2024-01-03", "2024-01-04")
    shorter = results(tmp_path / "shorter", 48, width=3.0)
    pl.read_parquet(shorter / "forecasts.parquet").head(2).write_parquet(shorter / "forecasts.parquet")
    publish(lake, shorter, "2024-01-02", "2024-01-03")
    assert targets(lake)["truth"].to_list()[0] == [48.0, 49.0]


def test_a_revised_truth_is_a_newer_row_and_the_same_again_none(lake: Lake, tmp_path: Path) -> None:
    publish(lake, results(tmp_path / "one", 48), "2024-01-02", "2024-01-03")
    publish(lake, results(tmp_path / "two", 72), "2024-01-03", "2024-01-04")
    lake.commit({"observations": Append(hours(49, 50, late=100))}, run="late", based_on=lake.version())
    for again in ("revised", "same", "other"):
        width = 3.0 if again == "other" else 1.5
        folder = results(tmp_path / again, 72, version=4, revised={49: 7.0}, width=width)
        publish(lake, folder, "2024-01-03", "2024-01-04")
    assert lake.version().number == 6
    found = targets(lake)
    assert found["truth"].to_list() == [[48.0, 49.0, 50.0], [48.0, 7.0, 50.0]]
    assert found["available_at"].to_list() == [START + 50 * HOUR, START + 149 * HOUR]
    # What was known before is not put back by a run that read it before: it is of older observations.
    publish(lake, results(tmp_path / "older", 72, width=9.0), "2024-01-03", "2024-01-04")
    assert_frame_equal(targets(lake), found)


def test_the_same_run_again_changes_nothing_and_other_parameters_do(lake: Lake, tmp_path: Path) -> None:
    first = publish(lake, results(tmp_path / "one", 48), "2024-01-02", "2024-01-03")
    again = publish(lake, results(tmp_path / "same", 48, version=2), "2024-01-02", "2024-01-03")
    assert again == first, "its own commit is no newer observation"
    history = json.loads((tmp_path / "same-published" / "history.json").read_text())
    assert f"holds the interval already, as '{first['run']}' published it" in history[-1]["notes"][-1]
    assert publish(lake, results(tmp_path / "other", 48, width=3.0), "2024-01-02", "2024-01-03")["version"] == 3


def test_what_was_published_tells_of_the_run_whose_rows_stand(lake: Lake, tmp_path: Path) -> None:
    lake.commit({"observations": Append(hours(40, 41, late=9))}, run="late", based_on=lake.version())
    newer = publish(lake, results(tmp_path / "newer", 48, version=2), "2024-01-02", "2024-01-03")
    older = publish(lake, results(tmp_path / "older", 48, version=1, width=3.0), "2024-01-02", "2024-01-03")
    assert {**older, "version": newer["version"]} == newer
    history = json.loads((tmp_path / "older-published" / "history.json").read_text())
    assert f"stays, as run '{newer['run']}' made it from version 2; this one read version 1" in str(history[-1])


def test_a_lake_that_recorded_its_newest_version_as_the_one_read_takes_other_parameters(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So did lakes of before: the observations were changed by version 1, and the interval says 2.
    lake.commit({"other": Append(hours(0, 1))}, run="other", based_on=lake.version())
    first, last = START + 24 * HOUR, START + 48 * HOUR
    old = pl.read_parquet(results(tmp_path / "old", 48) / "clean.parquet").filter(pl.col("ds") >= first)
    with monkeypatch.context() as patch:
        patch.setattr(Version, "last_change", lambda _, number: number)
        lake.commit({"clean": Replace(old, first, last, 2, "old")}, run="old", based_on=lake.version())
    assert lake.version().table("clean").intervals[0].read_version == 2
    told = publish(lake, results(tmp_path / "new", 48, version=3), "2024-01-02", "2024-01-03")
    assert (told["version"], told["read_version"]) == (4, 1)
    assert told["run"].startswith("run-")
    assert [each.run for each in lake.version().table("clean").intervals] == [told["run"]]


def test_an_interval_tells_what_was_read_for_it_and_a_commit_by_what(lake: Lake, tmp_path: Path) -> None:
    lake.commit({"other": Append(hours(0, 1))}, run="other", based_on=lake.version())
    told = publish(lake, results(tmp_path / "run", 48, version=2, first=10), "2024-01-02", "2024-01-03")
    version = lake.version()
    assert {(each.read_version, each.read_from, each.run) for each in version.table("clean").intervals} == {
        (1, START + 10 * HOUR, told["run"])
    }
    assert version.commit.sources[0]["start"] == "2024-01-01T10:00:00+00:00"
    assert version.commit.code == told["code"]
    said = json.loads((tmp_path / "run-published" / "history.json").read_text())[-1]["notes"][-1]
    assert said == (
        f"version 3 of '{lake.uri}', published by '{told['run']}': 24 rows of clean, 3 rows of forecasts, 1 rows of "
        "profiles, 1 rows of snapshots, 1 rows of parts"
    )


def test_without_limits_all_rows_are_the_interval(lake: Lake, tmp_path: Path) -> None:
    told = publish(lake, results(tmp_path / "run", 48), "", "")
    assert told["start"] == "2024-01-01T00:00:00+00:00"
    assert lake.version().table("clean").rows == 48
    assert lake.version().table("snapshots").rows == 1


def test_a_run_over_a_source_publishes_nothing(tmp_path: Path) -> None:
    publish_interval(results=results(tmp_path / "run", 48), lake="", out=tmp_path / "published")
    assert json.loads((tmp_path / "published" / "published.json").read_text())["version"] is None


def test_the_fingerprint_is_of_what_is_done_and_not_of_which_rows() -> None:
    def history(**params: Any) -> tuple[StepRecord, ...]:
        return (StepRecord("ingest", "2024-01-01", 1.0, params=params),)

    assert parameters_of(history(lake="a", start="x", zone="UTC")) == parameters_of(history(lake="b", zone="UTC"))
    assert parameters_of(history(lake="a", zone="UTC")) != parameters_of(history(lake="a", zone="Asia/Seoul"))


def test_a_run_over_groups_of_shards_does_to_rows_what_one_without_them_does() -> None:
    ingest = StepRecord("ingest", "2024-01-01", 1.0, params={"zone": "UTC"})
    groups = StepRecord("take_group", "2024-01-01", 1.0, params={"groups": 8})
    assert parameters_of((ingest, groups)) == parameters_of((ingest,))
