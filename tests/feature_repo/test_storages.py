"""The feature store over S3, and over a lake that others publish to meanwhile."""

import tempfile
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
import s3fs

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Table, create_lake
from sparkhu_features.store import features_at, open_store, store_features
from tests.feature_repo.made_lake import add, generation, made_lake, moments_of, replace_generation
from tests.services import S3Endpoint, conditional_s3_endpoint
from tests.sparkhu.lake.conftest import s3_place

__all__ = ["conditional_s3_endpoint"]

BOTH = ["series_state:last_value", "series_parts:y"]


@pytest.fixture
def place(conditional_s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield from s3_place(conditional_s3_endpoint, monkeypatch)


def test_a_lake_on_s3_is_looked_up_and_brought_online_as_a_folder_is(place: str, tmp_path: Path) -> None:
    generations = generation(1), generation(2).drop("mean"), generation(3, series=1)
    asked = moments_of(("s0", 2.5), ("s1", 9), ("none", 9), ("s0", 0.5), ("s0", 3))
    names = [*BOTH, "series_state:last_values", "series_statistics:mean"]
    made_lake(place, *generations), made_lake(str(tmp_path / "lake"), *generations)
    found = features_at(place, asked, names)
    assert found.equals(features_at(str(tmp_path / "lake"), asked, names))
    assert found["last_value"].to_list() == [2, 2, None, None, 3]
    assert set(store_features(place).values()) == {3}
    answer = open_store(place).get_online_features(BOTH, [{"unique_id": "s0"}, {"unique_id": "s1"}]).to_dict()
    assert answer["last_value"] == answer["y"] == [3, 2]
    assert list(tmp_path.glob("sparkhu-features-*")) == [], "copies of objects go when they are no longer needed"


def test_a_wrong_sign_in_and_a_missing_bucket_are_told_and_the_online_rows_stay(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_lake(place, generation(1))
    store_features(place)
    with pytest.raises(InputError, match="no-such-bucket"):
        features_at("s3://no-such-bucket/lake", moments_of(("s0", 2)), BOTH)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret")
    s3fs.S3FileSystem.clear_instance_cache()
    for action in (lambda: features_at(place, moments_of(("s0", 2)), BOTH), lambda: store_features(place)):
        with pytest.raises(InputError) as caught:
            action()
        assert "not-the-secret" not in str(caught.value)
    answer = open_store(place).get_online_features(BOTH, [{"unique_id": "s0"}]).to_dict()
    assert answer["last_value"] == [1]


def test_an_endpoint_that_goes_away_is_told(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparkhu_features.sources import arrow_dataset

    made_lake(place, generation(1))

    def gone(table: Table, *limits: datetime | None) -> object:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        s3fs.S3FileSystem.clear_instance_cache()
        return arrow_dataset(table, *limits)

    monkeypatch.setattr("sparkhu_features.offline.arrow_dataset", gone)
    with pytest.raises(SparkhuError, match="EndpointConnectionError"):
        features_at(place, moments_of(("s0", 2)), BOTH[:1])


@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_an_object_that_is_gone_or_changed_is_named_and_no_copy_stays(place: str, harm: str, tmp_path: Path) -> None:
    lake = made_lake(place, generation(1), generation(2))
    uri = lake.version().table("snapshots").uris()[-1]
    if harm == "gone":
        s3fs.S3FileSystem().rm(uri)
    else:
        s3fs.S3FileSystem().pipe_file(uri, s3fs.S3FileSystem().cat_file(uri)[:-1] + b"!")
    with pytest.raises(SparkhuError, match=uri.rpartition("/")[2]):
        features_at(place, moments_of(("s0", 9)), BOTH)
    assert list(Path(tempfile.gettempdir()).glob("sparkhu-features-*")) == []


def test_readers_see_whole_versions_while_snapshots_are_published_anew(tmp_path: Path) -> None:
    # Every generation takes the place of the one before, of the same moment, in both tables at once.
    lake = create_lake(str(tmp_path / "lake"))
    replace_generation(lake, 1)
    stop = threading.Event()

    def publish() -> None:
        number = 2
        while not stop.is_set():
            replace_generation(lake, number)
            number += 1

    publisher = threading.Thread(target=publish)
    publisher.start()
    seen = set()
    try:
        for _ in range(40):
            found = features_at(lake.uri, moments_of(("s0", 9), ("s1", 9), ("s2", 9)), BOTH)
            (number,) = pl.concat([found["last_value"], found["y"].alias("last_value")]).unique().to_list()
            seen.add(number)
    finally:
        stop.set()
        publisher.join()
    assert len(seen) > 2, "versions were seen to change"


def test_a_version_published_between_the_tables_of_a_look_up_is_not_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sparkhu_features.sources import arrow_dataset

    lake = create_lake(str(tmp_path / "lake"))
    replace_generation(lake, 1)

    def opened_and_overtaken(table: Table, *limits: datetime | None) -> object:
        replace_generation(lake, lake.version().number + 1)
        return arrow_dataset(table, *limits)

    monkeypatch.setattr("sparkhu_features.offline.arrow_dataset", opened_and_overtaken)
    found = features_at(lake.uri, moments_of(("s0", 9)), BOTH)
    assert found.select("last_value", "y").row(0) == (1, 1)
    assert set(store_features(lake.uri).values()) == {3}
    answer = open_store(lake.uri).get_online_features(BOTH, [{"unique_id": "s0"}]).to_dict()
    assert answer["last_value"] == answer["y"] == [3]


def test_a_snapshot_published_anew_for_the_same_moment_takes_the_olds_place_online(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    for number in (1, 2):
        replace_generation(lake, number)
        store_features(lake.uri)
        answer = open_store(lake.uri).get_online_features(BOTH, [{"unique_id": "s0"}]).to_dict()
        assert answer["last_value"] == answer["y"] == [number]


def test_tables_in_many_files_and_buckets_give_one_answer(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"), buckets=3)
    for hour in (1, 30, 60):
        add(lake, generation(hour))
    assert len(lake.version().table("snapshots").files()) > 6
    asked = moments_of(("s0", 29), ("s1", 30), ("s2", 90))
    assert features_at(lake.uri, asked, BOTH)["last_value"].to_list() == [1, 30, 60]
