"""A database is read, never written; what its driver says is passed on without the password."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from sqlalchemy import NullPool, create_engine, make_url, text

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, read_source
from sparkhu.sources import databases as module
from sparkhu.sources.databases import is_database, read_database
from tests.services import POSTGRES_PASSWORD, POSTGRES_QUOTED

ROWS = [(n, f"s{n % 3}", n * 60, None if n % 5 == 0 else n / 4) for n in range(1, 21)]

PLANT = """
CREATE SCHEMA plant;
CREATE TABLE plant.readings (
    sensor text, at timestamptz, local timestamp, day date, value numeric(12, 3), level float8, ok boolean, tags jsonb,
    PRIMARY KEY (sensor, at)
);
INSERT INTO plant.readings
SELECT 's' || mod(n, 3), timestamptz '2024-01-01 09:00+09' + n * interval '1 minute',
    timestamp '2024-01-01' + n * interval '1 minute', date '2024-01-01', CASE WHEN mod(n, 5) > 0 THEN n / 8.0 END,
    n / 7.0, mod(n, 2) = 0, '{"n": 1}'
FROM generate_series(1, 1000) n;
CREATE TABLE quick (at timestamp, value real);
INSERT INTO quick VALUES ('2024-01-02', 2), ('2024-01-01', 1)
"""


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    path = tmp_path / "plant.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE readings (n INTEGER PRIMARY KEY, sensor TEXT, at TEXT, value)")
        connection.executemany(
            "INSERT INTO readings VALUES (?, ?, datetime('2024-01-01', ? || ' seconds'), ?)", reversed(ROWS)
        )
        connection.execute("CREATE VIEW hot AS SELECT * FROM readings WHERE value > 2")
        connection.execute("CREATE TABLE heap (sensor TEXT, at TEXT, value REAL)")
        connection.execute("INSERT INTO heap SELECT sensor, at, value FROM readings ORDER BY n DESC")
        connection.execute('CREATE TABLE "odd.name %s" (at TEXT, value REAL)')
        connection.execute("INSERT INTO \"odd.name %s\" VALUES ('2024-01-01', 5)")
        connection.execute("CREATE TABLE empty (at TEXT, value REAL)")
        connection.commit()
    return f"sqlite:///{path}"


@pytest.fixture(scope="module")
def postgres(postgres_url: str) -> str:
    engine = create_engine(postgres_url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in PLANT.split(";"):
            connection.exec_driver_sql(statement)
    engine.dispose()
    return postgres_url


def read(uri: str, **options: str) -> pl.DataFrame:
    return read_database(uri, SourceOptions(**options)).tables[0].frame


def test_a_table_is_read_as_pandas_reads_it(sqlite: str) -> None:
    raw = read_source(sqlite, SourceOptions(table="readings", id="sensor", value="value", extra="n"))
    engine = create_engine(sqlite, poolclass=NullPool)
    with engine.connect() as connection:
        reference = pd.read_sql(text("SELECT * FROM readings ORDER BY sensor, at"), connection)
    assert raw.frame["unique_id"].to_list() == reference["sensor"].to_list()
    assert raw.frame["ds"].dt.replace_time_zone(None).to_list() == pd.to_datetime(reference["at"]).to_list()
    assert raw.frame["y"].fill_null(-1).to_list() == reference["value"].fillna(-1).to_list()
    assert raw.frame["n"].to_list() == reference["n"].to_list()
    assert raw.frame["source_row"].to_list() == reference["n"].to_list()


def test_types_of_a_database_become_numbers_times_and_text(postgres: str) -> None:
    frame = read(postgres, table="plant.readings").filter(pl.col("source_row") == 1).drop("source_row", "__file__")
    assert dict(frame.schema) == {
        "sensor": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "local": pl.Datetime("us"),
        "day": pl.Date(),
        "value": pl.Float64(),
        "level": pl.Float64(),
        "ok": pl.Boolean(),
        "tags": pl.String(),
    }
    at, local = datetime(2024, 1, 1, 0, 3, tzinfo=UTC), datetime(2024, 1, 1, 0, 3)
    assert frame.row(0) == ("s0", at, local, date(2024, 1, 1), 0.375, 3 / 7, False, '{"n": 1}')


def test_postgres_and_pandas_agree(postgres: str) -> None:
    query = "SELECT sensor, at, value FROM plant.readings WHERE sensor LIKE 's%' AND at > '2024-01-01 00:10:00+00'"
    raw = read_source(postgres, SourceOptions(query=query))
    engine = create_engine(postgres, poolclass=NullPool)
    with engine.connect() as connection:
        reference = pd.read_sql(text(query), connection).sort_values(["sensor", "at"])
    engine.dispose()
    assert raw.frame["unique_id"].to_list() == reference["sensor"].to_list()
    assert raw.frame["ds"].to_list() == reference["at"].dt.tz_convert("UTC").to_list()
    assert raw.frame["y"].fill_null(-1).to_list() == reference["value"].astype(float).fillna(-1).to_list()


def test_local_times_get_the_zone_that_is_told(postgres: str) -> None:
    raw = read_source(postgres, SourceOptions(table="quick", zone="Asia/Seoul"))
    assert raw.frame["ds"].to_list() == [datetime(2023, 12, 31, 15, tzinfo=UTC), datetime(2024, 1, 1, 15, tzinfo=UTC)]
    assert raw.frame["unique_id"].unique().to_list() == ["quick"]
    assert "no id column: the series is named after its source (quick)" in raw.notes


def test_what_a_database_counts_as_no_number_is_missing_or_refused(postgres: str) -> None:
    values = "('NaN'::numeric), ('Infinity'), (2.5)"
    query = f"SELECT date '2024-01-01' AS ds, y FROM (VALUES {values}) AS t (y);"
    raw = read_source(postgres, SourceOptions(query=query)).frame
    assert raw.select("y", "y_text").rows() == [(None, None), (None, "inf"), (2.5, None)]
    with pytest.raises(InputError, match="timestamp too large"):
        read_source(postgres, SourceOptions(query="SELECT timestamp 'infinity' AS ds, 1 AS y"))


def test_a_wide_query_gives_a_series_a_column(postgres: str) -> None:
    raw = read_source(postgres, SourceOptions(query="SELECT date '2024-01-01' AS ds, 1 AS a, 2.5 AS b", wide=True))
    assert raw.frame.select("unique_id", "y").rows() == [("a", 1.0), ("b", 2.5)]


def test_rows_come_in_chunks_and_make_one_table(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = read(sqlite, table="readings")
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", 3)
    assert read(sqlite, table="readings").equals(whole)


def test_chunks_of_several_types_become_one(sqlite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROWS_AT_A_TIME", 1)
    query = "SELECT 1 AS a, NULL AS b, 'x' AS c, 1 AS d UNION ALL SELECT 2.5, 7, 3, NULL"
    assert read(sqlite, query=query).drop("source_row", "__file__").rows() == [(1.0, None, "x", 1), (2.5, 7, "3", None)]


def test_a_table_without_key_is_numbered_by_its_contents_and_a_query_by_its_own_order(sqlite: str) -> None:
    found = read_database(sqlite, SourceOptions(table="heap"))
    frame = found.tables[0].frame
    assert frame.equals(frame.sort("sensor", "at", "value"))
    assert "table 'heap' has no primary key: its rows are numbered in the order of their contents" in found.notes
    query = read(sqlite, query="SELECT sensor, at FROM heap ORDER BY at DESC -- newest first")
    assert query["at"].to_list() == sorted(query["at"], reverse=True)
    assert query["source_row"].to_list() == list(range(1, 21))


def test_views_and_odd_names_are_tables_too(sqlite: str, postgres: str) -> None:
    assert read(sqlite, table="hot")["value"].min() > 2
    assert read(sqlite, table="odd.name %s")["value"].to_list() == [5]
    assert read(postgres, table="public.quick").height == 2


def test_the_fingerprint_is_that_of_the_rows_and_shows_no_password(postgres: str) -> None:
    first, second = (read_database(postgres, SourceOptions(table="quick")).files[0] for _ in range(2))
    other = read_database(postgres, SourceOptions(query="SELECT * FROM quick ORDER BY at DESC")).files[0]
    assert first == second
    assert first.sha256 != other.sha256
    assert first.rows == 2
    assert first.uri == make_url(postgres).render_as_string()
    assert "***" in first.uri


def test_nothing_can_be_written(postgres: str, sqlite: str) -> None:
    with module._connected(sqlite) as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM readings")
    with module._connected(postgres) as connection, pytest.raises(Exception, match="read-only"):
        connection.exec_driver_sql("DELETE FROM quick")
    assert read(postgres, table="quick").height == 2


def test_rows_come_by_a_cursor_on_the_server(postgres: str) -> None:
    # A cursor on the server shows in the statement that an error quotes.
    with pytest.raises(InputError, match=r"DECLARE .* CURSOR FOR select nope"):
        read(postgres, query="select nope from quick")


def test_a_password_comes_from_the_environment(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = postgres.replace(POSTGRES_QUOTED, "${PLANT_PASSWORD}")
    monkeypatch.setenv("PLANT_PASSWORD", POSTGRES_PASSWORD)
    found = read_database(uri, SourceOptions(table="quick"))
    assert found.files[0].uri == uri
    monkeypatch.delenv("PLANT_PASSWORD")
    with pytest.raises(InputError, match="needs the environment variable PLANT_PASSWORD"):
        read(uri, table="quick")


def test_a_wrong_password_is_refused_and_shown_nowhere(postgres: str) -> None:
    uri = postgres.replace(POSTGRES_QUOTED, "pea%40nut")
    with pytest.raises(InputError, match="password authentication failed") as caught:
        read(uri, table="quick")
    assert "nut" not in str(caught.value)
    # A log shows causes: the driver's own error must not be one.
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"table": "readings", "encoding": "cp949"},
            "--encoding says how text files are written, and 'sqlite.* Leave it",
        ),
        ({"table": "readings", "delimiter": ";"}, "--delimiter says how text files are written"),
        ({}, "needs --table or --query"),
        ({"table": "a", "query": "SELECT 1"}, "takes --table or --query, not both"),
        ({"table": "reading"}, r"no table 'reading' \(--table\); it has 'empty', 'heap', 'hot', .* mean 'readings'"),
        ({"table": "a.b"}, r"no table 'a.b' \(--table\)"),
        ({"table": "empty"}, "table 'empty' of .* has no rows"),
        ({"query": "DELETE FROM readings"}, "--query must be a SELECT"),
        ({"query": "/* SELECT */ DROP TABLE heap"}, "--query must be a SELECT"),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "gives the column 'a' more than once"),
        ({"query": "SELECT nope FROM heap"}, "cannot be read: no such column: nope"),
        ({"query": "WITH a AS (SELECT 1) DELETE FROM heap"}, "cannot be read: attempt to write a readonly database"),
        ({"query": "SELECT 1; DROP TABLE heap"}, "one statement at a time"),
        ({"query": "selection"}, "--query must be a SELECT"),
    ],
)
def test_what_cannot_be_read_says_what_and_the_way_out(sqlite: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(sqlite, **options)
    assert read(sqlite, table="heap").height == 20


READING = ["select 1 as a", " (SELECT 1)", "-- a\nWITH b AS (SELECT 1) SELECT * FROM b", "/*x*/VALUES (1)"]


@pytest.mark.parametrize("query", READING)
def test_reading_queries_are_known_by_their_first_word(query: str) -> None:
    assert module.READING.match(query)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:///nowhere.db", "there is no database file 'nowhere.db'"),
        ("sqlite://", "there is no database file ''"),
        ("mysql+pymysql://ann:pea@host/db", "needs the Python package 'pymysql'"),
        ("postgresql+odd://ann:pea@host/db", "Can't load plugin"),
        ("postgresql://ann:pea@host:port/db", "cannot be read"),
        ("postgres://ann:pea@127.0.0.1:1/db", "Connection refused"),
        ("postgres+psycopg://ann:pea@127.0.0.1:1/db", "Connection refused"),
    ],
)
def test_what_cannot_be_reached_is_named_without_its_password(uri: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read(uri, table="readings")
    assert "pea" not in str(caught.value)
    assert not Path("nowhere.db").exists()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("time,value\n2024-01-01,1\n" * 50)
    with pytest.raises(InputError, match="file is not a database"):
        read(f"sqlite:///{tmp_path / 'a.db'}", table="a")


def test_a_database_is_known_by_its_scheme() -> None:
    table = SourceOptions(table="a")
    assert is_database("sqlite:///a.db", SourceOptions())
    assert is_database("POSTGRESQL+psycopg://host/db", table)
    assert is_database("${DATABASE_URL}", table)
    assert not is_database("s3://bucket/a.csv", SourceOptions())
    assert not is_database("sales.csv", SourceOptions())
    with pytest.raises(InputError, match=r"--table reads a database, and 'sales.csv' is no SQLAlchemy URL"):
        is_database("sales.csv", table)
    with pytest.raises(InputError, match=r"--query reads a database, and 's3://bucket/a' is no SQLAlchemy URL"):
        is_database("s3://bucket/a", SourceOptions(query="SELECT 1"))
