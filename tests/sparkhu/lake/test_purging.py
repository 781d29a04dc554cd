"""What readers of a lake pay for what retention has purged from it: nothing, where they do not read it."""

from pathlib import Path

import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Append, Lake, create_lake
from sparkhu.lake.purging import PURGED
from tests.sparkhu.lake.made_rows import DAY, START, observed
from tests.sparkhu.lake.retired import purge

DAYS = 12


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Make a lake in a folder."""
    return create_lake(str(tmp_path / "lake"))


@pytest.fixture
def old(lake: Lake) -> int:
    """Fill the lake with days, purge all but the last two, and give the version before that."""
    lake.commit({"observations": Append(observed(hours=24 * DAYS))}, run="ingest", based_on=lake.version())
    for day in range(DAYS - 2):
        purge(lake, "observations", START + day * DAY, START + (day + 1) * DAY, f"run-{day}")
    return 1


@pytest.fixture
def asked(lake: Lake, old: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the paths that are read from the storage from here on."""
    storage, paths = type(lake.version().storage), list[str]()
    unwatched = storage.read

    def read(self: object, path: str) -> bytes:
        paths.append(path)
        return unwatched(self, path)  # type: ignore[arg-type]

    monkeypatch.setattr(storage, "read", read)
    return paths


def records(asked: list[str]) -> int:
    return sum(path.startswith(PURGED) for path in asked)


def test_who_reads_what_was_not_purged_reads_no_record_of_a_purge(lake: Lake, old: int, asked: list[str]) -> None:
    kept = START + (DAYS - 2) * DAY
    for number in (lake.version().number, old):
        table = lake.version(number).table("observations")
        assert len(table.uris(kept)) == 2
        assert table.scan(kept).collect().height == 48
        assert table.read(kept).height == 48
    assert records(asked) == 0


def test_the_newest_version_is_read_with_one_question_more(lake: Lake, old: int, asked: list[str]) -> None:
    table = lake.version().table("observations")
    asked.clear()
    table.uris()
    assert asked == ["current.json"]


def test_who_reads_what_was_purged_is_told_so_by_the_newest_records(lake: Lake, old: int, asked: list[str]) -> None:
    table = lake.version(old).table("observations")
    day = START + (DAYS - 3) * DAY
    for reader in (table.uris, table.scan, table.read):
        with pytest.raises(SparkhuError, match=r"was purged by retention on .* \(run 'run-9'\), after it was archived"):
            reader(day, day + DAY)
    assert 0 < records(asked) <= 8, "no more than are read at once, and each a single time"
