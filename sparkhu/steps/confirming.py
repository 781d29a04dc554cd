"""The last word on cleaning: what was chosen for a series is kept where it holds with what was chosen for all.

A variant is measured with all series of a group cleaned in the same way, as one model serves the group. Forecasters
are then trained on a mixture: each series in the variant that was chosen for it. A series may owe its gain to the
cleaning of others that keep their values as observed. So the mixture is trained on once more, and a series whose error
with it does not lie below that of the raw values by the least gain falls back to `none`.
"""

import polars as pl

from sparkhu.steps.cleaning import ERRORS, LEAST_WINDOWS, NONE, is_gain
from sparkhu.steps.segmented import check_table

CLEANING_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "candidates": pl.String(),
    "kept": pl.String(),
    **{name: pl.Float64() for name in ERRORS.values()},
    "error_kept": pl.Float64(),
    "gain": pl.Float64(),
    "windows": pl.Int64(),
    "reason": pl.String(),
}
NOTHING = "nothing to clean"
UNSCORED = "no window of the validation part that every variant can be scored on"
UNCONFIRMED = "not confirmed"
UNMEASURED = "not measured"
STAND_IN = "; measured with seasonal naive, as its group has no linear model"


def fall_back(measured: pl.DataFrame, *, min_gain: float = 0.01) -> pl.DataFrame:
    """Take back what was chosen for a series where the training on the mixture does not confirm it.

    Args:
        measured: As `sparkhu.evaluation.mixture.measure_mixture` gives it: `kept` and the `error_kept` that was
            measured with it, beside `error_raw`.
        min_gain: Least share by which the error must fall, 0 to 1.

    Returns:
        `measured` with `kept` set to `none` for these series, and `unconfirmed`, the `error_kept` that took it back;
        those that fell back before keep theirs.

    Example:
        `outliers` was chosen as the error fell from 0.50 to 0.45 where all series were cleaned. As chosen for each it
        is 0.46: kept. If it were 0.499, the series would fall back.
    """
    check_table(measured, "kept", "error_kept", ERRORS[NONE])
    falls = (pl.col("kept") != NONE) & ~is_gain(pl.col("error_kept"), pl.col(ERRORS[NONE]), min_gain)
    before = [pl.col(name) for name in ("unconfirmed", "fell_back") if name in measured.columns]
    unconfirmed, fell = before or (pl.lit(None, pl.Float64), pl.lit(value=False))
    return measured.with_columns(
        kept=pl.when(falls).then(pl.lit(NONE)).otherwise("kept"),
        unconfirmed=pl.when(falls).then("error_kept").otherwise(unconfirmed),
        fell_back=falls | fell,
    )


def conclude(confirmed: pl.DataFrame, *, min_gain: float = 0.01) -> pl.DataFrame:
    """Say what is kept of each series, what it brings, and why.

    Args:
        confirmed: As `fall_back` gives it.
        min_gain: As in `fall_back`.

    Returns:
        The columns of `CLEANING_SCHEMA`. `error_raw, error_outliers, error_anomalies, error_both` are errors with all
        series of the group in that variant, null where a variant is no candidate. `error_kept` is the error on the same
        windows with each series in the variant chosen for it, in the last training on the mixture; null where nothing
        was to clean, or nothing measured. `gain` is the share by which `error_kept` lies below `error_raw`: 0 with
        `none`, null where nothing was measured. `windows` counts the windows with observed values.
    """
    check_table(confirmed, "candidates", "kept", "windows", "model", "unconfirmed", "fell_back", "error_kept")
    raw = pl.col(ERRORS[NONE])
    gain = pl.when(pl.col("kept") != NONE).then(1 - pl.col("error_kept") / raw)
    gain = pl.when(raw.is_not_null()).then(gain.fill_null(0.0))
    rows = confirmed.with_columns(gain=gain).with_columns(reason=_reason(min_gain))
    return rows.select(pl.col(name).cast(dtype) for name, dtype in CLEANING_SCHEMA.items())


def _reason(min_gain: float) -> pl.Expr:
    with_naive = pl.when(pl.col("model") == "seasonal_naive").then(pl.lit(STAND_IN)).otherwise(pl.lit(""))
    few = f"only {{}} of the validation part {{}} observed values; at least {LEAST_WINDOWS} decide"
    one = pl.col("windows") == 1
    windows = pl.format("{} {}", "windows", pl.when(one).then(pl.lit("window")).otherwise(pl.lit("windows")))
    hold = pl.when(one).then(pl.lit("holds")).otherwise(pl.lit("hold"))
    least = f"no step lowers the error on {{}} windows by {100 * min_gain:g} % or more{{}}"
    falls = pl.format("the error on {} windows falls by {} %{}", "windows", (100 * pl.col("gain")).round(1), with_naive)
    return (
        pl.when(pl.col("candidates") == NONE)
        .then(pl.lit(NOTHING))
        .when(pl.col(ERRORS[NONE]).is_null())
        .then(pl.lit(UNSCORED))
        .when(pl.col("windows") < LEAST_WINDOWS)
        .then(pl.format(few, windows, hold))
        .when(pl.col("fell_back"))
        .then(_unconfirmed(min_gain))
        .when(pl.col("kept") == NONE)
        .then(pl.format(least, "windows", with_naive))
        .otherwise(falls)
    )


def _unconfirmed(min_gain: float) -> pl.Expr:
    """Say with both figures why a choice falls back."""
    why = (
        f"{UNCONFIRMED}: with what was chosen for each series the error on {{}} windows is {{}}, as observed {{}}; "
        f"{100 * min_gain:g} % less is asked for"
    )
    figures = [pl.col(name).round_sig_figs(4) for name in ("unconfirmed", ERRORS[NONE])]
    untrained = pl.lit(f"{UNCONFIRMED}: with what was chosen for each series its group has no window to train on")
    return pl.when(pl.col("unconfirmed").is_null()).then(untrained).otherwise(pl.format(why, "windows", *figures))


def unmeasured(candidates: pl.DataFrame, kept: str, reason: str) -> pl.DataFrame:
    """Keep the same variant for every series, without measuring.

    Args:
        candidates: As `sparkhu.steps.cleaning.find_candidates` gives them.
        kept: One of `sparkhu.steps.cleaning.VARIANTS`.
        reason: Why.

    Returns:
        The columns of `CLEANING_SCHEMA`.
    """
    absent = {name: pl.lit(None, dtype) for name, dtype in CLEANING_SCHEMA.items()}
    given = {"kept": pl.lit(kept), "windows": pl.lit(0, pl.Int64), "reason": pl.lit(reason)}
    return candidates.select("unique_id", "candidates").select(
        "unique_id", "candidates", **{name: given.get(name, null) for name, null in list(absent.items())[2:]}
    )
