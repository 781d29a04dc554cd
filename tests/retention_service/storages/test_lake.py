"""Files of a lake: versions of before, publishers at work, sweeps and killed runs."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Append, Lake, Replace, Version, create_lake, open_lake
from sparkhu.lake.folders import Folder
from sparkhu.lake.records import Manifest, read_manifest
from sparkhu.lake.retiring import Unbury
from sparkhu_retention.storages.lake import LakeFiles
from sparkhu_retention.storages.opening import open_retained
from sparkhu_retention.storages.protocol import Changed, Exported
from tests.sparkhu.lake.made_rows import DAY, HOUR, START, observed

MARK = "run-1"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Make a lake with two days of observations, and one published day of which there are two generations."""
    lake = create_lake(str(tmp_path / "lake"))
    lake.commit({"observations": Append(observed("ab", hours=48))}, run="first", based_on=lake.version())
    for generation in (1, 2):
        publish(lake, generation)
    return lake


def publish(lake: Lake, generation: int) -> Version:
    rows = observed("ab", hours=24, y=100 * generation)
    change = Replace(rows, START, START + DAY, 1, f"g{generation}")
    return lake.commit({"clean": change}, run=f"g{generation}", based_on=lake.version())


def listed(lake: Lake) -> pl.DataFrame:
    return pl.concat(open_retained(lake.uri).items())


def paths(lake: Lake, table: str, state: str = "current") -> list[str]:
    some = listed(lake).filter(pl.col("dataset") == table, pl.col("tags").list.contains(f"state={state}"))
    return some["id"].to_list()


def contents(lake: Lake, ids: list[str]) -> dict[str, str]:
    return dict(listed(lake).filter(pl.col("id").is_in(ids)).select("id", "content").iter_rows())


def bury(lake: Lake, ids: list[str]) -> None:
    LakeFiles(lake.uri).bury(contents(lake, ids), MARK)


def rows(lake: Lake, table: str, version: int | None = None) -> int:
    return open_lake(lake.uri).version(version).table(table).read().height


def test_items_cover_what_their_rows_do(lake: Lake) -> None:
    (first, _), (clean,) = sorted(paths(lake, "observations")), paths(lake, "clean")
    told = listed(lake).filter(pl.col("id").is_in([first, clean])).sort("dataset")
    assert told["start"].to_list() == [START] * 2
    assert told["end"].to_list() == [START + 23 * HOUR + timedelta(microseconds=1)] * 2
    assert told["rows"].to_list() == [48, 48]
    assert told["line"].to_list() == ["", ""]
    assert told["tags"].to_list() == [["partition=2024-01-01", "bucket=0", "state=current"]] * 2


def test_files_that_only_older_versions_have_are_items_of_one_line(lake: Lake) -> None:
    publish(lake, 3)
    old = listed(lake).filter(pl.col("tags").list.contains("state=superseded"))
    assert old["line"].to_list() == ["clean/2024-01-01/0"] * 2
    assert set(old["id"]).isdisjoint(paths(lake, "clean"))


def test_versions_of_before_read_what_is_buried_until_it_is_purged_and_then_say_so(lake: Lake) -> None:
    number, ids = lake.version().number, paths(lake, "observations")
    bury(lake, ids[:1])
    assert (rows(lake, "observations"), rows(lake, "observations", number)) == (48, 96)
    storage = LakeFiles(lake.uri, archive="s3://cold/archive")
    storage.purge(ids, MARK)
    assert rows(lake, "observations") == 48
    old = open_lake(lake.uri).version(number).table("observations")
    said = (
        rf"'{lake.uri}/{ids[0]}' of the table 'observations' was purged by retention on \d{{4}}-\d\d-\d\d \(run "
        rf"'{MARK}'\), after it was archived at 's3://cold/archive'. Restore it from the archive: sparkhu retention"
    )
    for reader in (old.read, old.scan, old.uris):
        with pytest.raises(SparkhuError, match=said):
            reader()
    assert old.read(START + DAY).height == 48, "what was not purged is read on"


def test_what_comes_back_from_the_archive_is_read_by_versions_of_before_as_well(lake: Lake, tmp_path: Path) -> None:
    number, ids, before = lake.version().number, paths(lake, "observations"), rows(lake, "observations")
    scratch = tmp_path / "scratch"
    storage = LakeFiles(lake.uri)
    archived = list(storage.export(contents(lake, ids), scratch))
    bury(lake, ids)
    with pytest.raises(SparkhuError, match=r"is buried\. Put it back from its tombstone"):
        storage.put_back(archived, scratch)
    storage.purge(ids, MARK)
    storage.put_back(archived, scratch)
    assert rows(lake, "observations") == rows(lake, "observations", number) == before
    assert open_lake(lake.uri).version(number).table("observations").scan().collect().height == before


