"""A source is read whole: every row is there, parsed or with its text; what cannot be read at all says so."""

import gzip
from datetime import UTC, datetime

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.sources import RAW_SCHEMA, SourceOptions, inspect_source, read_source

T1, T2 = datetime(2014, 1, 1, tzinfo=UTC), datetime(2014, 1, 2, tzinfo=UTC)


@pytest.fixture
def source(tmp_path):
    def write(content, name="tank.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def test_a_long_file_is_read_sorted_with_its_rows_numbered(source):
    raw = read_source(source("sensor,when,value\nb,2014-01-02,2\nb,2014-01-01,1\na,2014-01-01,3\n"))
    assert dict(raw.frame.schema) == RAW_SCHEMA
    assert raw.frame.select("unique_id", "ds", "y", "available_at", "source_row").rows() == [
        ("a", T1, 3.0, T1, 3),
        ("b", T1, 1.0, T1, 2),
        ("b", T2, 2.0, T2, 1),
    ]
    assert raw.notes == (
        "time column is 'when' (the only column that reads as a time)",
        "value column is 'value' (its name)",
        "id column is 'sensor' (its name)",
        "times are written as year-month-day",
        "times without an offset are taken in zone UTC",
    )


def test_a_source_without_ids_is_named_after_its_file(source):
    raw = read_source(source("date,flow\n2014-01-01,1\n", "north.tank.csv"))
    assert raw.frame["unique_id"].to_list() == ["north"]
    assert "no id column: the series is named after its file (north)" in raw.notes


def test_a_wide_file_gives_a_series_a_column(source):
    raw = read_source(source("date,b,a\n2014-01-01,1,\n2014-01-02,2,x\n"), SourceOptions(wide=True))
    assert raw.frame.select("unique_id", "y", "y_text", "source_row").rows() == [
        ("a", None, None, 1),
        ("a", None, "x", 2),
        ("b", 1.0, None, 1),
        ("b", 2.0, None, 2),
    ]


def test_broken_cells_stay_as_rows_with_their_text(source):
    raw = read_source(source("id,time,value\na,2014-01-01,1\na,soon,2\n,2014-01-01,3\na,2014-01-02,inf\na,,5\n"))
    assert raw.frame.sort("source_row").select("unique_id", "ds", "y", "ds_text", "y_text", "ds_reason").rows() == [
        ("a", T1, 1.0, None, None, None),
        ("a", None, 2.0, "soon", None, "time_unparsable"),
        (None, T1, 3.0, None, None, None),
        ("a", T2, None, None, "inf", None),
        ("a", None, 5.0, None, None, "time_missing"),
    ]


def test_rows_longer_than_the_header_are_refused_and_shorter_ones_lack_their_value(source):
    raw = read_source(source("time,value\n2014-01-01,1,5\n2014-01-02\n2014-01-02,7\n"))
    rows = raw.frame.sort("source_row").select("ds", "y", "available_at", "ds_text", "ds_reason").rows()
    assert rows == [
        (None, 1.0, None, "2014-01-01", "row_too_long"),
        (T2, None, T2, None, None),
        (T2, 7.0, T2, None, None),
    ]
    assert "1 rows have more fields than the header and are refused" in raw.notes


def test_blank_lines_are_no_rows_but_count_as_lines(source):
    raw = read_source(source("time,value\n2014-01-01,1\n\n2014-01-02,2\n\n"))
    assert raw.frame["source_row"].to_list() == [1, 3]


@pytest.mark.parametrize("tail", ['2014-01-02,"2\n2014-01-03,3\n', '2014-01-02,"2\n2014-01-03,"3\n'])
def test_an_open_quotation_mark_swallows_no_rows(source, tail):
    raw = read_source(source("time,value\n2014-01-01,1\n" + tail))
    assert raw.frame.height == 3
    assert raw.frame["y_text"][1] == '"2'
    assert any("quotation mark that is never closed" in note for note in raw.notes)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_break_in_quotation_marks_belongs_to_its_field_and_rows_keep_their_numbers(source, end):
    lines = ["time,value,id", '2014-01-01,1,"Tank ""A"",', 'north"', "", "2014-01-02,x,b", '2014-01-03,"3",b', ""]
    raw = read_source(source(end.join(lines)))
    assert raw.frame.select("unique_id", "source_row", "y", "y_text").rows() == [
        (f'Tank "A",{end}north', 1, 1.0, None),
        ("b", 3, None, "x"),
        ("b", 4, 3.0, None),
    ]
    assert not any("quotation" in note for note in raw.notes)


def test_many_line_breaks_in_quotation_marks_stay_whole(source):
    rows = [f'2014-01-01,{number},"a\n{number}",t{number % 3}\n' for number in range(20_000)]
    raw = read_source(source("time,value,note,id\n" + "".join(rows)), SourceOptions(value="value", id="id"))
    assert raw.frame.sort("source_row")["y"].to_list() == list(range(20_000))


@pytest.mark.parametrize("opened", ['"5 m,b\n2014-01-02,2,"6 m,b', '5 m",b\n2014-01-02,2,c,"d\ne"'])
def test_quotation_marks_that_enclose_no_whole_field_swallow_no_rows(source, opened):
    raw = read_source(
        source(f"time,value,note,id\n2014-01-01,1,{opened}\n2014-01-03,3,x,b\n"), SourceOptions(value="value", id="id")
    )
    assert raw.frame["y"].drop_nulls().sort().to_list() == [1, 2, 3]
    assert any("read as plain text" in note for note in raw.notes)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_in_the_header(source, delimiter):
    text = "time,value,id\n2014-01-01,1,a\n".replace(",", delimiter)
    assert read_source(source(text)).frame.select("unique_id", "y").rows() == [("a", 1.0)]


def test_decimal_commas_between_semicolons_are_read_and_said(source):
    raw = read_source(source("time;value\n2014-01-01;1,5\n2014-01-02;2,5\n"))
    assert raw.frame["y"].to_list() == [1.5, 2.5]
    assert "values have a decimal comma" in raw.notes


def test_commas_that_could_separate_thousands_stop_the_reading_of_their_column(source):
    rows = "".join(f"2014-01-{day:02d};{load}\n" for day, load in enumerate(["990", "999", "1,010", "1,011"], 1))
    with pytest.raises(InputError, match="column 'load': the comma in '1,010' could be a decimal point or separate"):
        read_source(source("time;load\n" + rows))
    raw = read_source(source("time;load\n" + rows + "2014-01-05;1,010.5\n"))
    assert raw.frame["y"].to_list() == [990, 999, 1010, 1011, 1010.5]
    assert "values have commas between thousands" in raw.notes


def test_gzip_a_byte_order_mark_and_windows_line_ends_are_read(source):
    text = b"\xef\xbb\xbftime,value\r\n2014-01-01,1\r\n"
    assert read_source(source(gzip.compress(text), "tank.csv.gz")).frame.select("unique_id", "y").rows() == [
        ("tank", 1.0)
    ]


def test_parquet_is_read_with_its_types(tmp_path):
    pl.DataFrame({"item_id": [7, 7, 8], "ds": [T2, T1, T1], "y": [float("inf"), float("nan"), 3]}).write_parquet(
        tmp_path / "a.parquet"
    )
    raw = read_source(str(tmp_path / "a.parquet"))
    assert raw.frame.select("unique_id", "ds", "y", "y_text").rows() == [
        ("7", T1, None, None),
        ("7", T2, None, "inf"),
        ("8", T1, 3.0, None),
    ]
    assert "times are typed (microseconds, zone UTC)" in raw.notes


def test_a_folder_is_read_in_order_of_name_and_markers_are_left_alone(source, tmp_path):
    source("time,value\n2014-01-02,2\n", "all/b.csv")
    source("time,value\n2014-01-01,1\n", "all/a/a.csv")
    source("time,value\n", "all/c.csv")
    source("nothing", "all/_SUCCESS.csv")
    source("nothing", "all/.hidden/x.csv")
    source("nothing", "all/readme.md")
    raw = read_source(str(tmp_path / "all"))
    assert raw.frame.select("unique_id", "source_row").rows() == [("a", 1), ("b", 2)]
    assert [(file.rows, file.size) for file in raw.files] == [(1, 24), (1, 24)]
    assert raw.files[0].sha256 != raw.files[1].sha256
    assert "2 files read in order of name; source rows are numbered on from file to file" in raw.notes
    assert any("c.csv' has no rows and is left out" in note for note in raw.notes)


def test_a_glob_and_a_uri_are_read(source, tmp_path):
    source("time,value\n2014-01-01,1\n", "x1.csv")
    source("date,y\n2014-01-01,1\n", "x2.csv")
    assert read_source(str(tmp_path / "x*.csv")).frame["unique_id"].to_list() == ["x1", "x2"]
    assert read_source((tmp_path / "x1.csv").as_uri()).frame["unique_id"].to_list() == ["x1"]


def test_available_at_is_taken_from_its_column_else_from_the_time(source):
    raw = read_source(source("time,value,available_at\n2014-01-01,1,2014-01-02\n2014-01-02,1,\n"))
    assert raw.frame["available_at"].to_list() == [T2, T2]


def test_a_column_that_numbers_the_rows_is_no_series(source):
    raw = read_source(source("id,time,value\n1,2014-01-01,5\n2,2014-01-02,6\n"))
    assert raw.frame["unique_id"].unique().to_list() == ["tank"]
    assert "column 'id' differs in every row, so it is no series; --id id takes it" in raw.notes


def test_rows_of_one_instant_are_one_a_series(source):
    raw = read_source(source("sensor,time,value\nboiler,2026-01-01,1\npump,2026-01-01,2\n3,2026-01-01,3\n"))
    assert raw.frame["unique_id"].to_list() == ["3", "boiler", "pump"]


def test_an_unnamed_index_is_no_value(source):
    raw = read_source(source(",time,flow\n0,2014-01-01,5\n1,2014-01-02,6\n"))
    assert raw.frame["y"].to_list() == [5.0, 6.0]


def test_given_columns_are_used_and_not_said(source):
    raw = read_source(source("t,u,v,k\n2014-01-01,1,2,a\n"), SourceOptions(time="t", value="v", id="k"))
    assert raw.frame.select("unique_id", "y").rows() == [("a", 2.0)]
    assert not any("column is" in note for note in raw.notes)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "has nothing in it"),
        ("time,value\n", {}, "has a header and no rows"),
        ("time,value\n\n \n", {}, "has a header and no rows"),
        ("time,value,value\n2014-01-01,1,2\n", {}, "column name 'value' more than once"),
        (
            "time,value\n2014-01-01,1\n",
            {"time": "Tine"},
            r"no column 'Tine' \(--time\); it has 'time', 'value'. Did you mean 'time'",
        ),
        ("time,value\n2014-01-01,1\n", {"id": "shop"}, r"no column 'shop' \(--id\)"),
        ("time,value\nx,1\n", {}, "no column with a time that can be parsed"),
        ("time,value\nx,1\ny,2\n", {"time": "time"}, "no time in column 'time' of .* it holds 'x', 'y'"),
        ("time,value\n2014-01-01,x\n", {}, "no number in column 'value' of .* it holds 'x'. Name the value column"),
        (
            "time,value\n2014-01-01,\n",
            {},
            "only missing values. Name another .* or this one, --value value, if",
        ),
        ("time,v\n2014-01-01,x\n2014-01-02,\n", {"value": "v"}, "it holds 'x'. Name another column with --value, or"),
        (
            "time,note\n2014-01-01,x\n2014-01-02,x\n",
            {},
            r"numbers beside the time; it has 'time' \(the time\), 'note' \(text\). Name the value .* --value",
        ),
        (
            "day,shop,opened,sort,none\n2014-01-01,a,2010-01-01,x,\n2014-01-02,b,2011-01-01,x,\n",
            {"time": "day"},
            r"'day' \(the time\), 'shop' \(text\), 'opened' \(times\), 'sort' \(text\), 'none' \(empty\). Name",
        ),
        (
            "day,id\n2014-01-01,1\n2014-01-01,2\n2014-01-02,1\n2014-01-02,2\n",
            {},
            r"numbers beside the time and the series; it has 'day' \(the time\), 'id' \(the series\)\.",
        ),
        ("time,a,b\n2014-01-01,x,\n", {"wide": True}, "no number in any series column .* Leave --wide out"),
        ("time\n2014-01-01\n", {"wide": True}, "there must be a column beside the time column 'time'"),
        (
            "time,u,v\n2014-01-01,1,2\n",
            {},
            "'u', 'v' could each be the value column. Say which with --value NAME or, where each is a series, --wide",
        ),
        (
            "date,timestamp,v\n2014-01-01,2014-01-01,2\n",
            {},
            "'date', 'timestamp' could each be the time column. Say which with --time NAME.",
        ),
        (
            "date,p,q,v\n2014-01-01,k,m,2\n2014-01-02,k,m,2\n",
            {},
            "'p', 'q' could each be the id column. Say which with --id",
        ),
        (
            "time,v\n2014-01-01,1\n",
            {"wide": True, "value": "v"},
            "--wide makes every column a series, so --value 'v' has no place",
        ),
        (
            "time,v\n2014-01-01,1\n",
            {"time": "v", "value": "v"},
            "column 'v' is given for two of --time, --value and --id",
        ),
        ("time,v\n2014-01-01,1\n", {"zone": "Mars"}, "zone must be an IANA time zone"),
        (b"time,v\n2014-01-01,\xff\n", {}, "is not UTF-8 text"),
        (b"\x1f\x8bbroken", {}, "cannot be read"),
        (b"PAR1broken", {}, "is not a whole Parquet file"),
    ],
)
def test_what_cannot_be_read_says_what_and_the_way_out(source, content, options, message):
    with pytest.raises(InputError, match=message):
        read_source(source(content), SourceOptions(**options))


