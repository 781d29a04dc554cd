"""What the charts of single series need, thinned for drawing: curves, flags, gaps, forecasts, scores."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from sparkhu.report.accuracy import Accuracy
from sparkhu.report.background import Background
from sparkhu.report.downsampling import POINTS, Flags, rows_to_draw, runs
from sparkhu.report.overview import Overview
from sparkhu.report.parts import decomposition
from sparkhu.report.points import numbers, of_series, short, times, values
from sparkhu.report.reading import Results

WORST, SAMPLE = 50, 50
BATCH = 20
RECENT_HORIZONS, FEWEST_RECENT, MOST_RECENT = 2, 48, 400
BOUNDS = ("lo_80", "hi_80", "lo_95", "hi_95")


def choose_series(overview: Overview, *, worst: int = WORST, sample: int = SAMPLE) -> tuple[list[str], list[str]]:
    """Choose the series to draw, of those that have values.

    Returns:
        The worst beside seasonal naive (all series, where they are at most `worst + sample`), and of the others as many
        as `sample`, evenly spread over their errors: from worse to better.
    """
    frame = overview.frame
    ids = (frame.drop_nulls("points") if "points" in frame.columns else frame)["unique_id"].to_list()
    if len(ids) <= worst + sample:
        return ids, []
    rest = ids[worst:]
    return ids[:worst], [rest[int(place)] for place in np.linspace(0, len(rest) - 1, sample)]


class Drawn(NamedTuple):
    """What a series' card shows at once, and its decomposition, which opens on demand (None where it has none)."""

    card: dict[str, Any]
    parts: dict[str, Any] | None


def drawings(results: Results, accuracy: Accuracy, ids: list[str]) -> Iterator[Drawn]:
    """Give for each series what its charts show, a few series in memory at a time."""
    background = Background(results, ids)
    for begin in range(0, len(ids), BATCH):
        batch = ids[begin : begin + BATCH]
        clean = of_series(results, "clean", batch)
        forecasts = of_series(results, "forecasts", batch)
        for name in batch:
            forecast = _forecast(forecasts.get(name))
            rows = clean.get(name)
            parts = None if rows is None else decomposition(rows.sort("ds"), background.limits(name))
            card = {
                "id": name,
                **_history(rows, forecast),
                "forecast": forecast,
                "errors": _errors(accuracy, name),
                **background.of(name),
                "decomposed": parts is not None,
            }
            yield Drawn(card, parts)


def _history(rows: pl.DataFrame | None, forecast: dict[str, Any] | None) -> dict[str, Any]:
    """Give all of a series thinned, and its last stretch in full for beside the forecast."""
    if rows is None:
        return {"history": None, "recent": None, "rows": 0}
    rows = rows.sort("ds")
    history = trace(rows, POINTS)
    if forecast is None:
        return {"history": history, "recent": None, "rows": rows.height}
    longest = max(len(model["t"]) for model in forecast["models"].values())
    recent = min(max(RECENT_HORIZONS * longest, FEWEST_RECENT), MOST_RECENT)
    return {"history": history, "recent": trace(rows.tail(recent), MOST_RECENT), "rows": rows.height}


def trace(rows: pl.DataFrame, points: int) -> dict[str, Any]:
    """Give the curves of a series thinned to about `points` points.

    Args:
        rows: The rows of one series, sorted by `ds`, with `y`, `y_raw`, the flags and the strategies.
        points: About how many to keep; flagged points stay all, and of a stretch of alerts its first.

    Returns:
        `t` (see `times`), `y` and `raw` (null where there is no value); `outliers`, `filled`, `anomalies`, `alerts` and
        `replaced` (anomalies with another value in their place), each as places in these lists; `gaps` (pairs of
        places: the last point before and the first after); counts: `outlying`, `fills`, `anomalous`, `alerting`,
        `handled`; `ways` (how handled).
    """
    clean, raw = values(rows["y"]), values(rows["y_raw"])
    outlier, anomaly, alert = _flag(rows, "is_outlier"), _flag(rows, "is_anomaly"), _flag(rows, "is_alert")
    filled, handled = rows["fill_strategy"].is_not_null().to_numpy(), rows["anomaly_strategy"].is_not_null().to_numpy()
    missing = _flag(rows, "is_gap") | np.isnan(raw)
    spans = [(max(first - 1, 0), min(last + 1, rows.height - 1)) for first, last in runs(missing)]
    borders = [row for first, last in spans for row in {first, min(first + 1, last), max(last - 1, first), last}]
    borders += [first for first, _ in runs(alert)]
    bordering = np.isin(np.arange(rows.height), borders)
    keep = rows_to_draw([clean, raw], outlier | filled | anomaly | bordering, points=points)
    kept = set(keep.tolist())
    flags = {
        "outliers": outlier,
        "filled": filled,
        "anomalies": anomaly,
        "alerts": alert,
        "replaced": anomaly & handled,
    }
    counts = {"outlying": outlier, "fills": filled, "anomalous": anomaly, "alerting": alert, "handled": handled}
    return {
        "t": times(rows["ds"].gather(keep)),
        "y": numbers(rows["y"].gather(keep)),
        "raw": numbers(rows["y_raw"].gather(keep)),
        **{name: np.flatnonzero(flag[keep]).tolist() for name, flag in flags.items()},
        "gaps": [np.searchsorted(keep, span).tolist() for span in spans if kept.issuperset(span)],
        **{name: int(flag.sum()) for name, flag in counts.items()},
        "ways": rows["anomaly_strategy"].drop_nulls().unique().sort().to_list(),
    }


def _flag(rows: pl.DataFrame, name: str) -> Flags:
    return rows[name].fill_null(value=False).to_numpy()


def _forecast(rows: pl.DataFrame | None) -> dict[str, Any] | None:
    """Give the forecasts from the latest cutoff, by model."""
    if rows is None or rows.is_empty():
        return None
    cutoff = rows["cutoff"].max()
    latest = rows.filter(pl.col("cutoff") == cutoff).sort("model", "ds")
    models = {}
    for (name,), part in latest.partition_by("model", as_dict=True, maintain_order=True).items():
        bounds = {bound: numbers(part[bound]) for bound in BOUNDS if bound in part.columns and part[bound].count()}
        models[str(name)] = {"t": times(part["ds"]), "y": numbers(part["y_hat"]), **bounds}
    return {"cutoff": times(latest["cutoff"].head(1)), "models": models}


def _errors(accuracy: Accuracy, name: str) -> list[tuple[str, float]]:
    """Give each model its MAE on this series, in the order of the models over all."""
    models = accuracy.by_series.get(name, {})
    pairs = [(model, models[model].get("mae")) for model in accuracy.models if model in models]
    return [(model, short(mae)) for model, mae in pairs if mae is not None]
