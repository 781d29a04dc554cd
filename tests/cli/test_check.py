"""`sparkhu check`: a dry look."""

import gzip
import sqlite3
from contextlib import closing
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


def test_columns_that_differ_from_file_to_file_are_told_with_their_files(folder: Path) -> None:
    for name in ("GDP", "RATE"):
        (folder / f"{name}.csv").write_text(f"day,{name}\n2026-01-01,1\n2026-01-02,2\n")
    lines = check("*.csv")
    assert [line for line in lines if line.startswith(("time ", "value ", "written"))] == [
        "time         day (the only column that reads as a time)",
        f"value        GDP (the only column of numbers) in '{folder / 'GDP.csv'}'",
        f"value        RATE (the only column of numbers) in '{folder / 'RATE.csv'}'",
        "written as   year-month-day; zone UTC",
    ]


def test_decimal_commas_are_told_and_files_that_differ_in_it(folder: Path) -> None:
    (folder / "1.csv").write_text("id;day;sold\na;2026-01-01;1,5\na;2026-01-02;2,5\n")
    (folder / "2.csv").write_text("id;day;sold\na;2026-01-03;3.5\na;2026-01-04;4.5\n")
    told = [line for line in check("*.csv") if line.startswith("numbers")]
    assert told[0] == "numbers      values have a decimal comma"
    assert told[1].endswith("and 1 more is written in several ways, each file read by its own: 1,5 in 1; 1.5 in 1")
    assert not any(line.startswith("numbers") for line in check("2.csv"))


def test_nothing_is_written(folder: Path, sparkhu_home: Path) -> None:
    (folder / "sales.csv").write_text(daily(28))
    before = set(sparkhu_home.rglob("*"))
    check("sales.csv")
    assert [path.name for path in folder.iterdir()] == ["sales.csv"]
    assert set(sparkhu_home.rglob("*")) == before


def test_extra_columns_are_listed_with_what_they_are(folder: Path) -> None:
    header = ",".join(["day", "sold", "open", *[f"n{number}" for number in range(11)]])
    rows = [",".join([f"2026-01-{day:02d}", "1", "true", *["x"] * 11]) for day in range(1, 9)]
    (folder / "sales.csv").write_text("\n".join([header, *rows]) + "\n")
    lines = check("sales.csv", "--extra", "all", "--value", "sold", "--id", "n0")
    assert [line for line in lines if line.startswith("extra ")][:2] == [
        "extra        open (boolean)",
        "extra        n1 (text)",
    ]
    assert f"{'':<12} and 1 more" in lines


def refused(*arguments: str | Path) -> str:
    result = CliRunner().invoke(sparkhu, ["check", *(str(argument) for argument in arguments)])
    assert (result.exit_code, result.stdout) == (2, "")
    return " ".join(result.stderr.split())


def test_options_of_reading_are_heeded_and_repeated(folder: Path) -> None:
    rows = [f"2026-01-{day:02d};가게;{day},5;{day}" for day in range(1, 29)]
    (folder / "sales.csv").write_bytes("\n".join(["day;name;sold;price", *rows]).encode("cp949"))
    told = ["--value", "sold", "--extra", "price", "--delimiter", ";", "--encoding", "cp949", "--decimal", ","]
    lines = check("sales.csv", *told)
    assert "extra        price (number)" in lines
    assert "series       1 with 28 rows" in lines
    assert lines[-1] == (
        "Next: sparkhu run --source sales.csv --value sold --extra price --delimiter ';' --encoding cp949 --decimal , "
        "--out DIR"
    )


def test_a_database_is_checked_and_its_variables_are_repeated_as_such(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(folder / "plant.db")) as connection:
        connection.execute("CREATE TABLE sales (day TEXT, sold REAL)")
        connection.executemany("INSERT INTO sales VALUES (?, ?)", [(f"2026-01-{day:02d}", day) for day in range(1, 29)])
        connection.commit()
    lines = check("sqlite:///plant.db", "--table", "sales")
    assert lines[0].startswith("source       sqlite:///plant.db, ")
    assert lines[-1] == "Next: sparkhu run --source sqlite:///plant.db --table sales --out DIR"
    monkeypatch.setenv("PLANT_FILE", "plant.db")
    query = "SELECT day, sold FROM sales WHERE sold > 0"
    lines = check("sqlite:///${PLANT_FILE}", "--query", query)
    assert lines[-1] == (
        "Next: sparkhu run --source 'sqlite:///${PLANT_FILE}' --query "
        "'SELECT day, sold FROM sales WHERE sold > 0' --out DIR"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sales.csv", "--encoding", "klingon"], "--encoding 'klingon' is no text encoding"),
        (["sales.csv", "--delimiter", ";;"], "--delimiter must be one sign"),
        (["sales.csv", "--decimal", "x"], "'x' is not one of '.', ','"),
        (["sales.csv", "--extra", "prize"], "has no column 'prize' (--extra)"),
        (["sales.csv", "--table", "sales"], "--table reads a database"),
        (["sqlite:///nowhere.db", "--table", "sales"], "there is no database file 'nowhere.db'"),
        (["sqlite:///nowhere.db"], "needs --table or --query"),
        (["postgresql://ann:pea@127.0.0.1:1/db", "--table", "sales"], "'postgresql://ann:***@127.0.0.1:1/db' cannot"),
        (["gopher://host/sales.csv"], "cannot be reached"),
        (["junk.csv"], "is not UTF-8 text"),
        (["cut.csv.gz"], "Check that it is complete"),
    ],
)
def test_a_source_that_cannot_be_read_ends_with_exit_code_2(folder: Path, arguments: list[str], message: str) -> None:
    (folder / "sales.csv").write_text(daily(28))
    (folder / "junk.csv").write_bytes(bytes(range(128, 256)) * 9)
    (folder / "cut.csv.gz").write_bytes(gzip.compress(daily(28).encode())[:-9])
    before = sorted(path.name for path in folder.iterdir())
    said = refused(*arguments)
    assert message in said
    assert "pea" not in said
    assert sorted(path.name for path in folder.iterdir()) == before
