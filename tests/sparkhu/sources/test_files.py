"""Files are found wherever fsspec reaches, opened whole, and named without passwords."""

import gzip
import os
import random
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import fsspec
import polars as pl
import pytest
import s3fs

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, read_source
from tests.services import S3Endpoint

ROW = "time,value\n2024-01-01,1\n"
MANY_ROWS_GZIPPED = gzip.compress(ROW.encode() * 50, mtime=0)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def written(name: str, content: str | bytes = ROW) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return written


@pytest.fixture
def bucket(s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name, value in s3_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    folder = s3_endpoint.folder / "plant"
    folder.mkdir(exist_ok=True)
    yield folder
    s3fs.S3FileSystem.clear_instance_cache()


def series(uri: str | Path, **options: str) -> list[str]:
    return read_source(str(uri), SourceOptions(**options)).frame["unique_id"].unique().sort().to_list()


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.csv", ["a1", "a2", "b1"]),
        ("a?.csv", ["a1", "a2"]),
        ("[ab]1.csv", ["a1", "b1"]),
        ("a[!1].csv", ["a2"]),
        ("**/*.csv", ["a1", "a2", "b1", "c1", "d1"]),
        ("**", ["a1", "a2", "b1", "c1", "d1"]),
        ("sub*", ["c1", "d1"]),
        ("sub/d*p", ["d1"]),
    ],
)
def test_globs_match_files_and_folders(
    write: Callable[..., Path], tmp_path: Path, pattern: str, found: list[str]
) -> None:
    for name in ("a1.csv", "a2.csv", "b1.csv", "sub/c1.csv", "sub/deep/d1.csv"):
        write(name)
    assert series(tmp_path / pattern) == found


def test_signs_of_a_glob_may_stand_in_a_name(write: Callable[..., Path]) -> None:
    assert series(write("[1] tank*.csv")) == ["[1] tank*"]


def test_links_lead_to_files_and_folders(write: Callable[..., Path], tmp_path: Path) -> None:
    write("real/a.csv")
    (tmp_path / "to-folder").symlink_to(tmp_path / "real")
    (tmp_path / "to-file.csv").symlink_to(tmp_path / "real" / "a.csv")
    assert series(tmp_path / "to-folder") == ["a"]
    assert series(tmp_path / "to-file.csv") == ["to-file"]
    assert series(tmp_path / "to-*") == ["a", "to-file"]


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("{}/a.csv/b", "cannot be reached: .*Not a directory"),
        ("", "the source is empty"),
        ("zip://a.csv::{}/nowhere.zip", "cannot be reached|no such file"),
        ("zip://a.csv::{}/a.csv", "cannot be reached: File is not a zip file"),
        ("memory://nowhere", "there is no such file"),
    ],
)
def test_odd_uris_are_errors_of_the_input(write: Callable[..., Path], tmp_path: Path, uri: str, message: str) -> None:
    write("a.csv")
    with pytest.raises(InputError, match=message):
        series(uri.format(tmp_path))


def test_files_of_s3_are_read_alone_by_glob_and_by_folder(bucket: Path) -> None:
    for name in ("a.csv", "day/b.csv", "day/c.csv.gz"):
        (bucket / name).parent.mkdir(exist_ok=True)
        (bucket / name).write_bytes(gzip.compress(ROW.encode()) if name.endswith("gz") else ROW.encode())
    pl.DataFrame({"time": [datetime(2024, 1, 1, tzinfo=UTC)], "value": [1.5]}).write_parquet(
        bucket / "day" / "d.parquet"
    )
    raw = read_source("s3://plant/a.csv")
    assert [file.uri for file in raw.files] == ["s3://plant/a.csv"]
    assert series("s3://plant/day") == ["b", "c", "d"]
    assert series("s3://plant/**/*.csv") == ["a", "b"]
    assert series("s3://plant/day/[bc].*") == ["b", "c"]


def test_s3_that_refuses_or_lacks_a_key_is_an_error_of_the_input(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"there is no such file: 's3://plant/nowhere.csv'"):
        series("s3://plant/nowhere.csv")
    with pytest.raises(InputError, match=r"there is no such file: 's3://nobucket/a.csv'"):
        series("s3://nobucket/a.csv")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(InputError, match=r"'s3://plant/a.csv' cannot be reached: .* credentials") as caught:
        series("s3://plant/a.csv")
    assert "wrong-secret" not in str(caught.value)


