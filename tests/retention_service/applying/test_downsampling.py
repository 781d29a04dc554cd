"""Downsampling before rows go: what is kept is what resampling all of the rows at once gives."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import audit, downsampled, journal
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.action import ARCHIVE, DELETE
from sparkhu_retention.storages.protocol import Exported
from tests.retention_service.applying.test_failures import failures
from tests.retention_service.applying.world import GRACE, REMOVED, World, counted

POLICY = {"name": "old", "archive_after": "1 year", "downsample": {"to": "6h", "by": "mean"}}
START = datetime(2023, 1, 1, tzinfo=UTC)


def day_of_rows(world: World, day: int) -> pl.DataFrame:
    times = [START + timedelta(days=day, hours=hour) for hour in range(24)]
    kinds = {"ds": pl.Datetime("us", "UTC"), "y": pl.Float64()}
    frame = pl.DataFrame({"unique_id": ["a"] * 24, "ds": times, "y": [float(hour * day) for hour in range(24)]})
    name = world.write(f"day={times[0]:%Y-%m-%d}/rows.parquet")
    frame.cast(kinds).write_parquet(world.root / "live" / name)  # type: ignore[arg-type]
    return frame


def planned(world: World, action: str = ARCHIVE) -> str:
    return world.plan(*world.live(), action=action)


def test_rows_go_when_their_downsample_was_written(world: World) -> None:
    world.policy(POLICY)
    days = [day_of_rows(world, day) for day in (1, 2)]
    assert counted(world.apply(planned(world))) == {"archived": 2, "buried": 2}
    assert world.live() == {}
    (path,) = [path for path in world.archived() if path.startswith("downsampled/")]
    kept = pl.read_parquet(Path(world.archive.uri) / path)
    wanted = pl.concat(days).group_by_dynamic("ds", every="6h").agg(pl.col("y").mean(), pl.len().alias("count"))
    assert_frame_equal(kept.select("ds", "y", "count"), wanted, check_dtypes=False)


def test_what_changed_stays_and_the_rest_is_downsampled_and_goes(world: World) -> None:
    world.policy(POLICY)
    for day in (1, 2):
        day_of_rows(world, day)
    before = planned(world)
    day_of_rows(world, 2)
    assert counted(world.apply(before)) == {"changed": 1, "archived": 1, "buried": 1}
    assert len(world.live()) == 1
    assert counted(world.apply(planned(world))) == {"archived": 1, "buried": 1}


def test_rows_that_are_removed_without_an_archive_are_downsampled_as_well(world: World) -> None:
    world.policy({**REMOVED, "downsample": {"to": "1d", "by": "max"}})
    day_of_rows(world, 1)
    assert counted(world.apply(planned(world, DELETE))) == {"buried": 1}
    (path,) = world.archived()
    assert pl.read_parquet(Path(world.archive.uri) / path)["y"].to_list() == [23.0]


@pytest.mark.parametrize("data", [b"no table", b"PAR1"])
def test_what_has_no_rows_of_series_stays_and_the_rest_goes(world: World, data: bytes) -> None:
    world.policy(POLICY)
    day_of_rows(world, 1)
    names = [world.write(f"day=2023-01-0{day}/a.{kind}", data) for day, kind in ((3, "csv"), (4, "parquet"))]
    day_of_rows(world, 5)
    done = world.apply(planned(world))
    assert (counted(done), done.exit_code) == ({"failed": 2, "archived": 2, "buried": 2}, 1)
    assert set(world.live()) == set(names)
    assert "is no table and cannot be downsampled" in world.said(names[0])
    assert "has no rows that can be downsampled" in world.said(names[1])


def test_what_a_hold_keeps_is_not_downsampled(world: World) -> None:
    world.policy(POLICY)
    for day in (1, 2):
        day_of_rows(world, day)
    plan, (first, _) = planned(world), sorted(world.live())
    world.needs.append(Need("champion", world.storage.uri, ids=frozenset([first])))
    assert counted(world.apply(plan)) == {"held": 1, "archived": 1, "buried": 1}
    with world.database.reading() as connection:
        (number,) = downsampled.frame(connection, world.storage.uri)["entry"].to_list()
        (entry,) = [one for one in journal.history(connection) if one.entry == number]
    assert [entry.id] == sorted(world.buried())


def test_what_comes_to_be_needed_while_it_is_downsampled_stays(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.policy({**REMOVED, "downsample": {"to": "1d", "by": "max"}})
    day_of_rows(world, 1)
    plan, export = planned(world, DELETE), world.storage.export

    def promoted(contents: dict[str, str], folder: Path) -> Iterator[Exported]:
        world.needs.append(Need("champion", world.storage.uri))
        return export(contents, folder)

    monkeypatch.setattr(world.storage, "export", promoted)
    assert counted(world.apply(plan)) == {"held": 1}
    assert len(world.live()) == 1


def harm(world: World, path: str, how: str) -> None:
    file = Path(world.archive.uri) / path
    if how == "lost":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])


@pytest.mark.parametrize("how", ["lost", "damaged"])
@pytest.mark.parametrize("policy", [REMOVED, {"name": "old", "archive_after": "1 year"}], ids=["removed", "archived"])
def test_what_has_lost_its_downsample_since_is_not_purged(world: World, how: str, policy: dict[str, object]) -> None:
    world.policy({**policy, "downsample": {"to": "1d", "by": "max"}})
    day_of_rows(world, 1)
    action = DELETE if policy is REMOVED else ARCHIVE
    (item,) = world.live()
    world.apply(planned(world, action))
    (path,) = [path for path in world.archived() if path.startswith("downsampled/")]
    harm(world, path, how)
    world.now += GRACE
    alerts = failures("other")
    done = world.apply()
    assert (counted(done), done.exit_code, failures("other")) == ({"failed": 1}, 1, alerts + 1)
    assert world.buried() == {item}
    place = world.archive.files.place(path)
    assert place in world.said(item)
    assert f"the downsample of '{item}' to 1d by max. The live copy is kept in its tombstone" in world.said(item)

    restore(world.work(), [item], hold=False)
    assert counted(world.apply(planned(world, action)))["buried"] == 1
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 1}
    (last,) = {path for path in world.archived() if path.startswith("downsampled/")} - {path}
    assert pl.read_parquet(Path(world.archive.uri) / last)["y"].to_list() == [23.0]


def test_the_downsample_of_others_is_no_matter(world: World) -> None:
    world.policy({**REMOVED, "downsample": {"to": "1d", "by": "max"}})
    day_of_rows(world, 1)
    world.apply(planned(world, DELETE))
    (path,) = world.archived()
    day_of_rows(world, 2)
    world.apply(planned(world, DELETE))
    harm(world, path, "lost")
    world.now += GRACE
    assert counted(world.apply()) == {"failed": 1, "purged": 1}
    assert [item.partition("/")[0] for item in world.buried()] == ["day=2023-01-02"]


def test_the_audit_log_has_the_rows_the_bytes_and_the_checksum(world: World) -> None:
    world.policy({**REMOVED, "downsample": {"to": "6h", "by": "max"}})
    day_of_rows(world, 1)
    world.apply(planned(world, DELETE))
    (path,) = world.archived()
    data = (Path(world.archive.uri) / path).read_bytes()
    with world.database.reading() as connection:
        (told,) = [row["detail"] for row in audit.read(connection) if row["what"] == "downsampled"]
    sha256 = hashlib.sha256(data).hexdigest()
    assert told["files"] == [{"path": path, "rows": 4, "bytes": len(data), "sha256": sha256}]


@pytest.mark.parametrize("by", ["mean", "sum"])
def test_a_bucket_that_went_in_two_batches_is_read_together(world: World, by: str) -> None:
    world.policy({**POLICY, "downsample": {"to": "1w", "by": by}})
    days = [day_of_rows(world, day) for day in (1, 2, 3)]  # from a Monday
    first, *others = sorted(world.live())
    world.apply(world.plan(first))
    world.apply(world.plan(*others))
    paths = sorted(path for path in world.archived() if path.startswith("downsampled/"))
    rows = pl.concat(pl.read_parquet(Path(world.archive.uri) / path) for path in paths)
    assert (rows["count"].to_list(), rows["ds"].n_unique()) == ([24, 48], 1)
    weighted = (pl.col("y") * pl.col("values")).sum() / pl.col("values").sum()
    together = rows.select(weighted if by == "mean" else pl.col("y").sum()).item()
    whole = pl.concat(days)["y"]
    assert together == pytest.approx(whole.mean() if by == "mean" else whole.sum())
    assert rows["unmarked"].to_list() == [6 * 24, 5 * 24], "those of the other file, and of days that there are none of"
    assert rows["y_raw"].is_null().all() == (by == "sum")
