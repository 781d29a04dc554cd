"""The fit of one scaler a series: centre, scale, and the power transform where it can be undone.

Sums of squares are taken in units of a power of two near the largest value, where that is huge or tiny, so that they
neither overflow nor vanish and lose no bit. A fit that is still not finite (the range of ±1.7e308) is none.

The power transform is kept only where it is one to one in 64-bit numbers: the training values, and the ends of the
range that inverted values are held in, must come back to `RETURNS` of the training range. A level far above the spread,
or one value far from all others, does not, and λ = 1 takes its place: the standard scaler.
"""

import warnings

import numpy as np
import numpy.typing as npt
import polars as pl

from sparkhu.steps.moments import means_of, units_of
from sparkhu.steps.ordered import Ordered
from sparkhu.steps.scaling import ScalerColumns, to_original, to_scaled
from sparkhu.steps.segmented import Runs, floats, instants, times

Floats = npt.NDArray[np.float64]

RETURNS = 1e-6
"""Share of the training range within which a training value must come back from the power transform."""
UNPOWERED = (
    "the power transform does not bring the training values back (they lie too close together beside their level, "
    "or one too far from the others); the standard scaler takes its place (λ = 1)"
)
NOT_FINITE = "the training values lie too far apart: their scale is beyond what a 64-bit number holds"
HUGE_BITS = 400
"""Values of 2^±400 and beyond are brought near 1 before they are squared."""


def fit_statistics(rows: pl.DataFrame, scaler: str) -> pl.DataFrame:
    """Fit the statistics of every series.

    Args:
        rows: Training rows `unique_id, ds, y, available_at, train_end`, sorted, without nulls.
        scaler: See `sparkhu.steps.normalisation`.

    Returns:
        One row a series: `center, scale, lambda, lower, upper, points, fitted_from, fitted_until, available_at`, and
        `reason`: `UNPOWERED` beside a usable fit, `NOT_FINITE` where `center` or `scale` is not finite, else null.
    """
    if scaler != "power":
        return _with_reason(_statistics(rows.with_columns(_null("lambda"), _null("spread")), scaler))
    first = _statistics(_joined(rows, _lambdas(rows)), scaler)
    lost = _not_returned(rows, first)
    lambdas = first.select(
        "unique_id",
        pl.when(pl.col("unique_id").is_in(lost.implode())).then(1.0).otherwise("lambda").alias("lambda"),
        spread=pl.when(~pl.col("unique_id").is_in(lost.implode())).then("spread"),
    )
    return _with_reason(_statistics(_joined(rows, lambdas), scaler), lost)


def _null(name: str) -> pl.Expr:
    return pl.lit(None, pl.Float64).alias(name)


def _joined(rows: pl.DataFrame, lambdas: pl.DataFrame) -> pl.DataFrame:
    return rows.join(lambdas, on="unique_id", maintain_order="left")


def _with_reason(fitted: pl.DataFrame, unpowered: pl.Series | None = None) -> pl.DataFrame:
    finite = pl.col("center").is_finite() & pl.col("scale").is_finite()
    lost = pl.col("unique_id").is_in([] if unpowered is None else unpowered.implode())
    reason = pl.when(~finite).then(pl.lit(NOT_FINITE)).when(lost).then(pl.lit(UNPOWERED))
    return fitted.with_columns(reason=reason).drop("spread")


