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
        "* champion; MSE and MAE standardised",
    ]


def test_one_group_needs_no_line_over_all() -> None:
    models = {"linear": scores(0.25)}
    lines = shown({"units": "u", "champion": None, **models, "groups": {"1h/24": models}, "series": []})
    assert [line.split()[0] for line in lines[2:-1]] == ["1h/24"]


def test_nothing_is_shown_where_nothing_was_scored() -> None:
    assert shown({"units": "u", "champion": None, "groups": {}, "series": []}) == []
