"""`sparkhu check`: a dry look."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from sparkhu_cli.main import sparkhu


def check(*arguments: str | Path) -> list[str]:
    result = CliRunner().invoke(sparkhu, ["check", *(str(argument) for argument in arguments)])
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def daily(days: int, series: str = "shop") -> str:
    rows = [f"2026-{1 + day // 28:02d}-{1 + day % 28:02d},{series},{day % 7}" for day in range(days)]
    return "\n".join(["day,name,sold", *rows]) + "\n"


def test_it_says_what_a_run_would_read_and_choose(folder: Path) -> None:
    (folder / "sales.csv").write_text(daily(28))
    lines = check("sales.csv")
    assert lines[0].startswith("source       sales.csv, ")
    assert any(line.startswith("time         day (") for line in lines)
    assert any(line.startswith("value        sold (") for line in lines)
    assert any(line.startswith("id           name (") for line in lines)
    assert "series       1 with 28 rows" in lines
    assert "times        2026-01-01 to 2026-01-28 UTC" in lines
    assert "period       1d, season of 7: 1 series" in lines
    assert any(line.startswith("a run takes  1d/7: 1 series, horizon ") for line in lines)
    assert lines[-2:] == ["✓ nothing to complain about", "Next: sparkhu run --source sales.csv --out DIR"]


def test_the_next_command_has_the_same_options(folder: Path) -> None:
    (folder / "my sales.csv").write_text(daily(28))
    options = ["--time", "day", "--value", "sold", "--zone", "Europe/Berlin"]
    assert check("my sales.csv", *options)[-1] == (
        "Next: sparkhu run --source 'my sales.csv' --time day --value sold --zone Europe/Berlin --out DIR"
    )


def test_problems_are_counted_and_listed(folder: Path) -> None:
    (folder / "sales.csv").write_text(daily(28) + "soon,shop,1\n2026-02-01,shop,many\n2026-02-02,shop,\n")
    lines = check("sales.csv")
    start = lines.index("! 3 things to know; a run copes with them")
    assert "1 rows have a time that cannot be parsed, the first is row 29: 'soon'" in lines[start + 1 : start + 4][0]
    assert len(lines) == start + 5


def test_series_without_a_period_are_told(folder: Path) -> None:
    (folder / "few.csv").write_text("day,name,sold\n2026-01-01,a,1\n2026-01-02,a,2\n")
    lines = check("few.csv")
    assert any("1 series: too few points to tell" in line for line in lines)


def test_a_wide_source_lists_its_first_columns(folder: Path) -> None:
    header = ",".join(["day", *[f"s{number}" for number in range(12)]])
    rows = [",".join([f"2026-01-{day:02d}", *["1"] * 12]) for day in range(1, 9)]
    (folder / "wide.csv").write_text("\n".join([header, *rows]) + "\n")
    lines = check("wide.csv", "--wide")
    assert sum(line.startswith("value ") for line in lines) == 10
    assert f"{'':<12} and 2 more" in lines
    assert lines[-1].endswith("--wide --out DIR")


def test_nothing_is_written(folder: Path, sparkhu_home: Path) -> None:
    (folder / "sales.csv").write_text(daily(28))
    before = set(sparkhu_home.rglob("*"))
    check("sales.csv")
    assert [path.name for path in folder.iterdir()] == ["sales.csv"]
    assert set(sparkhu_home.rglob("*")) == before
