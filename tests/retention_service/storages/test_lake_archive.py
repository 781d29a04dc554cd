"""The form in which files of a lake are archived, and what becomes of it when they come back."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from sparkhu.errors import SparkhuError
from sparkhu.frame import TIME
from sparkhu.lake import Append, Lake, create_lake, open_lake
from sparkhu.lake.file_form import ROWS_PER_GROUP, encoded
from sparkhu_retention.storages import lake_archive
from sparkhu_retention.storages.lake import LakeFiles
from sparkhu_retention.storages.protocol import Exported
from tests.sparkhu.lake.made_rows import START, observed

SERIES = 8
ROWS = 2 * ROWS_PER_GROUP + 8 * SERIES
MARK = "run-1"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Make a lake with one file of three row groups."""
    made = create_lake(str(tmp_path / "lake"), partition="month")
    seconds = ROWS // SERIES
    times = pl.datetime_range(START, START + timedelta(seconds=seconds - 1), "1s", eager=True).cast(TIME)
    rows = pl.concat(
        pl.DataFrame({"unique_id": name, "ds": times, "available_at": times}).with_columns(
            y=(pl.int_range(seconds) % 1000).cast(pl.Float64)
        )
        for name in "abcdefgh"
    )
    made.commit({"observations": Append(rows)}, run="first", based_on=made.version())
    return made


def read(lake: Lake, version: int | None = None) -> pl.DataFrame:
    return open_lake(lake.uri).version(version).table("observations").read()


def bytes_of(lake: Lake) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(lake.uri).rglob("*.parquet")}


def exported_and_purged(lake: Lake, folder: Path) -> list[Exported]:
    storage = LakeFiles(lake.uri)
    planned = dict(pl.concat(storage.items()).select("id", "content").iter_rows())
    exported = list(storage.export(planned, folder))
    storage.bury(planned, MARK)
    assert storage.purge(list(planned), MARK) > 0
    return exported


def test_an_archive_has_larger_row_groups_and_gives_the_file_back_to_the_byte(lake: Lake, tmp_path: Path) -> None:
    before, ((name, data),) = read(lake), bytes_of(lake).items()
    assert pq.ParquetFile(next(Path(lake.uri).rglob("*.parquet"))).num_row_groups == 3
    scratch = tmp_path / "scratch"
    (file,) = exported_and_purged(lake, scratch)
    archived = pq.ParquetFile(scratch / file.path)
    assert archived.num_row_groups == 1
    assert archived.metadata.row_group(0).column(0).compression == "ZSTD"
    assert archived.metadata.num_rows == file.rows == ROWS
    assert file.bytes < len(data)
    LakeFiles(lake.uri).put_back([file], scratch)
    assert bytes_of(lake) == {name: data}
    assert read(lake).equals(before)


def test_rows_that_come_back_in_other_bytes_are_read_by_versions_of_before_as_well(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release of Polars that writes otherwise has come between."""
    before = read(lake)
    exported = exported_and_purged(lake, tmp_path / "scratch")
    monkeypatch.setattr(lake_archive, "encoded", lambda rows, rows_per_group=10_000: encoded(rows, rows_per_group))
    for _ in range(2):
        LakeFiles(lake.uri).put_back(exported, tmp_path / "scratch")
        assert read(lake).equals(before)
        assert read(lake, 1).equals(before)
    again = exported_and_purged(lake, tmp_path / "again")
    assert pl.read_parquet(tmp_path / "again" / again[0].path).height == ROWS
    LakeFiles(lake.uri).put_back(again, tmp_path / "again")
    assert read(lake, 1).equals(before)
    (path,) = Path(lake.uri).rglob("*.parquet")
    path.write_bytes(encoded(before.head(10)))
    with pytest.raises(SparkhuError, match="is damaged"):
        read(lake, 1)


def test_a_file_of_one_row_group_or_that_could_not_be_made_again_is_archived_as_it_is(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    lake.commit({"observations": Append(observed())}, run="first", based_on=lake.version())
    for file in lake.version().manifest("observations").files:
        data = (Path(lake.uri) / file.path).read_bytes()
        assert lake_archive.archived_form(data, file) is data
    foreign = encoded(observed(), 7)
    told = lake.version().manifest("observations").files[0]
    large = type(told)(**{**vars(told), "rows": ROWS_PER_GROUP + 1, "sha256": lake_archive.checksum(foreign)})
    assert lake_archive.archived_form(foreign, large) is foreign
    assert lake_archive.lake_form(foreign, large) is foreign