def test_a_superseded_file_is_purged_and_put_back_for_the_versions_that_have_it(lake: Lake, tmp_path: Path) -> None:
    (old,), scratch = paths(lake, "clean", "superseded"), tmp_path / "scratch"
    storage = LakeFiles(lake.uri)
    archived = list(storage.export(contents(lake, [old]), scratch))
    bury(lake, [old])
    assert old not in set(listed(lake)["id"])
    storage.unbury([old], MARK)
    assert paths(lake, "clean", "superseded") == [old]
    bury(lake, [old])
    storage.purge([old], MARK)
    assert rows(lake, "clean") == 48
    with pytest.raises(SparkhuError, match="was purged by retention"):
        rows(lake, "clean", 2)
    storage.put_back(archived, scratch)
    assert (rows(lake, "clean"), rows(lake, "clean", 2)) == (48, 48)
    assert open_lake(lake.uri).version().table("clean").read()["y"].min() == 200.0


def test_a_file_that_was_purged_once_as_current_and_then_as_superseded_comes_back_as_the_latter(
    lake: Lake, tmp_path: Path
) -> None:
    (file,), scratch = paths(lake, "clean"), tmp_path / "scratch"
    storage = LakeFiles(lake.uri)
    archived = list(storage.export(contents(lake, [file]), scratch))
    for generation in (3, 4):
        bury(lake, [file])
        storage.purge([file], MARK)
        storage.put_back(archived, scratch)
        publish(lake, generation)
    assert paths(lake, "clean", "superseded").count(file) == 1
    assert open_lake(lake.uri).version().table("clean").read()["y"].min() == 400.0
    assert open_lake(lake.uri).version(3).table("clean").read()["y"].min() == 200.0


def test_a_file_that_was_superseded_since_the_plan_is_refused(lake: Lake) -> None:
    planned = contents(lake, paths(lake, "clean"))
    publish(lake, 3)
    with pytest.raises(Changed):
        LakeFiles(lake.uri).bury(planned, MARK)
    assert rows(lake, "clean") == 48


class Overtaken(Folder):
    """A folder in which others do something right before a publisher swaps."""

    def __init__(self, uri: str, others: Callable[[], object]) -> None:
        super().__init__(uri)
        self._others: Callable[[], object] | None = others

    def swap(self, path: str, tag: str | None, data: bytes) -> bool:
        others, self._others = self._others, None
        if others:
            others()
        return super().swap(path, tag, data)


@pytest.mark.parametrize("change", ["append", "replace beside", "replace over"])
def test_a_publisher_that_was_overtaken_does_not_bring_back_what_was_buried(lake: Lake, change: str) -> None:
    ids = [*paths(lake, "observations"), *paths(lake, "clean")]
    publisher = Lake(Overtaken(lake.uri, lambda: bury(lake, ids)), lake.layout)
    start = START + {"append": 5 * DAY, "replace beside": DAY, "replace over": 6 * HOUR}[change]
    new = observed("a", start, hours=3)
    table = "observations" if change == "append" else "clean"
    made = Append(new) if change == "append" else Replace(new, start, start + 3 * HOUR, 1, "new")
    publisher.commit({table: made}, run="overtaken", based_on=publisher.version())
    assert rows(lake, table) == 3
    assert not {file.path for name in ("observations", "clean") for file in lake.version().manifest(name).files} & set(
        ids
    )
    assert {each.id for each in LakeFiles(lake.uri).buried()} == set(ids)


