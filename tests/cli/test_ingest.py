"""`sparkhu ingest` as a user types it."""

from pathlib import Path

from click.testing import CliRunner, Result

from sparkhu.lake import open_lake
from sparkhu_cli.main import sparkhu


def ingest(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, ["ingest", *arguments])


def test_rows_are_counted_and_refused_ones_named(tmp_path: Path) -> None:
    source, lake = tmp_path / "a.csv", tmp_path / "lake"
    source.write_text("id,time,y\na,2024-01-01T00:00Z,1\na,2024-01-01T01:00Z,x\n")
    made = ingest("--source", str(source), "--lake", str(lake), "--buckets", "2", "--partition", "month")
    assert made.exit_code == 0
    assert "✓ 1 rows added; version 1" in made.output
    assert "1 rows refused" in made.output
    assert open_lake(str(lake)).layout.buckets == 2
    again = ingest("--source", str(source), "--lake", str(lake)).output
    assert "✓ 0 rows added (1 held already); version 1" in again
    assert "1 of 1 files was appended before" in again


def test_rows_that_are_left_out_are_counted(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("id,time,y\na,2024-01-01T00:00Z,1\na,2024-01-01T01:00Z,2\na,2024-01-01T00:00Z,3\n")
    made = ingest("--source", str(source), "--lake", str(tmp_path / "lake"))
    assert "✓ 2 rows added; version 1" in made.output
    assert "! 1 rows left out: a later row is of the same series and instant" in made.output


def test_a_source_that_is_not_there_ends_with_two(tmp_path: Path) -> None:
    missing = ingest("--source", str(tmp_path / "none.csv"), "--lake", str(tmp_path / "lake"))
    assert missing.exit_code == 2
    assert "none.csv" in missing.output


def test_a_folder_that_is_no_lake_but_holds_files_is_left_alone(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("id,time,y\na,2024-01-01T00:00Z,1\n")
    done = ingest("--source", str(source), "--lake", str(source))
    assert done.exit_code == 2
    assert source.read_text().startswith("id,time,y")
