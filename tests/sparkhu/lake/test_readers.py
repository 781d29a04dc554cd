"""Announcements of readers: they count for as long as they are renewed, in every kind of storage."""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from sparkhu.errors import SparkhuError
from sparkhu.lake import Lake, create_lake
from sparkhu.lake import readers as module
from sparkhu.lake.readers import READERS, Reader, announced, announcing
from tests.sparkhu.lake.made_rows import DAY, START

READER = Reader("a backfill", "observations", START, START + DAY)


def test_an_announcement_counts_from_its_first_word_until_the_block_ends(lake: Lake) -> None:
    storage = lake.version().storage
    with announcing(storage, READER) as announcement:
        assert announced(storage) == []
        announcement.renew()
        announcement.renew()
        assert announced(storage) == [READER]
    assert announced(storage) == []
    assert storage.listed(READERS) == []


def test_what_a_killed_reader_leaves_is_forgotten(tmp_path: Path) -> None:
    storage = create_lake(str(tmp_path / "lake")).version().storage
    with announcing(storage, Reader("it", "clean")) as announcement:
        announcement.renew()
        (file,) = (tmp_path / "lake" / READERS).iterdir()
        for age, count in ((timedelta(minutes=50), 1), (timedelta(minutes=70), 0)):
            os.utime(file, (time.time() - age.total_seconds(),) * 2)
            assert len(announced(storage)) == count


def test_an_announcement_is_renewed_before_it_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = create_lake(str(tmp_path / "lake")).version().storage
    with announcing(storage, READER) as announcement:
        announcement.renew()
        (file,) = (tmp_path / "lake" / READERS).iterdir()
        os.utime(file, (0, 0))
        announcement.renew()
        assert announced(storage) == []
        monkeypatch.setattr(module, "RENEWED_AFTER", timedelta(0))
        announcement.renew()
        assert announced(storage) == [READER]


@pytest.mark.parametrize(
    ("text", "says"), [("{", "is damaged"), ('{"schema_version": 2}', "another version of Sparkhu")]
)
def test_what_cannot_be_read_is_no_reason_to_go_on(tmp_path: Path, text: str, says: str) -> None:
    storage = create_lake(str(tmp_path / "lake")).version().storage
    storage.write(f"{READERS}a.json", text.encode())
    with pytest.raises(SparkhuError, match=says):
        announced(storage)
