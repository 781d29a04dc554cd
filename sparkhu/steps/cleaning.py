"""What a forecaster is given of a series: its observed values, or those that cleaning put in their place.

Four variants, from the simplest on. Gaps are filled in all of them.

| variant | a row has |
| --- | --- |
| `none` | what was observed (`y_raw`) where `is_outlier` marks a cleaned outlier, else `y`: observed, or the fill |
| `outliers` | outliers as the action on them left them: refilled, clipped, or taken out |
| `anomalies` | in the training part the handled value where an anomaly was handled, else as in `none` |
| `outliers+anomalies` | the same on top of `outliers` |

Of a row that stands for several points (a bucket of a longer period), `y` may differ from `y_raw` because some of the
points were missing and filled. That is no cleaning of outliers: `is_outlier` tells whether one of the points was, and
without one `y` stands in every variant. With one, `none` has `y_raw`: what the observed points alone say. (A sum that
was observed in part has no `y_raw`, so `y` stands there even so.)

Handled values serve the training part alone. They are two-sided: the decomposition behind them saw the whole training
part, and `available_at` says so, so that no training window takes them as inputs (`sparkhu.steps.windows` refuses
those); they are targets there, and a dropped value is no target either. Behind `train_end` nothing is handled:
validation, test and newest values are the same with and without `anomalies`, and new data get in serving what was
backtested. (An input that reaches back over `train_end` holds the handled values, known by then; the choice between
the variants is measured without them.)
"""

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.steps.segmented import check_table

NONE, OUTLIERS, ANOMALIES, BOTH = VARIANTS = ("none", "outliers", "anomalies", "outliers+anomalies")
ERRORS = {NONE: "error_raw", OUTLIERS: "error_outliers", ANOMALIES: "error_anomalies", BOTH: "error_both"}
INPUT_SCHEMA: dict[str, pl.DataType] = {
    "y": pl.Float64(),
    "available_at": TIME,
    "fill_strategy": pl.String(),
    "anomaly_strategy": pl.String(),
}
LEAST_WINDOWS = 10
"""Windows with observed truth that a choice takes at least: fewer say too little, whatever they say."""


def clean_inputs(sequences: pl.DataFrame, profile: pl.DataFrame, kept: pl.DataFrame | str) -> pl.DataFrame:
    """Give the values that a forecaster is given, in the variant that was kept for each series.

    Args:
        sequences: Sorted rows as `sparkhu.steps.joining.join_series` gives them.
        profile: `unique_id`, `train_end`.
        kept: One variant for all series, or `unique_id`, `kept`; a series that is not there has `none`.

    Returns:
        Columns `y`, `available_at`, `fill_strategy` (null where a value was observed and stands), `anomaly_strategy`
        (null where no handled value stands), aligned with the rows.

    Raises:
        InputError: A column is missing, a variant is unknown, or a handled value does not say when it was known.

    Example:
        >>> sequences.with_columns(clean_inputs(sequences, profile, "outliers").get_columns())
    """
    check_frame(sequences, "unique_id", "ds", "y", "y_raw", "available_at", "fill_strategy", "observed_available_at")
    check_frame(sequences, "is_outlier", "handled", "handled_available_at", "anomaly_strategy")
    rows = _with_kept(_looked_up(sequences, profile, "train_end"), kept)
    handles = pl.col("kept").is_in([ANOMALIES, BOTH]) & pl.col("anomaly_strategy").is_not_null()
    handled = (handles & (pl.col("ds") < pl.col("train_end"))).fill_null(value=False)
    _check_known(rows.filter(handled))
    outlying = pl.col("is_outlier") & pl.col("y_raw").is_not_null()
    observed = outlying & ~pl.col("kept").is_in([OUTLIERS, BOTH])
    own = pl.when(observed).then(pl.coalesce("observed_available_at", "available_at")).otherwise("available_at")
    return rows.select(
        y=pl.when(handled).then("handled").when(observed).then("y_raw").otherwise("y"),
        available_at=pl.when(handled).then(pl.max_horizontal("handled_available_at", own)).otherwise(own),
        fill_strategy=pl.when(~observed).then("fill_strategy"),
        anomaly_strategy=pl.when(handled).then("anomaly_strategy"),
    )