def test_a_named_value_column_may_hold_only_missing_values(source):
    raw = read_source(source("time,v\n2014-01-01,\n2014-01-02,NA\n"), SourceOptions(value="v"))
    assert raw.frame.select("y", "y_text").rows() == [(None, None)] * 2


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no such file: '.*nowhere.csv'"):
        read_source(str(tmp_path / "nowhere.csv"))
    with pytest.raises(InputError, match="holds no file that can be read"):
        read_source(str(tmp_path))
    with pytest.raises(InputError, match="cannot be reached"):
        read_source("gopher://nowhere")


def test_a_look_says_what_a_run_would_read_and_what_is_wrong(source):
    rows = ["a,2014-01-01,1", "a,2014-01-01,2", "a,2014-01-02,", "a,soon,4", "a,2014-01-04,abc", "b,2014-01-01,NA"]
    look = inspect_source(source("id,time,value\n" + "\n".join(rows) + "\n"))
    (_, roles), *others = look.groups
    assert (roles.time.column, roles.values[0].column, roles.id.column, roles.wide) == ("time", "value", "id", False)
    assert (look.rows, look.series, look.notations, look.zone) == (6, 2, ("year-month-day",), "UTC")
    assert not others
    assert look.spans.rows() == [
        ("a", 5, 2, T1, datetime(2014, 1, 4, tzinfo=UTC)),
        ("b", 1, 0, T1, T1),
    ]
    assert look.problems == (
        "1 rows have a time that cannot be parsed, the first is row 4: 'soon'",
        "1 rows have a value that is no number, the first is row 5: 'abc'",
        "2 rows have a missing value, read as a marked gap",
        "series 'b' cannot be used: no observed value: every row is a marked gap",
        "1 instants (2 rows) hold several rows with distinct values; first in 'a' at 2014-01-01 00:00:00 UTC",
    )


def test_a_look_names_five_unusable_series_and_counts_the_rest(source):
    rows = "".join(f"s{number},2014-01-01,{'1' if number == 0 else ''}\n" for number in range(8))
    look = inspect_source(source("unique_id,ds,y\n" + rows))
    assert look.problems[-1] == "2 more series cannot be used"


def test_ten_percent_of_broken_rows_are_all_there(source):
    lines = [f"s,2014-01-01 00:{n // 60 % 60:02d}:{n % 60:02d},{n}" if n % 10 else "s,?,x" for n in range(3600)]
    raw = read_source(source("id,time,value\n" + "\n".join(lines)))
    assert raw.frame.height == 3600
    assert raw.frame["ds"].null_count() == 360


@pytest.mark.parametrize("preset", [("ett/ETTh1.csv", 121_940, 7), ("prices/stocks-daily.csv", 11_530, 5)])
def test_published_wide_files_are_read_without_a_broken_row(evaluation_data, preset):
    name, rows, series = preset
    look = inspect_source(str(evaluation_data / name), SourceOptions(wide=True))
    assert (look.rows, look.series, look.problems) == (rows, series, ())
