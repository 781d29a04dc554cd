"""Batch forecasts: every series from its newest input, in steps of its own period, in its own units.

The champion forecasts where it can. A series that it cannot do (its group has no fitted model, or the newest input
is too short, has a hole, or does not move) falls back to seasonal naive, then to the last value; `model` and the
ledger say so.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.evaluation.conformal import LEVELS
from sparkhu.frame import TIME, check_frame, segments
from sparkhu.models.base import Floats, Histories, Inputs, Models
from sparkhu.models.candidates import LAST_VALUE, SEASONAL_NAIVE
from sparkhu.steps.newest_inputs import newest_inputs
from sparkhu.steps.normalisation import scale, unscale
from sparkhu.steps.own_periods import PERIOD, by_period, with_periods
from sparkhu.steps.result import StepResult
from sparkhu.threads import on_one_thread

BOUNDS = tuple(f"{side}_{level}" for level in LEVELS for side in ("lo", "hi"))
SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "cutoff": TIME,
    "ds": TIME,
    "model": pl.String(),
    "y_hat": pl.Float64(),
    **{name: pl.Float64() for name in BOUNDS},
    "available_at": TIME,
}

STEPS_SCHEMA = {name: dtype for name, dtype in SCHEMA.items() if name not in BOUNDS} | {"step": pl.Int64()}
NAIVE = (SEASONAL_NAIVE, LAST_VALUE)
RADII = tuple(f"radius_{level}" for level in LEVELS)


@on_one_thread
def forecast(
    sequences: pl.DataFrame,
    profile: pl.DataFrame,
    scalers: pl.DataFrame,
    intervals: pl.DataFrame,
    *,
    models: Models,
    champion: str,
    zone: str = "UTC",
) -> StepResult:
    """Forecast H points of every series after its last known one.

    Args:
        sequences: Sorted rows of the shard.
        profile: As `plan_groups` gives it.
        scalers: As `fit_scalers` gives them.
        intervals: As `borrow` gives them.
        models: By name and group, seasonal naive and last value among them.
        champion: Name of the model that is asked first.
        zone: Zone of the calendar where the profile names none.

    Returns:
        Frame `forecasts`: `unique_id, cutoff` (the last known point), `ds, model, y_hat, lo_80, hi_80, lo_95,
        hi_95, available_at` (of the latest input), H rows a series. Bounds are null where no residuals
        were there to make them of. A series without period, scaler or value has no forecast and is `skipped` in the
        ledger.

    Raises:
        InputError: `champion` is no model.
    """
    if champion not in models:
        raise InputError(f"champion must be one of {', '.join(models)}, got '{champion}'")
    check_frame(profile, "unique_id", "group", "input_size", "horizon", "period_label")
    plan = with_periods(profile, zone).select("unique_id", "group", "input_size", "horizon", *PERIOD)
    newest = newest_inputs(sequences, profile, zone=zone).join(plan, on="unique_id", maintain_order="left")
    newest = newest.join(scalers.select("unique_id"), on="unique_id", how="semi", maintain_order="left")
    starts, _ = segments(sequences)
    firsts = pl.DataFrame({"unique_id": sequences["unique_id"].gather(starts), "first": starts})
    newest = newest.join(firsts, on="unique_id", maintain_order="left")
    values = _scaled_values(sequences, scalers)
    order = list(dict.fromkeys((champion, *NAIVE)))
    parts = [pl.DataFrame(schema=STEPS_SCHEMA)]
    for (group,), rows in newest.drop_nulls("group").partition_by("group", as_dict=True).items():
        chosen, y_hat = _first_able(_inputs(values, rows), str(group), models, order)
        parts.append(_steps(rows, chosen, y_hat))
    steps = pl.concat(parts).sort("unique_id", "ds").join(
        intervals.select("unique_id", "model", "step", *RADII),
        on=("unique_id", "model", "step"), how="left", maintain_order="left",
    )  # fmt: skip
    forecasts = _own_units(steps, scalers)
    return StepResult({"forecasts": forecasts}, _entries(sequences, newest, forecasts, champion))


def _scaled_values(sequences: pl.DataFrame, scalers: pl.DataFrame) -> Floats:
    rows = sequences.select("unique_id", "y", row=pl.int_range(pl.len(), dtype=pl.Int64)).join(
        scalers.select("unique_id"), on="unique_id", how="semi", maintain_order="left"
    )
    values = np.full(sequences.height, np.nan)
    values[rows["row"].to_numpy()] = scale(rows, scalers)["y"].fill_null(float("nan")).to_numpy()
    return values


def _inputs(values: Floats, rows: pl.DataFrame) -> Inputs:
    """Give the newest input of each series; NaN in front of the points that follow each other without a hole.

    What lies before it, holes and all, is what models that look further back are given.
    """

    def last(some: pl.DataFrame, points: int, known: pl.Expr) -> Floats:
        back = np.arange(points)[::-1]
        usable = back < some.select(known).to_series().to_numpy()[:, None]
        return np.where(usable, values[np.where(usable, some["end"].to_numpy()[:, None] - back, 0)], np.nan)

    read = partial(last, known=pl.col("end") - pl.col("first") + 1)
    newest = last(rows, int(rows["input_size"][0]), pl.col("points"))
    return Inputs(newest, rows["unique_id"], rows["cutoff"], Histories(read, rows))


def _first_able(inputs: Inputs, group: str, models: Models, order: list[str]) -> tuple[pl.Series, Floats]:
    """Forecast each input with the first model of `order` that is able to: the last value always is.

    A model is able to where its result is finite. What was learnt from series that move says nothing of an input that
    does not, so such an input is left to the naive models.
    """
    chosen = np.full(len(inputs.values), len(order) - 1)
    result = models[order[-1]][group].predict(inputs)
    for number in reversed(range(len(order) - 1)):
        if group in models[order[number]]:
            found = models[order[number]][group].predict(inputs)
            able = np.isfinite(found).all(axis=1)
            if order[number] not in NAIVE:
                able &= np.ptp(inputs.values, axis=1) > 0
            chosen[able], result[able] = number, found[able]
    return pl.Series(order).gather(chosen), result


def _steps(rows: pl.DataFrame, chosen: pl.Series, y_hat: Floats) -> pl.DataFrame:
    """Lay forecasts (series, H) out, a row a step, with the instants they are for."""
    H = y_hat.shape[1]
    long = rows.select("unique_id", "cutoff", *PERIOD, available_at="inputs_available_at").with_columns(model=chosen)
    long = long[np.repeat(np.arange(rows.height), H)]
    step = pl.Series(np.tile(np.arange(1, H + 1), rows.height), dtype=pl.Int64)
    long = long.with_columns(step=step, y_hat=pl.Series(y_hat.ravel()))
    parts = [
        part.with_columns(ds=period.shift(part["cutoff"], part["step"])).select(STEPS_SCHEMA.keys())
        for period, part in by_period(long)
    ]
    return pl.concat(parts)


def _own_units(forecasts: pl.DataFrame, scalers: pl.DataFrame) -> pl.DataFrame:
    bounds: Mapping[str, pl.Expr] = {
        f"{side}_{level}": pl.col("y_hat") + sign * pl.col(f"radius_{level}")
        for level in LEVELS
        for side, sign in (("lo", -1), ("hi", 1))
    }
    bounded = forecasts.with_columns(**bounds)
    return unscale(bounded, scalers, columns=("y_hat", *BOUNDS)).select(SCHEMA.keys())


def _entries(sequences: pl.DataFrame, newest: pl.DataFrame, forecasts: pl.DataFrame, champion: str) -> pl.DataFrame:
    made = forecasts.group_by("unique_id").agg(pl.len().alias("points"), pl.col("model").first())
    table = (
        sequences.select(pl.col("unique_id").unique(maintain_order=True))
        .join(newest.select("unique_id", "reason"), on="unique_id", how="left", maintain_order="left")
        .join(made, on="unique_id", how="left", maintain_order="left")
    )
    why = pl.col("reason").fill_null(f"no {champion} model of its group, or an input that does not move")
    reason = (
        pl.when(pl.col("points").is_null())
        .then(pl.format("no forecast: {}", pl.col("reason").fill_null("it has no plan, no scaler or no value")))
        .when(pl.col("model") != champion)
        .then(pl.format("forecast by {}, not {}: {}", pl.col("model"), pl.lit(champion), why))
    )
    table = table.with_columns(reason=reason, points=pl.col("points").fill_null(0))
    status = table["reason"].is_null().replace_strict({True: "ok", False: "skipped"}, return_dtype=pl.String)
    return ledger.entries(
        table["unique_id"], status=status, reason=table["reason"], counts={"forecast_points": table["points"]}
    )