def test_a_burial_that_was_overtaken_by_a_publisher_of_the_same_interval_is_refused(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = contents(lake, paths(lake, "clean"))
    storage = LakeFiles(lake.uri)
    storage._lake = Lake(Overtaken(lake.uri, lambda: publish(lake, 3)), lake.layout)
    with pytest.raises(Changed, match="is not what it was"):
        storage.bury(planned, MARK)
    assert open_lake(lake.uri).version().table("clean").read()["y"].min() == 300.0
    assert list(storage.buried()) == []


def test_what_others_publish_meanwhile_does_not_end_a_burial(lake: Lake) -> None:
    ids = paths(lake, "observations")
    bury(lake, ids)
    publish(lake, 3)
    lake.commit({"observations": Append(observed("c", hours=2))}, run="more", based_on=lake.version())
    LakeFiles(lake.uri).unbury(ids, MARK)
    assert rows(lake, "observations") == 98


def test_neither_burial_nor_purge_makes_intervals_out_of_date(lake: Lake) -> None:
    ids = paths(lake, "observations")
    for act in (
        lambda: bury(lake, ids),
        lambda: LakeFiles(lake.uri).unbury(ids, MARK),
        lambda: bury(lake, ids),
        lambda: LakeFiles(lake.uri).purge(ids, MARK),
    ):
        act()
        assert lake.outdated("clean") == []
        # Published once more from the same observations, nothing changes: it is known where they stood.
        number = lake.version().number
        assert publish(lake, 2).number == number


def test_sweeps_keep_what_is_buried_and_do_not_miss_what_is_purged(lake: Lake) -> None:
    buried, purged = paths(lake, "observations")
    bury(lake, [buried, purged])
    LakeFiles(lake.uri).purge([purged], MARK)
    lake._storage.write("tables/observations/data/2024-01-01/0-" + "0" * 32 + ".parquet", b"left by a killed publisher")
    assert len(lake.sweep(timedelta(seconds=-5))) == 1
    assert [each.id for each in LakeFiles(lake.uri).buried()] == [buried]
    LakeFiles(lake.uri).unbury([buried], MARK)
    assert rows(lake, "observations") == 48


class Killed(BaseException):
    pass


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Give a function that lets this process die before its n-th write to a folder; 0: never."""
    left = 0

    def struck(name: str) -> None:
        unharmed = getattr(Folder, name)

        def act(self: Folder, *arguments: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            return unharmed(self, *arguments)

        monkeypatch.setattr(Folder, name, act)

    def arm(number: int) -> None:
        nonlocal left
        left = number

    for name in ("write", "swap", "remove"):
        struck(name)
    yield arm
    arm(0)


def test_runs_that_are_killed_at_any_write_are_finished_by_the_next(
    lake: Lake, tmp_path: Path, killer: Callable[[int], None]
) -> None:
    ids = [*paths(lake, "observations"), *paths(lake, "clean"), *paths(lake, "clean", "superseded")]
    planned, scratch = contents(lake, ids), tmp_path / "scratch"
    archived = list(LakeFiles(lake.uri).export(planned, scratch))
    before = (rows(lake, "observations"), rows(lake, "clean"), rows(lake, "clean", 2))
    verbs: list[tuple[Callable[[LakeFiles], object], set[str], int]] = [
        (lambda storage: storage.bury(planned, MARK), set(ids), 0),
        (lambda storage: storage.unbury(ids, MARK), set(), 144),
        (lambda storage: storage.bury(planned, MARK), set(ids), 0),
        (lambda storage: storage.purge(ids, MARK), set(), 0),
        (lambda storage: storage.put_back(archived, scratch), set(), 144),
    ]
    struck = 0
    for verb, buried, height in verbs:
        for strike in range(1, 50):
            killer(strike)
            try:
                verb(LakeFiles(lake.uri))
            except Killed:
                struck += 1
                continue
            break
        killer(0)
        verb(LakeFiles(lake.uri))
        assert {each.id for each in LakeFiles(lake.uri).buried()} == buried
        assert rows(lake, "observations") + rows(lake, "clean") == height
    assert struck > 15
    assert (rows(lake, "observations"), rows(lake, "clean"), rows(lake, "clean", 2)) == before


def test_a_damaged_file_is_not_archived(lake: Lake, tmp_path: Path) -> None:
    (path,) = paths(lake, "clean")
    (Path(lake.uri) / path).write_bytes(b"damaged")
    with pytest.raises(SparkhuError, match="is damaged: its checksum is not the one that was written"):
        list(LakeFiles(lake.uri).export(contents(lake, [path]), tmp_path))


def test_what_never_was_in_a_lake_is_not_put_into_it(lake: Lake, tmp_path: Path) -> None:
    strange = "tables/clean/data/2024-01-01/0-" + "0" * 32 + ".parquet"
    with pytest.raises(SparkhuError, match="was never purged from"):
        LakeFiles(lake.uri).put_back([Exported(strange, "file", 1, 1, "")], tmp_path)
    with pytest.raises(InputError, match=r"^id must name a data file"):
        LakeFiles(lake.uri).unbury(["current.json"], MARK)


def test_manifests_without_burials_are_written_as_before(lake: Lake) -> None:
    manifest = lake.version().manifest("clean")
    assert b"buried" not in manifest.encoded()
    assert read_manifest(manifest.encoded(), "it") == manifest
    assert Unbury(["x"], MARK).against("clean", Manifest()) is None
    bury(lake, paths(lake, "clean"))
    manifest = lake.version().manifest("clean")
    assert read_manifest(manifest.encoded(), "it") == manifest
    assert len(manifest.buried) == 1
