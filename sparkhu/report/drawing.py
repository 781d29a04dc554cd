"""What the charts of single series need, thinned for drawing: curves, flags, gaps, forecasts, scores."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl

from sparkhu.report.accuracy import Accuracy
from sparkhu.report.downsampling import POINTS, rows_to_draw, runs
from sparkhu.report.overview import Overview
from sparkhu.report.reading import Results

WORST, SAMPLE = 50, 50
DIGITS = 6
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


def drawings(results: Results, accuracy: Accuracy, ids: list[str]) -> Iterator[dict[str, Any]]:
    """Give for each series what its charts show, a few series in memory at a time."""
    for begin in range(0, len(ids), BATCH):
        batch = ids[begin : begin + BATCH]
        clean = _of_series(results, "clean", batch)
        forecasts = _of_series(results, "forecasts", batch)
        scores = _of_series(results, "scores", batch)
        for name in batch:
            forecast = _forecast(forecasts.get(name))
            yield {
                "id": name,
                **_history(clean.get(name), forecast),
                "forecast": forecast,
                "scores": _scores(scores.get(name)),
                "errors": _errors(accuracy, name),
            }


def _of_series(results: Results, table: str, ids: list[str]) -> dict[str, pl.DataFrame]:
    frame = results.table(table)
    if frame is None:
        return {}
    rows = frame.filter(pl.col("unique_id").is_in(ids)).collect(engine="streaming")
    return {str(name): part for (name,), part in rows.partition_by("unique_id", as_dict=True).items()}


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
        rows: The rows of one series, sorted by `ds`, with `y`, `y_raw`, `is_gap`, `is_outlier` and `fill_strategy`.
        points: About how many to keep; flagged points stay all.

    Returns:
        `t` (see `times`), `y` and `raw` (null where there is no value), `outliers` and `filled` (places in these
        lists), `gaps` (pairs of places: the last point before and the first after), `outlying` and `fills` (counts).
    """
    clean, raw = _values(rows, "y"), _values(rows, "y_raw")
    outlier = rows["is_outlier"].fill_null(value=False).to_numpy()
    filled = rows["fill_strategy"].is_not_null().to_numpy()
    missing = rows["is_gap"].fill_null(value=False).to_numpy() | np.isnan(raw)
    spans = [(max(first - 1, 0), min(last + 1, rows.height - 1)) for first, last in runs(missing)]
    borders = [row for first, last in spans for row in {first, min(first + 1, last), max(last - 1, first), last}]
    bordering = np.isin(np.arange(rows.height), borders)
    keep = rows_to_draw([clean, raw], outlier | filled | bordering, points=points)
    kept = set(keep.tolist())
    return {
        "t": times(rows["ds"].gather(keep)),
        "y": _numbers(rows["y"].gather(keep)),
        "raw": _numbers(rows["y_raw"].gather(keep)),
        "outliers": np.flatnonzero(outlier[keep]).tolist(),
        "filled": np.flatnonzero(filled[keep]).tolist(),
        "gaps": [np.searchsorted(keep, span).tolist() for span in spans if kept.issuperset(span)],
        "outlying": int(outlier.sum()),
        "fills": int(filled.sum()),
    }


def times(instants: pl.Series) -> list[int]:
    """Write rising instants as microseconds since 1970 UTC: the first, then the steps. Small, and exact in JSON."""
    micros = instants.dt.epoch("us").to_numpy()
    steps: list[int] = np.diff(micros, prepend=0).tolist()
    return steps


def _values(rows: pl.DataFrame, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _numbers(values: pl.Series) -> list[float | None]:
    finite = pl.when(values.is_finite()).then(values)
    return pl.select(finite.cast(pl.Float64).round_sig_figs(DIGITS)).to_series().to_list()


def _forecast(rows: pl.DataFrame | None) -> dict[str, Any] | None:
    """Give the forecasts from the latest cutoff, by model."""
    if rows is None or rows.is_empty():
        return None
    cutoff = rows["cutoff"].max()
    latest = rows.filter(pl.col("cutoff") == cutoff).sort("model", "ds")
    models = {}
    for (name,), part in latest.partition_by("model", as_dict=True, maintain_order=True).items():
        bounds = {bound: _numbers(part[bound]) for bound in BOUNDS if bound in part.columns and part[bound].count()}
        models[str(name)] = {"t": times(part["ds"]), "y": _numbers(part["y_hat"]), **bounds}
    return {"cutoff": times(latest["cutoff"].head(1)), "models": models}


def _scores(rows: pl.DataFrame | None) -> list[tuple[str, float]]:
    """Give each fill strategy its error over all lengths of masks, weighted as the choice weighs them; best first."""
    if rows is None:
        return []
    weight = pl.col("weight") if "weight" in rows.columns else pl.lit(1.0)
    usable = rows.filter(pl.col("mae").is_finite() & (weight > 0))
    mae = (pl.col("mae") * weight).sum() / weight.sum() if "weight" in rows.columns else pl.col("mae").mean()
    means = usable.group_by("strategy").agg(mae=mae.round_sig_figs(DIGITS)).sort("mae", "strategy")
    return [(str(name), float(value)) for name, value in means.rows()]


def _errors(accuracy: Accuracy, name: str) -> list[tuple[str, float]]:
    """Give each model its MAE on this series, in the order of the models over all."""
    models = accuracy.by_series.get(name, {})
    pairs = [(model, models[model].get("mae")) for model in accuracy.models if model in models]
    return [(model, float(f"{mae:.{DIGITS}g}")) for model, mae in pairs if mae is not None]
