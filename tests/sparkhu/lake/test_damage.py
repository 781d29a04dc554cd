"""Files that are missing or damaged, versions of another Sparkhu, folders that refuse: told clearly, nothing lost."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Append, Lake, create_lake, is_lake, open_lake
from tests.sparkhu.lake.made_rows import observed


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return create_lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(lake: Lake) -> Path:
    for number in range(2):
        lake.commit({"observations": Append(observed(hours=2, y=number))}, run="run", based_on=lake.version())
    return Path(lake.uri)


def manifest(folder: Path, version: int) -> Path:
    return folder / open_lake(str(folder)).version(version).tables["observations"].manifest


def data_file(folder: Path) -> Path:
    return Path(open_lake(str(folder)).version().table("observations").uris()[-1])


@pytest.mark.parametrize("harm", ["missing", "cut", "changed"])
def test_a_harmed_data_file_is_named_with_its_table_and_version(folder: Path, harm: str) -> None:
    path = data_file(folder)
    content = path.read_bytes()
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if harm == "cut" else content[:-1] + bytes([content[-1] ^ 1]))
    said = {"missing": "is missing", "cut": f"{len(content) - 1} bytes, {len(content)} were", "changed": "checksum"}
    with pytest.raises(SparkhuError, match=said[harm]) as caught:
        open_lake(str(folder)).version().table("observations").read()
    assert f"the file '{path}' of the table 'observations', version 2," in str(caught.value)
    assert open_lake(str(folder)).version(1).table("observations").read().height == 2


@pytest.mark.parametrize("harm", ["missing", "changed"])
def test_a_harmed_manifest_is_named_with_its_table_and_version(folder: Path, harm: str) -> None:
    path = manifest(folder, 2)
    if harm == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes().replace(b'"rows":2', b'"rows":3'))
    with pytest.raises(
        SparkhuError, match=f"the manifest '{path}' of the table 'observations', version 2, is"
    ) as caught:
        open_lake(str(folder)).version().table("observations")
    assert f"the manifest '{path}'" in str(caught.value)
    assert ("missing" if harm == "missing" else "damaged") in str(caught.value)
    assert open_lake(str(folder)).version(1).table("observations").read().height == 2


def test_a_harmed_current_version_says_where_the_versions_lie_and_can_be_restored_from_there(folder: Path) -> None:
    current = folder / "current.json"
    current.write_text(current.read_text()[:50])
    with pytest.raises(SparkhuError, match=r"current\.json' is damaged .* Or copy the newest of the versions in"):
        open_lake(str(folder))
    shutil.copy(max((folder / "versions").iterdir()), current)
    assert open_lake(str(folder)).version().table("observations").read().height == 4


def test_a_version_that_is_missing_stops_the_sweep(folder: Path) -> None:
    lake = open_lake(str(folder))
    (folder / lake.version(1).commit.path).unlink()
    with pytest.raises(SparkhuError, match=r"version 1 cannot be read: .* is missing. Nothing was swept"):
        lake.sweep(timedelta(seconds=-5))
    with pytest.raises(SparkhuError, match="a version of the lake, is missing"):
        lake.version(1)
    assert lake.version().table("observations").read().height == 4


@pytest.mark.parametrize(
    ("schema", "said"),
    [(0, "written by an older Sparkhu"), (2, "written by a newer Sparkhu; this one reads 1")],
)
def test_a_lake_of_another_schema_is_refused(folder: Path, schema: int, said: str) -> None:
    current = folder / "current.json"
    content = json.loads(current.read_text())
    current.write_text(json.dumps({**content, "schema_version": schema}))
    with pytest.raises(InputError, match=f"current.json' has lake schema {schema}, {said}"):
        open_lake(str(folder))


@pytest.mark.parametrize(
    "change",
    [{"tables": 3}, {"layout": {"partition": "week"}}, {"committed_at": "once"}, {"version": None}],
)
def test_a_version_with_impossible_content_is_damaged(folder: Path, change: dict[str, object]) -> None:
    current = folder / "current.json"
    current.write_text(json.dumps({**json.loads(current.read_text()), **change}))
    with pytest.raises(SparkhuError, match=r"current\.json' is damaged"):
        open_lake(str(folder))


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="Give a folder that may be used"):
        create_lake(str(tmp_path / "file" / "lake"))
    assert not is_lake(str(tmp_path / "file" / "lake"))


FULL = """
import resource, signal, sys
from sparkhu.lake import Append, open_lake
from tests.sparkhu.lake.made_rows import START, observed
lake = open_lake(sys.argv[1])
rows = observed(hours=2000)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))  # a data file has more
lake.commit({"observations": Append(rows)}, run="full", based_on=lake.version())
"""


def test_a_write_that_the_system_cuts_short_changes_nothing_and_leaves_no_draft(folder: Path) -> None:
    result = subprocess.run([sys.executable, "-c", FULL, folder], check=False, capture_output=True, text=True)
    assert "SparkhuError: cannot write" in result.stderr
    assert "File too large. Nothing was changed" in result.stderr
    assert list((folder / ".drafts").iterdir()) == []
    assert open_lake(str(folder)).version().table("observations").read().height == 4


def test_a_full_disk_changes_nothing_and_says_so(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("only a user who may mount can have a small disk")
    try:
        lake = create_lake(str(disk / "lake"))
        lake.commit({"observations": Append(observed(hours=2))}, run="run", based_on=lake.version())
        with pytest.raises(SparkhuError, match=r"No space left on device. Nothing was changed. Free some space"):
            lake.commit({"observations": Append(observed("abcdef", hours=5000))}, run="big", based_on=lake.version())
        assert open_lake(lake.uri).version().table("observations").read().height == 2
        assert list((disk / "lake" / ".drafts").iterdir()) == []
    finally:
        subprocess.run(["umount", disk], check=True)
