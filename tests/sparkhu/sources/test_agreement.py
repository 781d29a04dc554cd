"""Files of one source never mix columns of different names into one series without a word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.sources import SourceOptions, inspect_source, read_source

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def file(name: str, content: str) -> Path:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        return tmp_path

    return file


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            "unique_id,ds,y\na,2024-01-01,1\n",
            "unique_id,ds,z\na,2024-01-02,2\n",
            r"value column would be 'y' \(its name\) in '.*1.csv' and 'z' \(.*2.csv'.*--value NAME, .*read .* apart",
        ),
        (
            "unique_id,ds,y\na,2024-01-01,1\n",
            "unique_id,date,y\na,2024-01-02,2\n",
            r"time column would be 'ds' .*1.csv' and 'date' .*--time NAME",
        ),
        (
            "sensor,ds,y\na,2024-01-01,1\na,2024-01-02,1\n",
            "station,ds,y\na,2024-01-03,2\na,2024-01-04,1\n",
            r"id column would be 'sensor' .*1.csv' and 'station' .*--id NAME",
        ),
        (
            "sensor,ds,y\na,2024-01-01,1\na,2024-01-02,1\n",
            "ds,y\n2024-01-03,2\n",
            r"id column would be 'sensor' .*1.csv' and none in '.*2.csv'",
        ),
    ],
)
def test_a_role_that_was_guessed_otherwise_in_another_file_is_refused(
    write: Write, first: str, second: str, message: str
) -> None:
    write("1.csv", first)
    with pytest.raises(InputError, match=message):
        read_source(str(write("2.csv", second)))


def test_files_of_one_name_are_one_series_and_must_agree(write: Write) -> None:
    write("2023/tank.csv", "ds,level\n2023-01-01,1\n")
    with pytest.raises(InputError, match=r"'level' .*2023/tank.csv' and 'flow' .*let each be a series with --wide"):
        read_source(str(write("2024/tank.csv", "ds,flow\n2024-01-01,1\n")))


def test_files_that_are_a_series_each_may_name_their_columns_as_they_like(write: Write) -> None:
    write("GDP.csv", "DATE,GDP\n2024-01-01,1\n")
    folder = write("UNRATE.csv", "observation_date,UNRATE\n2024-01-01,2\n")
    assert read_source(str(folder)).frame.select("unique_id", "y").rows() == [("GDP", 1.0), ("UNRATE", 2.0)]


def test_names_that_differ_in_case_or_spaces_are_the_same(write: Write) -> None:
    write("1.csv", "unique_id,ds,Power\na,2024-01-01,1\n")
    folder = write("2.csv", "unique_id,DS,power\na,2024-01-02,2\n")
    assert read_source(str(folder)).frame["y"].to_list() == [1.0, 2.0]


def test_a_column_that_the_user_named_is_taken_from_every_file(write: Write) -> None:
    write("1.csv", "unique_id,ds,y,z\na,2024-01-01,1,5\n")
    folder = write("2.csv", "unique_id,ds,z\na,2024-01-02,6\n")
    assert read_source(str(folder), SourceOptions(value="z")).frame["y"].to_list() == [5.0, 6.0]


def test_series_of_a_wide_source_may_stand_in_any_file(write: Write) -> None:
    write("1.csv", "ds,a\n2024-01-01,1\n")
    folder = write("2.csv", "ds,b\n2024-01-01,2\n")
    assert read_source(str(folder), SourceOptions(wide=True)).frame["unique_id"].to_list() == ["a", "b"]


def test_a_look_tells_the_roles_of_every_group_of_files(write: Write) -> None:
    write("GDP.csv", "ds,GDP\n2024-01-01,1\n")
    look = inspect_source(str(write("UNRATE.csv", "ds,UNRATE\n2024-01-01,2\n")))
    assert [(name.rpartition("/")[2], roles.values[0].column) for name, roles in look.groups] == [
        ("GDP.csv'", "GDP"),
        ("UNRATE.csv'", "UNRATE"),
    ]
