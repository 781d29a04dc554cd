"""The table at the end of a run."""

import io
from typing import Any

from sparkhu_cli.summary import show_accuracy
from sparkhu_cli.terminal import Terminal


def shown(metrics: dict[str, Any]) -> list[str]:
    stream = io.StringIO()
    show_accuracy(metrics, Terminal(stream))
    return stream.getvalue().splitlines()


def scores(mse: float, smape: float | None = 10.0) -> dict[str, Any]:
    return {"mse": mse, "mae": 0.5, "smape": smape, "mase": 1.5}


def test_each_group_has_its_models_and_all_come_last() -> None:
    models = {"linear": scores(0.25), "seasonal_naive": scores(0.5, None)}
    lines = shown(
        {
            "units": "standardised",
            "champion": "linear",
            **models,
            "groups": {"1h/24": models, "1d/7": {"linear": scores(123.4)}},
            "series": [
                {"unique_id": "a", "group": "1h/24", **models},
                {"unique_id": "b", "group": "1h/24", **models},
                {"unique_id": "c", "group": "1d/7", "linear": scores(123.4)},
            ],
        }
    )
    assert lines == [
        "",
        "group  series  model             MSE    MAE  sMAPE  MASE",
        "1h/24       2  linear *        0.250  0.500   10.0  1.50",
        "               seasonal_naive  0.500  0.500      –  1.50",
        "1d/7        1  linear *          123  0.500   10.0  1.50",
        "all         3  linear *        0.250  0.500   10.0  1.50",
        "               seasonal_naive  0.500  0.500      –  1.50",
        "* champion; MSE and MAE standardised; of a group over its points, of all the mean over series",
    ]


def test_of_one_group_the_figures_are_those_of_the_report_the_mean_over_series() -> None:
    groups = {"1h/24": {"linear": scores(0.247)}}
    lines = shown({"units": "u", "champion": None, "linear": scores(0.254), "groups": groups, "series": []})
    assert [line.split()[:3] for line in lines[2:-1]] == [["1h/24", "linear", "0.254"]]
    assert lines[-1] == "* champion; MSE and MAE u, the mean over series"


def test_nothing_is_shown_where_nothing_was_scored() -> None:
    assert shown({"units": "u", "champion": None, "groups": {}, "series": []}) == []
