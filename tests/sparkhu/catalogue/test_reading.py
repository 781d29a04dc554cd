"""Metadata from files and databases: recognised safely, said aloud, and refused where they contradict themselves."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.catalogue import LIMITS, METADATA, read_metadata
from sparkhu.catalogue.checking import check_metadata
from sparkhu.catalogue.reading import source_name
from sparkhu.errors import InputError
from sparkhu.sections import Catalogue
from sparkhu.sources.secrets import sealed
from sparkhu.steps import validation
from tests.sparkhu.catalogue.conftest import series

Write = Callable[..., str]


@pytest.fixture
def csv(tmp_path: Path) -> Write:
    def write(*lines: str, name: str = "sensors.csv", encoding: str = "utf-8") -> str:
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding=encoding)
        return str(tmp_path / name)

    return write


FULL = (
    "unique_id,type,unit,group,valid_min,valid_max,alert_low,alert_high",
    "b,flow,m³/h,hall 2,0,,,12.5",
    "a,temp,°C,hall 1,-40,60,-20,45",
    "c,,,,,,,",
)
EXPECTED = series(
    ("a", "temp", "°C", "hall 1", -40.0, 60.0, -20.0, 45.0),
    ("b", "flow", "m³/h", "hall 2", 0.0, None, None, 12.5),
    ("c",),
)


def test_one_row_a_series_is_read_and_sorted(csv: Write, tmp_path: Path) -> None:
    uri = csv(*FULL)
    found = read_metadata(uri)
    data = Path(uri).read_bytes()
    assert found.frame.equals(EXPECTED)
    assert dict(found.frame.schema) == METADATA
    assert found.notes == ()
    assert found.name == uri
    assert found.files == (
        {"uri": uri, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": 3},
    )  # fmt: skip


def test_every_kind_of_file_gives_the_same(csv: Write, tmp_path: Path) -> None:
    EXPECTED.write_parquet(tmp_path / "m.parquet")
    (tmp_path / "m.jsonl").write_text("\n".join(json.dumps(row) for row in EXPECTED.to_dicts()))
    cp949 = csv(*(line.replace("m³", "m").replace("°C", "도") for line in FULL), name="k.csv", encoding="cp949")
    for name in ("m.parquet", "m.jsonl"):
        assert read_metadata(str(tmp_path / name)).frame.equals(EXPECTED), name
    assert read_metadata(cp949, Catalogue(encoding="cp949")).frame["unit"].to_list() == ["도", "m/h", None]


def test_other_usual_names_are_taken_and_said_and_the_rest_left_out(csv: Write) -> None:
    found = read_metadata(csv("Sensor ,KIND,uom,cluster,range_max,owner,min", "a,temp,K,x,9,ann,3"))
    assert found.frame.equals(series(("a", "temp", "K", "x", None, 9.0)))
    renamed = "unique_id is column 'Sensor', type is column 'KIND', unit is column 'uom', group is column 'cluster'"
    assert found.notes == (
        f"metadata: {renamed}, valid_max is column 'range_max'",
        "metadata: 'owner', 'min' left out",
    )


def test_its_own_name_wins_over_another_usual_one(csv: Write) -> None:
    found = read_metadata(csv("id,unique_id,group,position", "1,a,x,y"))
    assert found.frame.equals(series(("a", None, None, "x")))
    assert found.notes == ("metadata: 'id', 'position' left out",)


def test_numbers_may_be_names(tmp_path: Path) -> None:
    pl.DataFrame({"id": [2, 1], "unit": ["K", None]}).write_parquet(tmp_path / "m.parquet")
    assert read_metadata(str(tmp_path / "m.parquet")).frame.equals(series(("1",), ("2", None, "K")))


@pytest.mark.parametrize(
    ("column", "meant"),
    [("minimum_valid", "valid_min"), ("Valid Max", "valid_max"), ("alert hihg", "alert_high"), ("unts", "unit")],
)
def test_a_column_with_nearly_the_name_of_metadata_is_doubted_aloud(csv: Write, column: str, meant: str) -> None:
    other = "group" if meant != "group" else "unit"
    found = read_metadata(csv(f"id,{other},{column},owner", "a,x,3,ann"))
    assert found.doubts == (f"metadata: column '{column}' does not count; did you mean '{meant}'? Rename it then",)
    assert found.notes[-1] == f"metadata: '{column}', 'owner' left out"


def test_a_column_beside_the_one_that_is_meant_is_not_doubted(csv: Write) -> None:
    assert read_metadata(csv("id,valid_min,minimum_valid", "a,1,2")).doubts == ()


def test_words_for_missing_and_nan_are_no_limits(csv: Write, tmp_path: Path) -> None:
    assert read_metadata(csv("id,unit,valid_min,valid_max", " a , NULL ,NA,n/a")).frame.equals(series(("a",)))
    pl.DataFrame({"id": ["a"], "valid_min": [float("nan")]}).write_parquet(tmp_path / "m.parquet")
    assert read_metadata(str(tmp_path / "m.parquet")).frame.equals(series(("a",)))


def test_rows_that_repeat_count_once_and_that_is_said(csv: Write) -> None:
    found = read_metadata(csv("id,unit,owner", "a,K,ann", "a,K,bob", "b,K,ann", "a,K,ann"))
    assert found.frame.equals(series(("a", None, "K"), ("b", None, "K")))
    assert found.notes[-1] == "metadata: 2 rows repeat another word for word and count once"


HEADER = "id,valid_min,valid_max,alert_low,alert_high"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((HEADER, "a,50,0,,"), r"sensors.csv': series 'a' \(row 1\) has the valid range 50 to 0, which is reversed"),
        ((HEADER, "a,0,1,,", "b,2.5,0,,", "c,2,0,,", "d,2,0,,"), r"'b' \(row 2\) .* 2\.5 to 0.* So have 2 more series"),
        ((HEADER, "a,,,9,3"), r"'a' \(row 1\) has alert_low 9 and alert_high 3, so that every value would alert"),
        ((HEADER, "a,,,3,3"), r"has alert_low 3 and alert_high 3, so that every value would alert"),
        ((HEADER, "a,0,50,-1,"), r"'a' \(row 1\) has alert_low -1 outside its valid range 0 to 50: values there"),
        ((HEADER, "a,0,50,51,"), r"alert_low 51 outside its valid range 0 to 50"),
        ((HEADER, "a,0,,-1,"), r"alert_low -1 outside its valid range from 0:"),
        ((HEADER, "a,,50,,50.5"), r"alert_high 50\.5 outside its valid range up to 50:"),
        ((HEADER, "a,0,50,,-3"), r"alert_high -3 outside its valid range 0 to 50"),
        (("id,unit,valid_max", "a,K,3", "b,K,3", "a,°C,3"), r"'a' .* row 1 and row 3 .*: unit 'K' and '°C'"),
        (("id,unit,valid_max", "a,K,3", "a,K,"), r"valid_max 3 and none\. Keep one of the rows"),
        (("id,valid_min", "a,low"), r"valid_min 'low' of series 'a' is no number\. Correct it"),
        (("id,valid_min", "a,1", "b,x", "c,y"), r"'x' of series 'b' is no number\. Correct it\. \(1 more rows"),
        (("id,valid_max", "a,inf"), r"valid_max 'inf' of series 'a' is no limit; leave it blank where there is none"),
        (("id,valid_max", "a,-1e999"), r"valid_max '-1e999' of series 'a' is no limit"),
        (("id,valid_max", '"a","1,010"'), "the comma in '1,010' could be a decimal point or separate thousands"),
        (("id,unit", "a,K", " ,K", ",x"), r"row 2 \(and 1 more\) names no series in column 'id'"),
        (("id,sensor", "1,a"), r"'id', 'sensor' could each be the unique_id of a series\. Name it with --id of"),
        (("id,position,cluster", "1,a,b"), r"'position', 'cluster' could each be the group.* Rename .* 'group'"),
        (("unit,owner", "K,ann"), r"has no column with the series' names \(unique_id, id, .*\); it has 'unit'"),
        (("unique_id,ds,y", "a,2024-01-01,3"), r"says nothing of the series beside their names: it has 'unique_id'"),
        (("id,unit", "a,K,surplus"), r"row 1 has more fields than the header"),
        (("id,unit",), "a header and no rows"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_named_with_its_values_and_the_way_out(
    csv: Write, lines: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_metadata(csv(*lines))


def test_a_zero_byte_which_no_database_keeps_is_refused(tmp_path: Path) -> None:
    for column, row in (("unit", {"id": ["a"], "unit": ["K\0"]}), ("id", {"id": ["a\0"], "unit": ["K"]})):
        pl.DataFrame(row).write_parquet(tmp_path / "m.parquet")
        with pytest.raises(InputError, match=rf"has a zero byte in column '{column}'"):
            read_metadata(str(tmp_path / "m.parquet"))


def test_limits_that_touch_are_no_contradiction(csv: Write) -> None:
    found = read_metadata(csv(HEADER, "a,5,5,5,", "b,0,50,0,50", "c,,,,"))
    assert found.frame["alert_low"].to_list() == [5, 0, None]


def test_the_column_of_the_names_may_be_given(csv: Write) -> None:
    uri = csv("id,sensor,label,unit", "1,a,x,")
    assert read_metadata(uri, Catalogue(id="label")).frame.equals(series(("x",)))
    with pytest.raises(
        InputError, match=r"has no column 'nam' for the .* it has 'id', .* with --set catalogue\.id=COL"
    ):
        read_metadata(uri, Catalogue(id="nam"))


LIMIT = st.one_of(st.none(), st.integers(-3, 3))


@given(st.lists(st.tuples(LIMIT, LIMIT, LIMIT, LIMIT), min_size=1, max_size=4))
def test_exactly_the_limits_that_fit_together_pass(rows: list[tuple[int | None, ...]]) -> None:
    frame = series(*[(f"s{number}", None, None, None, *row) for number, row in enumerate(rows)])

    def fits(low: int | None, high: int | None, alert_low: int | None, alert_high: int | None) -> bool:
        levels = [each for each in (alert_low, alert_high) if each is not None]
        return (
            (low is None or high is None or low <= high)
            and (alert_low is None or alert_high is None or alert_low < alert_high)
            and all(low is None or level >= low for level in levels)
            and all(high is None or level <= high for level in levels)
        )

    numbered = frame.with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int64))
    if all(fits(*row) for row in rows):
        checked, notes = check_metadata(numbered, "m")
        assert checked.equals(frame)
        assert notes == []
    else:
        with pytest.raises(InputError, match=r"^m: series 's"):
            check_metadata(numbered, "m")


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with a table of sensors."""
    url = f"sqlite:///{tmp_path}/plant.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    with sa.create_engine(url, poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS sensors"))
        connection.execute(
            sa.text('CREATE TABLE sensors (sensor VARCHAR PRIMARY KEY, uom TEXT, "range_max" NUMERIC(9, 2), hall INT)')
        )
        connection.execute(sa.text("INSERT INTO sensors VALUES ('b', NULL, 7.25, 2), ('a', '%', NULL, 1)"))
    return url


