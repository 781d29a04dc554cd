"""Ingest in parts writes the very files that ingest in one piece writes, and leaves nothing of what it needed."""

import gzip
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lineage import read_trail
from sparkhu.shards import open_dataset, read_shard
from sparkhu.sources import SourceOptions, reading
from sparkhu.sources.parts import PartSize
from sparkhu.stages import sorting
from sparkhu.stages.ingesting import ingest_source

TINY = PartSize(rows=40, text=1500, kept=0)
WHEN = ("started", "seconds", "code")


def run(source: Path | str, out: Path, size: PartSize | None = None, rows: int = 60, **options: Any) -> None:
    ingest_source(
        str(source),
        SourceOptions(**options),
        out=out / "raw",
        history=out / "history",
        versions=out / "versions",
        rows_per_shard=rows,
        part_size=size,
    )


def files(out: Path) -> dict[str, str]:
    """All files with their checksums, and of the record everything but when it was made."""
    found = {}
    for path in sorted(path for path in out.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.name == "history.json":
            told = [
                {name: value for name, value in record.items() if name not in WHEN} for record in json.loads(content)
            ]
            content = json.dumps(told).encode()
        found[str(path.relative_to(out))] = hashlib.sha256(content).hexdigest()
    return found


def rows(out: Path) -> pl.DataFrame:
    dataset = open_dataset(out / "raw")
    return pl.concat(read_shard([dataset], shard.name) for shard in dataset.shards)


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_WORKERS", "1")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Rows in the order of time, ten series beside each other, through the night in which the clock is set back."""
    lines = ["time;id;value;price"]
    for step in range(60):
        hour, minute = (0, 1, 2, 2, 3)[step // 12], step % 12
        for series in range(10):
            id_ = f"s{series}" if (step + series) % 37 else ""
            value = f"{step},{series}" if step % 11 else "x"
            lines.append(f"27.10.2024 {hour:02d}:{minute * 5:02d};{id_};{value};{step if series else 'dear'}")
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "all.csv"


TOLD = {"zone": "Europe/Berlin", "time_format": "%d.%m.%Y %H:%M", "extra": "price"}


def test_parts_and_the_whole_give_the_same_files(source: Path, tmp_path: Path) -> None:
    run(source, tmp_path / "whole", **TOLD)
    run(source, tmp_path / "parts", TINY, **TOLD)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert len(open_dataset(tmp_path / "parts" / "raw").shards) > 5
    notes = read_trail([tmp_path / "parts" / "raw"]).history[0].notes
    assert any("rows lie in an hour that a clock change in Europe/Berlin repeats" in note for note in notes)


def test_processes_give_the_same_files(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(source, tmp_path / "whole", rows=300, **TOLD)
    monkeypatch.setenv("SPARKHU_WORKERS", "2")
    run(source, tmp_path / "parts", PartSize(rows=150, text=9000, kept=0), rows=300, **TOLD)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_a_wide_source_counts_the_doubled_rows_once(tmp_path: Path) -> None:
    lines = [f"2024-10-27 02:{minute:02d},{minute},{minute}" for _ in range(2) for minute in range(60)]
    (tmp_path / "a.csv").write_text("time,p,q\n" + "\n".join(lines) + "\n")
    for name, size in (("whole", None), ("parts", TINY)):
        run(tmp_path / "a.csv", tmp_path / name, size, wide=True, zone="Europe/Berlin")
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    notes = read_trail([tmp_path / "parts" / "raw"]).history[0].notes
    assert any(note.startswith("120 rows lie in an hour that a clock change") for note in notes)
    first, last = datetime(2024, 10, 27, 0, tzinfo=UTC), datetime(2024, 10, 27, 1, 59, tzinfo=UTC)
    assert rows(tmp_path / "parts")["ds"].to_list() == 2 * [*pl.datetime_range(first, last, "1m", eager=True)]


def test_a_source_of_which_no_time_can_be_told_apart_is_refused(tmp_path: Path) -> None:
    lines = [f"2024-10-27 02:{minute:02d},{minute}" for minute in range(60)]
    (tmp_path / "a.csv").write_text("time,value\n" + "\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"no time in column 'time' .* it holds '2024-10-27 02:00', "):
        run(tmp_path / "a.csv", tmp_path / "out", TINY, zone="Europe/Berlin")


def test_files_of_many_kinds_are_sorted_together(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    days = pl.datetime_range(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC), "1d", eager=True)
    frame = pl.DataFrame({"ds": days, "y": range(len(days))}).with_columns(unique_id=pl.lit("p"), price=pl.lit("high"))
    frame.write_parquet(folder / "p.parquet", row_group_size=7)
    text = "".join(f"2024-01-{day:02d},q,{day},2\n" for day in range(1, 32))
    (folder / "q.csv.gz").write_bytes(gzip.compress(("ds,unique_id,y,price\n" + text).encode()))
    (folder / "r.jsonl").write_text(
        "".join(f'{{"ds":"2024-01-{day:02d}","unique_id":"r","y":1}}\n' for day in range(1, 32))
    )
    for name, size in (("whole", None), ("parts", PartSize(rows=5, text=200, kept=0))):
        run(folder, tmp_path / name, size, rows=20, extra="price")
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert [shard.series for shard in open_dataset(tmp_path / "parts" / "raw").shards] == [1, 1, 1]


@pytest.mark.parametrize("column", ["unique_id", "ds", "y"])
def test_a_stretch_of_rows_without_a_cell_is_a_part_like_others(tmp_path: Path, column: str) -> None:
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    table = [{"unique_id": name, "ds": day, "y": str(number)} for name in "abc" for number, day in enumerate(days)]
    for row in table[30:60]:
        row[column] = ""
    lines = ["unique_id,ds,y", *(",".join(row.values()) for row in table)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    for name, size in (("whole", None), ("parts", PartSize(rows=5, text=100, kept=0))):
        run(tmp_path / "a.csv", tmp_path / name, size, rows=20)
    assert files(tmp_path / "parts") == files(tmp_path / "whole")
    assert rows(tmp_path / "parts").height == 90


def test_progress_is_told_by_part_and_by_shard(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events.jsonl"))
    run(source, tmp_path / "out", TINY, **TOLD)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    for kind in ("part_done", "shard_done"):
        told = [(event["done"], event["of"]) for event in events if event["kind"] == kind]
        assert told == [(number, len(told)) for number in range(1, len(told) + 1)]
        assert len(told) > 5


def broken(tmp_path: Path, name: str) -> Path:
    text = b"time,value\n" + b"".join(b"2024-01-01 00:%02d:%02d,%d\n" % (n // 60, n % 60, n) for n in range(3000))
    if name == "cut.csv.gz":
        content = gzip.compress(text)[:-100]
    elif name == "bytes.csv":
        content = text[:40_000] + b"\xff" + text[40_000:]
    else:
        pl.read_csv(text, try_parse_dates=True).write_parquet(tmp_path / name, row_group_size=100, statistics=False)
        content = (tmp_path / name).read_bytes()
        middle = len(content) // 2
        content = content[:middle] + bytes(2000) + content[middle + 2000 :]
    (tmp_path / name).write_bytes(content)
    return tmp_path / name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cut.csv.gz",
            r"'.*cut.csv.gz' cannot be read: .*, behind line [\d,]+ \(byte [\d,]+\). Check that it is complete",
        ),
        ("bytes.csv", r"'bytes.csv' is not UTF-8 text: byte 40,000 \(line [\d,]+\) is 0xff"),
        ("hole.parquet", r"'hole.parquet' is not a whole Parquet file"),
    ],
)
def test_what_breaks_deep_in_a_file_is_named_and_leaves_nothing(tmp_path: Path, name: str, message: str) -> None:
    path = broken(tmp_path, name)
    with pytest.raises(InputError, match=message):
        run(path, tmp_path / "out", PartSize(rows=100, text=3000, kept=0))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_full_disk_is_named_and_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", full)
    with pytest.raises(
        SparkhuError, match=r"the scratch folder '.*' cannot be written: .*No space left on device.* room"
    ):
        run(source, tmp_path / "out", TINY, **TOLD)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("at", ["draft", "settle"])
def test_an_interrupt_leaves_nothing(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    def interrupted(*_: Any) -> None:
        assert list((tmp_path / "out").glob(".raw.*/.scratch-*"))
        raise KeyboardInterrupt

    monkeypatch.setattr({"draft": reading, "settle": sorting}[at], at, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(source, tmp_path / "out", TINY, **TOLD)
    assert list((tmp_path / "out").iterdir()) == []


MEASURED = """
import sys
from pathlib import Path
from sparkhu.sources import SourceOptions
from sparkhu.sources import reading
from sparkhu.sources.parts import PartSize
from sparkhu.stages.ingesting import ingest_source

source, out = Path(sys.argv[1]), Path(sys.argv[2])
small = PartSize(rows=20_000, text=500_000, kept=1_000_000)
places = dict(out=out / "raw", history=out / "history", versions=out / "versions")
ingest_source(str(source), SourceOptions(), **places, rows_per_shard=40_000, part_size=small)
# Not what getrusage gives: that counts the process which started this one, too.
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM")))
"""


def memory(tmp_path: Path, rows_: int) -> int:
    """Give the megabytes of an ingest in one process."""
    number = pl.int_range(rows_, eager=True)
    ds = (pl.lit(1_704_067_200_000_000) + number // 50 * 3_600_000_000).cast(pl.Datetime("us"))
    frame = pl.select(ds=ds, unique_id="series-" + (number % 50).cast(pl.String), y=number / 7)
    frame.write_csv(tmp_path / "a.csv")
    command = [sys.executable, "-c", MEASURED, str(tmp_path / "a.csv"), str(tmp_path / f"out{rows_}")]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_memory_does_not_grow_with_the_source(tmp_path: Path) -> None:
    few, many = memory(tmp_path, 100_000), memory(tmp_path, 1_000_000)
    # Held as text alone, the rows more would take 900,000 × 3 cells × 16 bytes and the text itself, some 80 MB.
    assert many < few + 40
