"""Point-in-time look-ups through Feast: what was known, nothing later, the same as the library's own answer."""

import random
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.frame import TIME
from sparkhu.lake import Append, open_lake
from sparkhu_features.store import features_at
from tests.feature_repo.made_lake import (
    add,
    generation,
    last_known,
    made_lake,
    moments_of,
    observations,
    snapshot_rows,
    snapshots_of,
    targets_rows,
)
from tests.sparkhu.made_shard import hours

INSTANT = timedelta(microseconds=1)
LAST = ["series_state:last_ds", "series_state:last_value"]


def moments(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Ask at every arrival, just before it, and at random moments, in a random order."""
    arrivals = rows.select("unique_id", at="available_at")
    before = arrivals.with_columns(pl.col("at") - INSTANT)
    chance = random.Random(seed)
    wild = moments_of(*((name, chance.uniform(-1, 30)) for name in rows["unique_id"]))
    return pl.concat([arrivals, before, wild]).sample(fraction=1, shuffle=True, seed=seed)


def assert_as_known(lake: str, rows: pl.DataFrame, asked: pl.DataFrame) -> None:
    """Check Feast's answers against the newest rows known, which the library finds without a store."""
    found = features_at(lake, asked, LAST)
    assert found.select("unique_id", "at").equals(asked)
    for (moment,), answers in found.partition_by("at", as_dict=True).items():
        known = last_known(rows, moment)
        expected = answers.select("unique_id").join(known, on="unique_id", how="left", maintain_order="left")
        assert answers.select("unique_id", ds="last_ds", y="last_value").equals(expected), f"as of {moment}"


@pytest.mark.parametrize("seed", range(3))
def test_a_look_up_gives_the_newest_value_that_was_known_for_any_order_of_arrival(seed: int, tmp_path: Path) -> None:
    rows = observations(seed, series=25)
    taken = snapshots_of(rows).sample(fraction=1, shuffle=True, seed=seed)
    lake = str(tmp_path / "lake")
    made_lake(lake, *(taken[first : first + 40] for first in range(0, taken.height, 40)))
    assert_as_known(lake, rows, moments(rows, seed))


def test_a_planted_leak_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkhu_features.definitions import snapshots

    rows = observations(1, series=25)
    lake = str(tmp_path / "lake")
    made_lake(lake, snapshots_of(rows))
    monkeypatch.setattr(snapshots, "timestamp_field", "last_ds")
    with pytest.raises(AssertionError, match="as of"):
        assert_as_known(lake, rows, moments(rows, 1))


def test_rows_keep_their_order_and_may_repeat_and_what_was_not_known_is_null(tmp_path: Path) -> None:
    # s0 has snapshots at 01:00 and 02:00. At 02:30 the second counts, at 02:00 it does already, at 00:59 none does.
    lake = str(tmp_path / "lake")
    made_lake(lake, generation(1), generation(2))
    asked = moments_of(("s0", 2.5), ("s1", 1), ("none", 9), ("s0", 59 / 60), ("s0", 2.5), ("s0", 2))
    found = features_at(lake, asked, [*LAST, "series_state:last_values", "series_scaler:scaler_version"])
    assert found["last_value"].to_list() == [2, 1, None, None, 2, 2]
    assert found["scaler_version"].to_list() == ["v2.0", "v1.0", None, None, "v2.0", "v2.0"]
    assert found["last_values"].to_list() == [[2, None], [1, None], None, None, [2, None], [2, None]]
    assert found.schema["last_ds"] == TIME
    assert features_at(lake, asked.clear(), LAST).is_empty()


def test_columns_of_the_rows_travel_along(tmp_path: Path) -> None:
    made_lake(str(tmp_path / "lake"), generation(1))
    asked = moments_of(("s0", 2)).with_columns(fold=pl.lit(3, pl.Int8))
    found = features_at(str(tmp_path / "lake"), asked, ["series_state:last_value"])
    assert found.columns == ["unique_id", "at", "fold", "last_value"]
    assert found.schema["fold"] == pl.Int8


def test_a_service_gives_all_that_a_model_may_see_and_no_target(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    found = features_at(lake.uri, moments_of(("s0", 2)), ["model_inputs"])
    assert {"last_value", "mean", "scaler_version", "trend", "is_outlier"} <= set(found.columns)
    assert "truth" not in found.columns


def test_targets_are_seen_only_once_they_were_known(tmp_path: Path) -> None:
    # Behind 01:00 the truth was known at 05:00, behind 02:00 at 06:00.
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    truths = targets_rows([("s0", hours(1), hours(5), [1.0, 2.0]), ("s0", hours(2), hours(6), [2.0, 3.0])])
    lake.commit({"targets": Append(truths)}, run="test", based_on=lake.version())
    asked = moments_of(("s0", 5), ("s0", 5), ("s0", 4.9), ("s0", 9)).with_columns(
        cutoff=pl.Series([hours(1), hours(2), hours(1), hours(2)], dtype=TIME)
    )
    found = features_at(lake.uri, asked, ["model_targets"])
    assert found["truth"].to_list() == [[1.0, 2.0], None, None, [2.0, 3.0]]


def test_an_older_version_of_the_lake_is_looked_up_as_it_was(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    asked = moments_of(("s0", 9))
    answers = [features_at(lake.uri, asked, LAST, version=number)["last_value"].item() for number in (1, 2)]
    assert answers == [1, 2]
    with pytest.raises(InputError, match="has versions 0 to 2, got 7"):
        features_at(lake.uri, asked, LAST, version=7)


def test_columns_that_came_later_are_null_in_older_files(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1).drop("mean"), generation(2))
    found = features_at(lake.uri, moments_of(("s0", 1), ("s0", 2)), ["series_statistics:mean"])
    assert found["mean"].to_list() == [None, 2]


def test_looking_up_leaves_no_state_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    made_lake(str(tmp_path / "lake"), generation(1))
    before = sorted(tmp_path.rglob("*"))
    features_at(str(tmp_path / "lake"), moments_of(("s0", 2)), LAST)
    assert sorted(tmp_path.rglob("*")) == before
    assert capfd.readouterr().out == ""


def test_without_the_table_a_look_up_fails_and_says_what_there_is(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"))
    lake.commit({"parts": Append(generation(1).rename({"last_ds": "ds"}))}, run="test", based_on=lake.version())
    with pytest.raises(InputError, match=r"version 1 of '.*' has no table 'snapshots'; it has parts"):
        features_at(lake.uri, moments_of(("s0", 2)), LAST)


@pytest.mark.parametrize("feature", ["series_state:nonsense", "nonsense:last_value", "nonsense"])
def test_an_unknown_feature_is_named(feature: str, tmp_path: Path) -> None:
    made_lake(str(tmp_path / "lake"), generation(1))
    with pytest.raises(InputError, match=r"there is no feature or service '.*nonsense.*'. There are model_inputs, "):
        features_at(str(tmp_path / "lake"), moments_of(("s0", 2)), [feature])


def test_rows_without_a_moment_or_with_one_of_another_type_are_refused(tmp_path: Path) -> None:
    made_lake(str(tmp_path / "lake"), generation(1))
    asked = moments_of(("s0", 2))
    with pytest.raises(InputError, match=r"rows need a column 'at' of type .*, got None"):
        features_at(str(tmp_path / "lake"), asked.drop("at"), LAST)
    with pytest.raises(InputError, match=r"got Datetime\(time_unit='ns'"):
        features_at(str(tmp_path / "lake"), asked.with_columns(pl.col("at").dt.cast_time_unit("ns")), LAST)


def test_a_place_without_a_lake_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no lake"):
        features_at(str(tmp_path / "nowhere"), moments_of(("s0", 2)), LAST)


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_a_file_that_is_missing_or_damaged_is_named(harm: str, tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    (*_, file) = map(Path, lake.version().table("snapshots").uris())
    if harm == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:50])
    with pytest.raises(SparkhuError, match=file.name):
        features_at(lake.uri, moments_of(("s0", 9)), LAST)
    assert features_at(lake.uri, moments_of(("s0", 9)), LAST, version=1)["last_value"].item() == 1


def test_revised_snapshots_of_one_moment_are_the_business_of_the_lake(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"))
    add(lake, snapshot_rows([("s0", hours(1), hours(0), 5.0)]))
    assert open_lake(lake.uri).version().number == 1
    assert features_at(lake.uri, moments_of(("s0", 1)), LAST)["last_value"].item() == 5