def test_a_table_and_a_query_of_a_database_are_read(plant: str) -> None:
    table = read_metadata(plant, Catalogue(table="sensors"))
    assert table.frame.equals(series(("a", None, "%"), ("b", None, None, None, None, 7.25)))
    assert "s3cret" not in str(table)
    assert table.name.endswith("#sensors")
    asked = "SELECT sensor, 'hall ' || hall AS \"group\" FROM sensors WHERE uom LIKE '%' OR uom = ':x' ORDER BY 1"
    query = read_metadata(plant, Catalogue(query=asked))
    assert query.frame.equals(series(("a", None, None, "hall 1")))
    assert query.files[0]["rows"] == 1
    assert "s3cret" not in str(query)


def test_a_database_without_rows_is_refused_for_it_would_remove_every_series(plant: str) -> None:
    with pytest.raises(InputError, match="has no rows"):
        read_metadata(plant, Catalogue(query="SELECT * FROM sensors WHERE hall = 3"))
    with pytest.raises(InputError, match="--table or --query") as caught:
        read_metadata(plant)
    assert "s3cret" not in str(caught.value)


def test_a_table_is_for_a_database(csv: Write) -> None:
    with pytest.raises(InputError, match="--table reads a database"):
        read_metadata(csv("id", "a"), Catalogue(table="sensors"))


