"""The same preprocessing as it is written with pandas and statsmodels: a function of one series, `groupby.apply`.

It does what the steps do: drop duplicates, describe, flag by Tukey's fences, put the series on its grid, fill in five
ways and measure each on as many masked stretches, choose, scale. Masks are hidden one at a time, as in the steps, so
that no mask lends another a neighbour; each is filled within the points around it that its strategy looks at.
"""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd

Fill = Callable[[pd.Series], pd.Series]
MASKS, MASK_LENGTHS, SEASON = 20, (1, 4, 24), 24
TRAINING = 0.7
REACH = 2


def preprocess(table: pd.DataFrame, *, stl: bool) -> pd.DataFrame:
    """Preprocess all series of a table `unique_id, ds, y`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        done: pd.DataFrame = table.groupby("unique_id")[["ds", "y"]].apply(_one_series, stl=stl)
    return done


def stationarity(table: pd.DataFrame) -> pd.DataFrame:
    """Test all series with statsmodels' ADF and KPSS."""
    from statsmodels.tsa.stattools import adfuller, kpss

    def tested(values: pd.Series) -> pd.Series:
        return pd.Series({"adf_p": adfuller(values.to_numpy())[1], "kpss_p": kpss(values.to_numpy(), nlags="auto")[1]})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return table.groupby("unique_id")["y"].apply(tested).unstack()


def _one_series(part: pd.DataFrame, *, stl: bool) -> pd.DataFrame:
    from statsmodels.tsa.seasonal import STL

    part = part[np.isfinite(part["y"])].drop_duplicates("ds", keep="last").sort_values("ds")
    values = part.set_index("ds")["y"]
    stats, training = _described(values), values.iloc[: int(TRAINING * len(values))]
    low, high = training.quantile(0.25), training.quantile(0.75)
    reach = 1.5 * (high - low)
    period = pd.Timedelta(values.index.to_series().diff().median())
    observed = values.where(values.between(low - reach, high + reach))
    grid = observed.reindex(pd.date_range(values.index[0], values.index[-1], freq=period))
    border = int(grid.index.searchsorted(training.index[-1], side="right"))
    known = grid.iloc[:border]
    fills = _fills(known)
    errors = _errors(known, fills)
    filled = {name: way(grid) for name, way in fills.items()}
    result = pd.DataFrame({"y": filled[min(errors, key=lambda name: errors[name])], "y_raw": grid})
    result["scaled"] = (result["y"] - known.mean()) / known.std(ddof=0)
    if stl:
        for piece in (result["y"].iloc[:border], result["y"]):
            found = STL(piece.to_numpy(), period=SEASON).fit()
        result["trend"], result["seasonal"], result["resid"] = found.trend, found.seasonal, found.resid
    return result.assign(**{f"stat_{name}": value for name, value in stats.items() if name in {"mean", "std"}})


def _described(values: pd.Series) -> dict[str, float]:
    return {
        "n": values.count(),
        "min": values.min(),
        "max": values.max(),
        "mean": values.mean(),
        "median": values.median(),
        "q1": values.quantile(0.25),
        "q3": values.quantile(0.75),
        "std": values.std(),
        "skewness": values.skew(),
        "kurtosis": values.kurt(),
        "share_zero": (values == 0).mean(),
        "mode": values.mode().iloc[0],
    }


def _fills(known: pd.Series) -> dict[str, Fill]:
    return {
        "mean": lambda values: values.fillna(known.mean()),
        "median": lambda values: values.fillna(known.median()),
        "last": lambda values: values.ffill(),
        "next": lambda values: values.bfill(),
        "linear": lambda values: values.interpolate("time"),
    }


def _errors(known: pd.Series, fills: dict[str, Fill]) -> dict[str, float]:
    """Hide stretches of known points one at a time, fill them again, and average the misses."""
    generator, there = np.random.default_rng(0), known.notna().to_numpy()
    misses: dict[str, list[float]] = {name: [] for name in fills}
    for length in MASK_LENGTHS:
        whole = np.convolve(there, np.ones(length + 2), "valid") == length + 2
        places = np.flatnonzero(whole) + 1
        for first in generator.choice(places, min(MASKS, len(places)), replace=False):
            own = slice(first, first + length)
            hidden = known.copy()
            hidden.iloc[own] = np.nan
            near = hidden.iloc[max(first - REACH, 0) : first + length + REACH]
            truth = known.iloc[own]
            refilled = {"mean": hidden.mean(), "median": hidden.median()}
            for name, way in fills.items():
                found = refilled[name] if name in refilled else way(near).loc[truth.index]
                misses[name].append(float((found - truth).abs().mean()))
    return {name: float(np.mean(each)) if each else np.inf for name, each in misses.items()}
