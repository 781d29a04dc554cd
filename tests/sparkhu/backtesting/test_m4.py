from pathlib import Path

import polars as pl
import pytest

from sparkhu.backtesting.m4 import CUTOFF, M4, find_frequencies, read_m4
from sparkhu.backtesting.running import backtest
from sparkhu.errors import InputError


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name.replace('_', '-')}.csv").write_text(text)
    return folder


PAIR = {"Hourly_train": "V1,V2\nA,1\n", "Hourly_test": "V1,V2\nA,1\n"}
QUARTERLY = {
    "Quarterly_train": '"V1","V2","V3","V4"\n"Q1","1","2",""\n"Q2",3,4,5\n',
    "Quarterly_test": "V1,V2,V3\nQ1,6,7\nQ2,8,9\n",
}


def test_ragged_rows_end_at_one_instant_with_the_test_part_behind_it(tmp_path: Path) -> None:
    rows = read_m4(written(tmp_path, **QUARTERLY), ("Quarterly",))
    held = {
        name: part.select(pl.col("ds").dt.strftime("%Y-%m"), "y").rows()
        for (name,), part in rows.partition_by("unique_id", as_dict=True).items()
    }
    assert held == {
        "Quarterly/Q1": [("1999-07", 1.0), ("1999-10", 2.0), ("2000-01", 6.0), ("2000-04", 7.0)],
        "Quarterly/Q2": [("1999-04", 3.0), ("1999-07", 4.0), ("1999-10", 5.0), ("2000-01", 8.0), ("2000-04", 9.0)],
    }


def test_each_frequency_is_asked_what_the_competition_asked(tmp_path: Path) -> None:
    texts = {"train": "id,V2\nA,1\n", "test": "id,V2\nA,1\n"}
    names = ("Yearly", "Quarterly", "Monthly", "Weekly", "Daily", "Hourly")
    folder = written(tmp_path, **{f"{name}_{half}": text for name in names for half, text in texts.items()})
    found = find_frequencies(folder)
    folds = M4(found).plan(read_m4(folder, found)).folds
    assert [(fold.members[0], fold.horizon, fold.season_length, fold.period) for fold in folds] == [
        ("Yearly/A", 6, 1, "1y"),
        ("Quarterly/A", 8, 4, "1q"),
        ("Monthly/A", 18, 12, "1mo"),
        ("Weekly/A", 13, 1, "1w"),
        ("Daily/A", 14, 1, "1d"),
        ("Hourly/A", 48, 24, "1h"),
    ]
    assert {(fold.cutoff, fold.scaler) for fold in folds} == {(CUTOFF, "power")}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds none of Yearly-train.csv"),
        ({"Hourly_test": "V1,V2\nA,1\n"}, "lacks Hourly-train.csv"),
        ({"Hourly_train": "V1,V2\nA,1\n", "Hourly_test": "V1,V2\nB,1\n"}, "series 'A' is in only one of"),
        ({"Hourly_train": "V1,V2\nA,one\n", "Hourly_test": "V1,V2\nA,1\n"}, r"Hourly-train.csv', line 2: .* 'one'"),
        ({**PAIR, "Hourly_train": "V1,V2\nA,1\nB,2\nA,3\n"}, r"Hourly-train.csv', line 4: series 'A' stands twice"),
        ({**PAIR, "Hourly_test": "V1,V2\nA,1\n\n,7\n"}, r"Hourly-test.csv', line 4: the series has no name"),
        ({**PAIR, "Hourly_train": "V1,V2\nA,1,-inf\n"}, r"Hourly-train.csv', line 2: '-inf' is not finite"),
        ({"Hourly_train": "V1,V2\n", "Hourly_test": "V1,V2\n"}, r"Hourly-train.csv' holds no series"),
    ],
)
def test_files_that_cannot_be_used_are_named(tmp_path: Path, files: dict[str, str], message: str) -> None:
    folder = written(tmp_path, **files)
    with pytest.raises(InputError, match=message):
        read_m4(folder, find_frequencies(folder))


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        find_frequencies(tmp_path / "Hourly-train.csv")


def test_the_errors_on_hourly_are_those_that_are_published(evaluation_data: Path) -> None:
    folder = evaluation_data / "m4"
    found = find_frequencies(folder)
    # The yardsticks are the same whatever models are scaled by, and the power transform takes its time.
    protocol, bare = M4(found, scaler="standard"), ("seasonal_naive", "last_value")
    metrics = backtest(read_m4(folder, found), [], protocol, without_intervals=bare, leaks=False).metrics
    assert metrics["series"] == metrics["naive2"]["windows"] == 414
    assert metrics["naive2"]["smape"] == pytest.approx(18.383, abs=5e-4)
    assert metrics["naive2"]["mase"] == pytest.approx(2.395, abs=5e-4)
    assert metrics["naive2"]["owa"] == 1.0
    assert metrics["seasonal_naive"]["owa"] == pytest.approx(0.628, abs=5e-4)