def test_an_s3_service_that_is_away_is_an_error_of_the_input(bucket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(InputError, match=r"cannot be reached: .*Could not connect"):
        series("s3://plant/a.csv")


def test_memory_and_archives_are_read_by_their_uris(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/plant/a.csv", ROW.encode())
    raw = read_source("memory://plant/a.csv")
    assert raw.files[0].uri == "memory:///plant/a.csv"
    memory.rm("/plant", recursive=True)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("in/a.csv", ROW)
        archive.writestr("in/b.jsonl", '{"time":"2024-01-01","value":2}\n')
    raw = read_source(f"zip://in/*::{tmp_path / 'all.zip'}")
    assert raw.frame["unique_id"].to_list() == ["a", "b"]
    assert raw.files[0].uri == f"zip://in/a.csv::{tmp_path / 'all.zip'}"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "has nothing in it"),
        ("a.csv", b"\n\n", "has nothing in it"),
        ("a.csv", b"time,value\n", "has a header and no rows"),
        ("a.csv.gz", MANY_ROWS_GZIPPED[:-12], "cannot be read: .* Check that it is complete"),
        (
            "a.csv.gz",
            MANY_ROWS_GZIPPED[:30] + b"xxxx",
            "cannot be read: .* Check that it is complete",
        ),
        ("a.csv", random.Random(1).randbytes(5000), "is not UTF-8 text"),
        ("a.parquet", b"PAR1" + b"x" * 100, "is not a whole Parquet file"),
        ("a.parquet", b"hello\n", "'a.parquet' is no Parquet file: it does not begin with PAR1"),
        ("a.PQ", ROW.encode(), "'a.PQ' is no Parquet file"),
        ("a.jsonl", b'{"time"\n', "no line of 'a.jsonl' is a JSON object"),
    ],
)
def test_broken_files_say_what_they_are(write: Callable[..., Path], name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        series(write(name, content))


def test_a_file_that_may_not_be_read_is_an_error_of_the_input() -> None:
    # Root may read everything, so it looks as somebody else, in a folder that anybody may enter.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_text(ROW)
        path.chmod(0)
        Path(folder).chmod(0o755)
        user = os.geteuid()
        if not user:
            os.seteuid(65_534)
        try:
            with pytest.raises(InputError, match=r"'.*a.csv' cannot be read: .*Permission denied"):
                series(path)
        finally:
            os.seteuid(user)


def test_an_unknown_scheme_is_named() -> None:
    with pytest.raises(InputError, match=r"'gopher://host/a.csv' cannot be reached: .*gopher"):
        series("gopher://host/a.csv")


@pytest.mark.parametrize("uri", ["ftp://ann:pea@127.0.0.1:1/a.csv", "http://ann:pea@127.0.0.1:1/a.csv?token=nut"])
def test_what_cannot_be_reached_is_named_without_its_password(uri: str) -> None:
    with pytest.raises(InputError, match=r"cannot be reached|no such file") as caught:
        series(uri)
    assert "pea" not in str(caught.value)
    assert "nut" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_variable_in_a_path_is_taken_from_the_environment(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANT_FOLDER", str(write("a.csv").parent))
    assert series("${PLANT_FOLDER}/a.csv") == ["a"]


@pytest.mark.parametrize("told", [";", "tab", "\\t", "\t", "^", " ", "§", "¦"])
def test_a_told_delimiter_splits_the_fields(write: Callable[..., Path], told: str) -> None:
    sign = "\t" if told in ("tab", "\\t") else told
    text = f'time{sign}value{sign}note\n2024-01-01{sign}"1,5"{sign}"a{sign}b"\n2024-01-02{sign}2,5{sign}c\n'
    raw = read_source(str(write("a.csv", text)), SourceOptions(delimiter=told, extra="note", decimal=","))
    assert raw.frame.select("y", "note").rows() == [(1.5, f"a{sign}b"), (2.5, "c")]


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (";;", "--delimiter must be one sign"),
        ('"', "--delimiter must be one sign"),
        ("\n", "--delimiter must be one sign"),
        ("|", r"--delimiter '\|' does not stand in the header of 'a.csv': time,value"),
    ],
)
def test_a_delimiter_that_cannot_be_is_refused(write: Callable[..., Path], told: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        series(write("a.csv"), delimiter=told)


def test_a_comma_inside_a_quoted_name_is_no_delimiter(write: Callable[..., Path]) -> None:
    text = 'time;"value, in kW, of all"\n2024-01-01;1\n'
    assert read_source(str(write("a.csv", text))).frame["y"].to_list() == [1.0]


@pytest.mark.parametrize(("decimal", "y"), [(",", [1010.0, 1.5]), (".", [1.01, None])])
def test_a_told_decimal_sign_settles_what_a_comma_is(write: Callable[..., Path], decimal: str, y: list[float]) -> None:
    path = write("a.csv", "time;value\n2024-01-01;1.010\n2024-01-02;1,5\n")
    assert read_source(str(path), SourceOptions(decimal=decimal)).frame["y"].to_list() == y


def test_a_comma_that_could_be_either_names_the_option(write: Callable[..., Path]) -> None:
    path = write("a.csv", "time;value\n2024-01-01;1,010\n2024-01-02;1,011\n")
    with pytest.raises(InputError, match=r"--decimal \. or --decimal ,"):
        series(path)
    assert read_source(str(path), SourceOptions(decimal=".")).frame["y"].to_list() == [1010, 1011]
    assert read_source(str(path), SourceOptions(decimal=",")).frame["y"].to_list() == [1.01, 1.011]
    with pytest.raises(InputError, match=r"--decimal must be \. or , and is ';'"):
        series(path, decimal=";")


def test_each_file_of_a_folder_has_its_own_decimal_sign_and_that_is_said(write: Callable[..., Path]) -> None:
    write("1.csv", b"unique_id;ds;y\na;2024-03-01;1000,25\na;2024-03-02;1001,75\n")
    folder = write("2.csv", b"unique_id;ds;y\na;2024-03-03;1036.25\na;2024-03-04;1037.75\n").parent
    raw = read_source(str(folder))
    assert raw.frame["y"].to_list() == [1000.25, 1001.75, 1036.25, 1037.75]
    comma, several = raw.notes[-2:]
    assert comma == "values have a decimal comma"
    assert several == (
        f"column 'y' of '{folder / '1.csv'}' and 1 more is written in several ways, each file read by its own: "
        "1,5 in 1; 1.5 in 1"
    )