def _looked_up(rows: pl.DataFrame, table: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Set columns of a table of series beside the rows of each."""
    check_table(table, *columns)
    return rows.join(table.select("unique_id", *columns), on="unique_id", how="left", maintain_order="left")


def _with_kept(rows: pl.DataFrame, kept: pl.DataFrame | str) -> pl.DataFrame:
    if isinstance(kept, pl.DataFrame):
        found = _looked_up(rows, kept, "kept").with_columns(pl.col("kept").fill_null(NONE))
    else:
        found = rows.with_columns(kept=pl.lit(kept))
    unknown = found.filter(~pl.col("kept").is_in(VARIANTS))["kept"]
    if len(unknown):
        raise InputError(f"kept must be one of {', '.join(VARIANTS)}, got '{unknown[0]}'.")
    return found


def _check_known(handled: pl.DataFrame) -> None:
    undated = handled.filter(pl.col("handled").is_not_null() & pl.col("handled_available_at").is_null())
    if undated.height:
        raise InputError(
            f"series '{undated['unique_id'][0]}' has handled values that do not say from when they were known; "
            "handled_available_at must be there wherever a value was handled."
        )


def find_candidates(sequences: pl.DataFrame, profile: pl.DataFrame) -> pl.DataFrame:
    """Find what there is to choose: the steps that change a value of a series before its test part.

    Args:
        sequences: As in `clean_inputs`.
        profile: `unique_id`, `train_end`, `valid_end`.

    Returns:
        `unique_id`, `candidates` (one of `VARIANTS`: the one with all steps that change something), in the order of
        the rows.
    """
    layers = {variant: clean_inputs(sequences, profile, variant) for variant in (NONE, OUTLIERS, ANOMALIES)}
    rows = _looked_up(sequences.select("unique_id", "ds"), profile, "valid_end")
    seen = rows.select(seen=(pl.col("ds") < pl.col("valid_end")).fill_null(value=False))["seen"]
    changes = {variant: _differs(layers[NONE], layers[variant]) & seen for variant in (OUTLIERS, ANOMALIES)}
    found = rows.select("unique_id", **changes).group_by("unique_id", maintain_order=True).agg(pl.all().any())
    step = {variant: pl.col(variant) for variant in (OUTLIERS, ANOMALIES)}
    return found.select(
        "unique_id",
        candidates=pl.when(step[OUTLIERS] & step[ANOMALIES])
        .then(pl.lit(BOTH))
        .when(step[OUTLIERS])
        .then(pl.lit(OUTLIERS))
        .when(step[ANOMALIES])
        .then(pl.lit(ANOMALIES))
        .otherwise(pl.lit(NONE)),
    )


def _differs(one: pl.DataFrame, other: pl.DataFrame) -> pl.Series:
    differs = pl.Series([False]).new_from_index(0, one.height)
    for name in ("y", "available_at", "fill_strategy"):
        differs |= one[name].ne_missing(other[name])
    return differs


def choose_variants(measured: pl.DataFrame, *, min_gain: float = 0.01) -> pl.DataFrame:
    """Choose, for each series, the steps that lower its validation error on observed values.

    The variant with the least error is chosen if it lowers that of `none` by `min_gain` at least and if each of its
    steps lowers the error of the variant without that step; else the next best that does; of equals the simpler. With
    fewer than `LEAST_WINDOWS` windows nothing is.

    Args:
        measured: One row a series: `unique_id`, `candidates`, an error for each variant (`ERRORS`; null where it could
            not be measured), `windows` with observed values that they were measured on, `model` that measured. An
            error is a mean absolute one, in standard deviations of the series' raw training part.
        min_gain: Least share by which the error must fall, 0 to 1.

    Returns:
        `measured` with `kept`, one of `VARIANTS`; errors of variants that are no candidates are null. It was measured
        with all series in the same variant; `sparkhu.steps.confirming` has the last word.

    Example:
        An error of 0.50 that falls to 0.45 without outliers and to 0.47 without anomalies, to 0.46 without both:
        `outliers` is chosen.
    """
    check_table(measured, "candidates", "windows", "model", *ERRORS.values())
    rows = measured.with_columns(
        **{ERRORS[variant]: pl.when(_possible(variant)).then(ERRORS[variant]) for variant in VARIANTS[1:]}
    )
    raw, outliers, anomalies, both = (pl.col(name) for name in ERRORS.values())
    gains = {variant: is_gain(pl.col(ERRORS[variant]), raw, min_gain) for variant in VARIANTS[1:]}
    gains[BOTH] = gains[BOTH] & ((both < outliers) & (both < anomalies)).fill_null(value=False)
    kept, least = pl.lit(NONE), raw
    for variant, gain in gains.items():
        error = pl.col(ERRORS[variant])
        better = gain & (error < least).fill_null(value=False) & (pl.col("windows") >= LEAST_WINDOWS)
        kept = pl.when(better).then(pl.lit(variant)).otherwise(kept)
        least = pl.when(better).then(error).otherwise(least)
    return rows.with_columns(kept=kept)


def _possible(variant: str) -> pl.Expr:
    """Say whether a series has something to choose in every step of a variant."""
    return pl.col("candidates").is_in([variant, BOTH])


def is_gain(error: pl.Expr, raw: pl.Expr, min_gain: float) -> pl.Expr:
    """Say whether an error lies below that of the raw values, by the least share at least; false where one is null."""
    return ((error < raw) & (error <= (1 - min_gain) * raw)).fill_null(value=False)
