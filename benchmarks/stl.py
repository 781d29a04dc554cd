"""Measure the compiled decompositions beside those of statsmodels and statsforecast, on one core, in one run.

    python benchmarks/stl.py [--repeats N]

Each line names what is done and the peer, the shortest time of the repeats of both, which take turns (time that the
processor spent on a series of a batch, so that others on the machine count for neither), the ratio, and the largest
difference between the results; statsforecast's MSTL has defaults of its own, so that none is told of it. Series: a
level of 50 that rises slowly, seasons of amplitude 3 and standard normal noise.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from benchmarks.figures import Figure, json_option, report

Floats = npt.NDArray[np.float64]
Kernel = Callable[[Floats], Floats]
REPEATS = 3
FIRST = "2,000 points, season of 24"
GOALS = {f"STL: {FIRST}": 100.0, f"STL, robust: {FIRST}": 25.0}


@dataclass(frozen=True)
class Line:
    """One comparison: seconds of both and the largest difference of their results; null where they are to differ."""

    name: str
    ours: float
    theirs: float
    difference: float | None
    peer: str = "statsmodels"

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.theirs / self.ours


def made_series(count: int, *periods: int, seed: int) -> Floats:
    """Make a series with seasons."""
    rows = np.arange(count)
    seasons = sum(3 * np.sin(2 * np.pi * rows / period) for period in periods)
    return np.asarray(50 + 0.02 * rows + seasons + np.random.default_rng(seed).normal(size=count))


def measure(
    name: str, ours: Kernel, theirs: Kernel, batch: Sequence[Floats], repeats: int, *, peer: str = "statsmodels"
) -> Line:
    """Let two functions take turns over a batch of series; their first turn, which may compile, is not measured."""
    pairs = [(ours(values), theirs(values)) for values in batch]
    differences = [float(np.abs(one - other).max()) for one, other in pairs if one.shape == other.shape]
    best = [np.inf, np.inf]
    for _ in range(repeats):
        for side, function in enumerate((ours, theirs)):
            started = time.thread_time()
            for values in batch:
                function(values)
            best[side] = min(best[side], (time.thread_time() - started) / len(batch))
    return Line(name, best[0], best[1], max(differences) if peer == "statsmodels" else None, peer)


def our_stl(values: Floats, *, periods: tuple[int, ...], robust: bool) -> Floats:
    """Give trend and seasons of the compiled STL or MSTL."""
    from sparkhu.steps.stl import mstl, stl

    parts = mstl(values, periods, robust=robust) if len(periods) > 1 else stl(values, periods[0], robust=robust)
    return np.vstack([parts.trend, parts.seasons])


def their_stl(values: Floats, *, periods: tuple[int, ...], robust: bool) -> Floats:
    """Give trend and seasons of statsmodels."""
    from statsmodels.tsa.seasonal import MSTL, STL

    if len(periods) > 1:
        fit = MSTL(values, periods=periods, stl_kwargs={"robust": robust}).fit()
    else:
        fit = STL(values, period=periods[0], robust=robust).fit()
    return np.vstack([fit.trend, fit.seasonal.T])


def statsforecast_mstl(values: Floats, *, periods: tuple[int, ...]) -> Floats:
    """Give trend and seasons of statsforecast's MSTL."""
    from statsforecast.mstl import mstl

    parts = mstl(values, list(periods) if len(periods) > 1 else periods[0])
    return parts.filter(regex="^(trend|seasonal)").to_numpy().T


def our_trend(values: Floats) -> Floats:
    """Give the trend alone."""
    from sparkhu.steps.stl import trend_only

    return trend_only(values, robust=True).trend


def their_trend(values: Floats) -> Floats:
    """Give the LOWESS of statsmodels with the same settings."""
    from statsmodels.nonparametric.smoothers_lowess import lowess

    rows = np.arange(float(len(values)))
    return np.asarray(lowess(values, rows, frac=0.3, it=3, delta=len(values) // 100, return_sorted=False))


def our_test(values: Floats) -> Floats:
    """Give the Dickey-Fuller statistic."""
    from sparkhu.steps.unit_root import adf_statistic

    return np.array([adf_statistic(values)], dtype=np.float64)


def their_test(values: Floats) -> Floats:
    """Give that of statsmodels."""
    from statsmodels.tsa.stattools import adfuller

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the form of the result will change
        return np.array([adfuller(values)[0]])


def lines(repeats: int = REPEATS) -> Iterator[Line]:
    """Give the comparisons; those with statsforecast where it is installed (`make bench` sees to that)."""
    for count, periods, size in ((2000, (24,), 10), (1500, (365,), 1), (1000, (24, 168), 2)):
        batch = [made_series(count, *periods, seed=seed) for seed in range(size)]
        of = f"{count:,} points, season of {' and '.join(map(str, periods))}"
        for robust in (False, True):
            name = f"{'M' if len(periods) > 1 else ''}STL{', robust' if robust else ''}: {of}"
            ours, theirs = (partial(function, periods=periods, robust=robust) for function in (our_stl, their_stl))
            yield measure(name, ours, theirs, batch, repeats)
        if find_spec("statsforecast"):
            ours, theirs = partial(our_stl, periods=periods, robust=False), partial(statsforecast_mstl, periods=periods)
            yield measure(f"MSTL: {of}", ours, theirs, batch, repeats, peer="statsforecast")
    walks = [made_series(1000, 24, seed=seed).cumsum() for seed in range(10)]
    yield measure("LOWESS, robust: 1,000 points", our_trend, their_trend, walks, repeats)
    yield measure("Dickey-Fuller: 1,000 points", our_test, their_test, walks, repeats)


def main(arguments: list[str]) -> None:
    """Print the comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="how often each is measured")
    json_option(parser)
    given = parser.parse_args(arguments)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(f"{'':40}{'sparkhu':>12}{'peer':>14}{'ratio':>8}{'difference':>13}")
    found = []
    for line in lines(given.repeats):
        times = f"{line.ours * 1e3:9.2f} ms{line.theirs * 1e3:11.1f} ms"
        difference = "" if line.difference is None else f"{line.difference:13.1e}"
        print(f"{line.name:40}{times}{line.ratio:7.0f}×{difference}  {line.peer}", flush=True)
        found.append(figure(line))
    report(found, given.json)


def figure(line: Line) -> Figure:
    """Give a comparison as a figure of the table, with the goal that it has."""
    first = line.name.endswith(FIRST)
    goal = GOALS.get(line.name) if line.peer == "statsmodels" else None
    return Figure(line.name, line.ratio, "×", f"as fast as {line.peer}, one core", goal, "more", detail=not first)


if __name__ == "__main__":
    main(sys.argv[1:])
