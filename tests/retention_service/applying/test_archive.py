"""What lies in the archive is written and read a part at a time, and read to its end before it is relied upon."""

import hashlib
import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sparkhu_retention.applying.archive import MANIFEST, Archive, manifest_of
from sparkhu_retention.applying.verify import NotVerified, verify
from sparkhu_retention.database import archived
from sparkhu_retention.storages.files import exported_of
from sparkhu_retention.storages.folder import Folder
from tests.retention_service.applying.world import GRACE, START, World, counted

WRITTEN = 1_704_067_200_000_000_000
AT = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "day=2023-01-01/a.bin"
MEGABYTE = 1 << 20


def test_a_file_larger_than_memory_goes_to_the_archive_and_comes_back(world: World, tmp_path: Path) -> None:
    path = world.root / "live" / world.write(NAME)
    with path.open("wb") as file:
        file.truncate(100 * MEGABYTE)
    size = 100 * MEGABYTE
    plan = world.plan(NAME)
    tracemalloc.start()
    assert counted(world.apply(plan)) == {"archived": 1, "buried": 1}
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 1}
    with world.database.reading() as connection:
        files = archived.listed(connection)
    world.archive.fetch(files, tmp_path / "back")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size // 2
    assert (tmp_path / "back" / NAME).stat().st_size == size


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_a_table_whose_values_cannot_be_read_is_not_verified(tmp_path: Path, compression: str) -> None:
    """Its footer says its rows still, and its checksum is that of what was exported."""
    source = tmp_path / "scratch" / "t.parquet"
    source.parent.mkdir()
    noise = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(20_000)]
    pl.DataFrame({"x": noise}).write_parquet(source, compression=compression)  # type: ignore[arg-type]
    data = bytearray(source.read_bytes())
    data[1000:100_000] = bytes(99_000)
    source.write_bytes(data)
    archive, exported = Archive(str(tmp_path / "archive")), [exported_of("t.parquet", source, source.parent)]
    manifest = manifest_of(exported, storage="/live", kind="folder", run="run", batch=1, at=START)
    assert manifest.rows == 20_000
    archive.write("folder", exported, source.parent, manifest)
    with pytest.raises(NotVerified, match=r"t\.parquet' cannot be read as Parquet"):
        verify(archive, "folder", manifest, [], tmp_path)


@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "damaged"])
def test_files_come_back_with_the_times_that_the_manifest_says_and_without_where_it_is_damaged(
    tmp_path: Path, damaged: bool
) -> None:
    root, out, back = (tmp_path / name for name in ("root", "out", "back"))
    for folder in (root, out, back):
        folder.mkdir()
    (root / "one").write_text("one")
    os.utime(root / "one", ns=(0, WRITTEN))
    storage, archive = Folder(str(root)), Archive(str(tmp_path / "archive"))
    (frame,) = storage.items()
    exported = list(storage.export(dict(frame.select("id", "content").iter_rows()), out))
    manifest = manifest_of(exported, storage=str(root), kind="folder", run="r", batch=1, at=AT)
    archive.write("f", exported, out, manifest)
    files = archive.kept("f", exported, {"one": 1}, str(root), AT)
    if damaged:
        (tmp_path / "archive" / "f" / MANIFEST).write_text("half")
    (root / "one").unlink()
    storage.put_back(archive.fetch(files, back), back)
    assert (root / "one").read_text() == "one"
    assert ((root / "one").stat().st_mtime_ns == WRITTEN) is not damaged
    assert pl.concat(storage.items())["id"].to_list() == ["one"]
