"""The table of trials has one row a trial, typed by its parameters."""

from datetime import UTC, datetime, timedelta

import polars as pl

from sparkhu.tuning.space import Parameter
from sparkhu.tuning.tables import trials_table
from sparkhu.tuning.trials import Observation, Trial

SPACE = (
    Parameter("n", "int", 1, 5),
    Parameter("lr", "double", 0, 1),
    Parameter("batch", "discrete", choices=("16", "0.5")),
    Parameter("kind", "categorical", choices=("1", "b")),
)
NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_values_have_the_types_of_their_parameters_and_metrics_their_strategy() -> None:
    trial = Trial(
        number=3,
        name="tuned-0003",
        assignment={"kind": "1", "batch": "16", "lr": "0.1", "n": "2"},
        status="Succeeded",
        started=NOON,
        ended=NOON + timedelta(seconds=1.5),
        observations=(Observation("loss", "0.7", "0.5", "0.9"), Observation("acc", "high", "0.1", "0.2")),
        objective=0.5,
        message="fine",
    )
    running = Trial(4, "tuned-0004", trial.assignment, started=NOON)
    table = trials_table([trial, running], SPACE, {"loss": "min", "acc": "latest"})
    values = {"param.n": 2, "param.lr": 0.1, "param.batch": 16.0, "param.kind": "1"}
    first = {"trial": 3, "name": "tuned-0003", "status": "Succeeded", "objective": 0.5, "started": NOON}
    first |= {"ended": NOON + timedelta(seconds=1.5), "seconds": 1.5, **values}
    assert table.row(0, named=True) == {**first, "metric.loss": 0.5, "metric.acc": None, "message": "fine"}
    nothing = {"objective": None, "ended": None, "seconds": None, "metric.loss": None, "metric.acc": None}
    second = {"trial": 4, "name": "tuned-0004", "status": "Running", "started": NOON, "message": "", **values}
    assert table.row(1, named=True) == {**nothing, **second}


def test_an_experiment_without_trials_has_an_empty_table_of_the_same_columns() -> None:
    table = trials_table([], SPACE, {"loss": "min"})
    assert table.schema == {
        "trial": pl.Int64,
        "name": pl.String,
        "status": pl.String,
        "objective": pl.Float64,
        "started": pl.Datetime("us", "UTC"),
        "ended": pl.Datetime("us", "UTC"),
        "seconds": pl.Float64,
        "param.n": pl.Int64,
        "param.lr": pl.Float64,
        "param.batch": pl.Float64,
        "param.kind": pl.String,
        "metric.loss": pl.Float64,
        "message": pl.String,
    }
