"""Online rows as Feast itself serves them."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.items import ITEMS
from sparkhu_retention.storages.features import OnlineRows
from sparkhu_retention.storages.opening import open_retained
from tests.retention_service.storages.cases import OnlineCase

MARK = "run-1"


def listed(folder: Path) -> pl.DataFrame:
    return pl.concat([ITEMS.to_frame(), *open_retained(str(folder), "features").items()]).sort("id")


def test_days_of_views_are_told_with_their_rows(tmp_path: Path) -> None:
    case = OnlineCase(tmp_path)
    told = listed(tmp_path)
    assert told["id"].to_list() == sorted(case.ids)
    assert told["dataset"].to_list() == ["online/sparkhu_series_parts", *["online/sparkhu_series_state"] * 2]
    assert told["rows"].to_list() == [4, 4, 4]
    assert told.row(0, named=True)["end"] == datetime(2024, 1, 2, tzinfo=UTC)


def test_a_series_that_came_to_life_again_keeps_its_newer_row(tmp_path: Path) -> None:
    case = OnlineCase(tmp_path)
    item, storage = case.ids[1], OnlineRows(str(tmp_path))
    before = case.read(item)
    assert isinstance(before, list)
    storage.bury(dict(listed(tmp_path).filter(pl.col("id") == item).select("id", "content").iter_rows()), MARK)
    key = before[0][0]
    case.insert("sparkhu_series_state/2024-02-01", key, b"\x07")
    storage.unbury([item], MARK)
    assert case.read(item) == [row for row in before if row[0] != key]
    assert [row[2] for row in case.read("sparkhu_series_state/2024-02-01")] == [b"\x07"] * 2  # type: ignore[attr-defined]
    assert list(storage.buried()) == []


def test_rows_that_other_series_got_on_a_day_keep_none_of_it_from_coming_back(tmp_path: Path) -> None:
    case = OnlineCase(tmp_path)
    item, storage = case.ids[1], OnlineRows(str(tmp_path))
    before = case.read(item)
    assert isinstance(before, list)
    storage.bury(dict(listed(tmp_path).filter(pl.col("id") == item).select("id", "content").iter_rows()), MARK)
    case.insert(item, b"new", b"\x03")
    storage.unbury([item], MARK)
    back = case.read(item)
    assert isinstance(back, list)
    assert [row for row in back if row[0] != b"new"] == before
    assert len(back) == len(before) + 2


def test_an_archive_may_be_put_back_again_when_series_have_newer_rows_or_others_have_come(tmp_path: Path) -> None:
    case = OnlineCase(tmp_path)
    item, storage = case.ids[1], OnlineRows(str(tmp_path))
    before = case.read(item)
    assert isinstance(before, list)
    planned = dict(listed(tmp_path).filter(pl.col("id") == item).select("id", "content").iter_rows())
    archived = list(storage.export(planned, tmp_path / "scratch"))
    storage.bury(planned, MARK)
    storage.purge([item], MARK)
    key = before[0][0]
    case.insert("sparkhu_series_state/2024-02-01", key, b"\x07")
    case.insert(item, b"new", b"\x03")
    for _ in range(2):
        storage.put_back(archived, tmp_path / "scratch")
        back = case.read(item)
        assert isinstance(back, list)
        assert [row for row in back if row[0] != b"new"] == [row for row in before if row[0] != key]
    case.insert(item, before[-1][0], b"\x08")
    with pytest.raises(SparkhuError, match="is there again"):
        storage.put_back(archived, tmp_path / "scratch")


def test_what_is_no_online_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^uri must be the SQLite file of an online store"):
        OnlineRows(str(tmp_path))


@pytest.mark.slow
def test_feast_serves_no_buried_row_and_every_one_that_is_back(tmp_path: Path) -> None:
    from sparkhu_features.store import open_store, store_features
    from tests.feature_repo.made_lake import generation, made_lake

    lake = made_lake(str(tmp_path / "lake"), generation(1))
    store_features(lake.uri, state=tmp_path)

    def served() -> list[object]:
        store = open_store(lake.uri, state=tmp_path)
        names = [{"unique_id": name} for name in ("s0", "s1", "s2")]
        found = store.get_online_features(["series_state:last_value", "series_parts:y"], names)
        return sorted(found.to_dict().items())

    before = served()
    planned = dict(listed(tmp_path).select("id", "content").iter_rows())
    storage = OnlineRows(str(tmp_path))
    storage.bury(planned, MARK)
    assert dict(served())["last_value"] == [None] * 3
    assert listed(tmp_path).is_empty()
    storage.unbury(list(planned), MARK)
    assert served() == before
    assert dict(listed(tmp_path).select("id", "content").iter_rows()) == planned