def test_a_source_is_named_without_secrets_and_apart_from_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://ann:pea@db/plant"
    assert source_name(url, Catalogue(table="t")) == "postgresql://ann:***@db/plant#t"
    assert source_name(sealed(url)[0], Catalogue(table="t")) == "postgresql://ann:***@db/plant#t"
    one, two = (source_name(url, Catalogue(query=query)) for query in ("SELECT 1", "SELECT 2"))
    assert one.startswith("postgresql://ann:***@db/plant#query-")
    assert one != two
    monkeypatch.chdir(tmp_path)
    assert source_name("m.csv", Catalogue()) == str(tmp_path / "m.csv")
    assert source_name("sqlite:///p.db", Catalogue(table="t")) == f"sqlite:///{tmp_path}/p.db#t"
    assert source_name("sqlite:////x/p.db", Catalogue(table="t")) == "sqlite:////x/p.db#t"
    assert source_name("s3://bucket/m.csv", Catalogue()) == "s3://bucket/m.csv"
    assert source_name("${PLANT}", Catalogue(table="t")) == "${PLANT}#t"
    assert source_name("m.csv", Catalogue(name="plant")) == "plant"


def test_validation_knows_the_same_limits() -> None:
    assert {name: METADATA[name] for name in validation.LIMITS} == validation.LIMITS
    assert set(LIMITS) < validation.LIMITS.keys()