def _statistics(rows: pl.DataFrame, scaler: str) -> pl.DataFrame:
    """Reduce each series, `lambda` and `spread` (the margin of the held range, null for none) beside its rows."""
    runs, y = Runs.whole(rows), floats(rows["y"])
    value = _powered(rows["y"], rows["lambda"])
    unit = units_of(np.fmax.reduceat(np.abs(value), runs.starts), bits=HUGE_BITS)
    with np.errstate(all="ignore"):  # a fit beyond the numbers is told of, see `_with_reason`
        value = value / runs.spread(unit)
        center, scale = _center_and_scale(value, runs, scaler)
        least, most = np.fmin.reduceat(y, runs.starts), np.fmax.reduceat(y, runs.starts)
        rounding = 10 * np.finfo(np.float64).eps * np.fmax.reduceat(np.abs(value), runs.starts)
        varies = (most > least) & ~(scale <= rounding)
        center, scale = center * unit, np.where(varies, scale * unit, 1.0)
    known = instants(rows["available_at"])
    return rows[pl.Series(runs.starts)].select(
        "unique_id",
        center=pl.Series(center),
        scale=pl.Series(scale),
        points=pl.Series(runs.lengths),
        lower=pl.Series(least) - pl.col("spread"),
        upper=pl.Series(most) + pl.col("spread"),
        spread="spread",
        fitted_from="ds",
        fitted_until="train_end",
        available_at=times(runs.latest(known)),
        **{"lambda": "lambda"},
    )


def _center_and_scale(value: Floats, runs: Runs, scaler: str) -> tuple[Floats, Floats]:
    """Reduce the values of each series, in its unit."""
    if scaler == "minmax":
        least = np.fmin.reduceat(value, runs.starts)
        return least, np.fmax.reduceat(value, runs.starts) - least
    if scaler == "robust":
        ordered = Ordered.of(value, runs.lengths)
        return ordered.quantile(0.5), ordered.quantile(0.75) - ordered.quantile(0.25)
    mean, off = means_of(value, runs.starts, runs.lengths)
    return mean, np.sqrt(np.add.reduceat(off * off, runs.starts) / runs.lengths)


def _powered(values: pl.Series, lambdas: pl.Series) -> Floats:
    if lambdas.null_count() == len(lambdas):
        return floats(values)
    rows = len(values)
    nothing = np.zeros(rows), np.ones(rows), lambdas.fill_null(np.nan).to_numpy(), np.zeros(rows), np.zeros(rows)
    return to_scaled(values.to_numpy(), ScalerColumns(*nothing))


def _lambdas(rows: pl.DataFrame) -> pl.DataFrame:
    """Find λ of each series by maximum likelihood, and its range; λ 1 and no range where it does not vary."""
    found = [
        (name, *_lambda(part["y"].to_numpy())) for (name,), part in rows.group_by("unique_id", maintain_order=True)
    ]
    return pl.DataFrame(
        found, schema={"unique_id": pl.String, "lambda": pl.Float64, "spread": pl.Float64}, orient="row"
    )


def _lambda(values: Floats) -> tuple[float, float | None]:
    from scipy.stats import yeojohnson_normmax

    if values.min() == values.max():
        return 1.0, None
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # a search that overflows shows in what it finds, which is checked
        try:
            return float(yeojohnson_normmax(values)), float(np.ptp(values))
        except ValueError:  # scipy: the search leaves the numbers; NaN brings nothing back
            return float("nan"), float(np.ptp(values))


def _not_returned(rows: pl.DataFrame, fitted: pl.DataFrame) -> pl.Series:
    """List the series whose training values, or the ends of the range around them, the transform does not give back."""
    fits = fitted.filter(pl.col("spread").is_not_null())
    ends = [fits.select("unique_id", y=name) for name in ("lower", "upper")]
    tried = pl.concat([rows.select("unique_id", "y"), *ends])
    tried = tried.join(fits, on="unique_id", maintain_order="left")
    per_row = ScalerColumns.of(tried["unique_id"], fits.with_columns(pl.col("scale").fill_nan(1.0)))
    values = tried["y"].to_numpy()
    with np.errstate(all="ignore"):
        back = to_original(to_scaled(values, per_row), per_row)
        returned = np.abs(back - values) <= RETURNS * tried["spread"].to_numpy()
    usable = np.isfinite(tried["lambda"].to_numpy()) & returned
    return tried.filter(~pl.Series(usable, dtype=pl.Boolean))["unique_id"].unique(maintain_order=True)
