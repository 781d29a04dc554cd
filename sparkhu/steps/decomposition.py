"""Decomposition: a series as trend + season + remainder, by STL, by MSTL where it has several seasons.

What is decomposed is the current value `y`, from the first to the last row that has one. A null between them gets the
straight line between its neighbours, for the decomposition only: it has a trend and a season but no remainder. Where
fewer than two seasons fit there is a trend alone (`sparkhu.steps.stl.trend_only`).
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas, check_frame
from sparkhu.steps.decomposed_series import LEAST_POINTS, Way, decomposed, interpolated
from sparkhu.steps.decomposed_shard import PARTS, DecomposedShard
from sparkhu.steps.result import FILLED, StepResult, reads
from sparkhu.steps.seasons import (
    LEAST_ADDED,
    calendar_seasons,
    check_seasons,
    detect_season,
    fitting,
    is_foretold,
)
from sparkhu.steps.segmented import Floats, Segments, floats
from sparkhu.threads import for_each

Method = Literal["auto", "stl", "mstl", "none"]
METHODS: tuple[Method, ...] = get_args(Method)


def check_decomposition(*, method: str, seasons: Sequence[int] = ()) -> None:
    """Check the parameters of the step.

    Raises:
        InputError: `method` is unknown, or `seasons` cannot be used.
    """
    if method not in METHODS:
        raise InputError(f"method must be one of {', '.join(METHODS)}, got '{method}'.")
    check_seasons(seasons)


@accepts_pandas
def decompose_stl(frame: pl.DataFrame, season_length: int, *, robust: bool = True, fast: bool = False) -> pl.DataFrame:
    """Decompose every series into trend, season and remainder by STL.

    Cleveland et al. (1990), with statsmodels' windows: 7 seasons, and the trend's that follows from them.

    Args:
        frame: Observation frame, any number of series.
        season_length: Points in a season.
        robust: Whether outlying points get less weight. It keeps them out of trend and season, also in the newest
            season, where plain STL takes a spike for a change of the season; it takes some six times as long.
        fast: Fit trend and low pass at every fiftieth part of their windows only (`sparkhu.steps.stl.stl`), which
            takes a third to a tenth of the time for seasons of more than a hundred points, and changes remainders by
            less than a tenth of their standard deviation. Of fewer than five seasons, where it could change them by
            more, every point is fitted.

    Returns:
        The frame with `trend`, `seasonal` and `resid` in the unit of `y`; they add up to it. A null between values
        gets no `resid`, one at an end nothing. A series in which fewer than two seasons fit has a trend alone, and
        nothing below three points.

    Raises:
        InputError: A column is missing, rows are out of order, or a parameter cannot be used.

    Example:
        >>> decompose_stl(frame, 24).select("ds", "trend", "seasonal", "resid")
    """
    return _with_parts(frame, (season_length,), "stl", robust=robust, fast=fast)


@accepts_pandas
def decompose_mstl(
    frame: pl.DataFrame, seasons: Sequence[int], *, robust: bool = True, fast: bool = False
) -> pl.DataFrame:
    """Decompose every series into trend, several seasons and remainder by MSTL.

    Bandara, Hyndman and Bergmeir (2021), with statsmodels' windows: 11 seasons for the shortest, 4 more for each
    further one; two rounds.

    Args:
        frame: Observation frame, any number of series.
        seasons: Points in each season.
        robust: See `decompose_stl`.
        fast: See `decompose_stl`.

    Returns:
        As `decompose_stl`; `seasonal` is the sum of all seasons, beside it stands `seasonal_<points>` for each. One
        of which fewer than two fit into a series is null there.

    Raises:
        InputError: A column is missing, rows are out of order, or a parameter cannot be used.

    Example:
        >>> decompose_mstl(frame, [24, 168]).select("ds", "seasonal_24", "seasonal_168")
    """
    if not seasons:
        raise InputError("seasons must name one season at least, got none. Give its points: [24, 168].")
    return _with_parts(frame, tuple(sorted(seasons)), "mstl", robust=robust, fast=fast)


def _with_parts(
    frame: pl.DataFrame, seasons: tuple[int, ...], method: str, *, robust: bool, fast: bool
) -> pl.DataFrame:
    check_seasons(seasons)
    check_frame(frame, "unique_id", "ds", "y")
    owner, y = Segments.of(frame), floats(frame["y"])
    several = [f"seasonal_{season}" for season in seasons] if method == "mstl" else []
    columns = {name: np.full(len(y), np.nan) for name in (*PARTS, *several)}

    def put(number: int) -> None:
        start, end = int(owner.starts[number]), int(owner.ends[number])
        known = np.flatnonzero(~np.isnan(y[start:end]))
        fit = fitting(seasons, int(known[-1] - known[0]) + 1 if len(known) else 0)
        way = Way(method if fit else "trend", fit)
        parts = decomposed(y[start:end], way, robust=robust, fast=fast)
        for name in PARTS:
            columns[name][start:end] = getattr(parts, name)
        for season, values in zip(fit if several else (), parts.seasons, strict=False):
            columns[f"seasonal_{season}"][start:end] = values

    for_each(put, len(owner.ids))
    return frame.with_columns(pl.Series(name, values).fill_nan(None) for name, values in columns.items())


@reads(observations=FILLED)
def decompose(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    method: Method = "auto",
    seasons: Sequence[int] = (),
    robust: bool = True,
    fast: bool = True,
) -> StepResult:
    """Decompose the series of a shard.

    Rows of the training part are decomposed from that part alone, the rows behind it from all rows. The seasons are
    those that fit into the training part (`sparkhu.steps.seasons`), the same for both.

    Args:
        observations: Rows of the shard, filled.
        profile: One row a series with `period_label`, `season_length`, `train_end` and, where days are not those of
            UTC, `zone`.
        method: `auto`: STL, or MSTL where several seasons fit; `stl`: the shortest season alone; `mstl`: MSTL's
            windows for one season too; `none`: nothing is decomposed.
        seasons: Points in each season; none: as the profile, the calendar or the autocorrelation suggest.
        robust: Whether outlying points get less weight. It keeps them out of trend and season, also in the newest
            season, where plain STL takes a spike for a change of the season; it takes some six times as long.
        fast: See `decompose_stl`.

    Returns:
        `parts`: columns `trend`, `seasonal` (the sum of all seasons), `resid` and `parts_available_at` (when the
        latest point they were made from had become available), aligned with the rows; `seasons`: one row a series
        with `method` (`stl`, `mstl`, `trend`, `none`), `seasons`, and the strength of trend and season in the
        training part. The ledger counts the nulls that were `interpolated`, and those `left_out` at the ends; a
        series with a trend alone, or nothing, is `skipped` with the reason.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.
    """
    check_decomposition(method=method, seasons=seasons)
    check_frame(observations, "unique_id", "ds", "y", "available_at")
    table = Segments.of(observations).align(_with_zone(profile), "period_label", "season_length", "train_end", "zone")
    shard = DecomposedShard.of(observations, table["train_end"])
    profiles = table.to_dicts()

    def decompose_one(number: int) -> None:
        way = _way(shard.training(number), profiles[number], method, seasons)
        shard.decompose(number, way, robust=robust, fast=fast)

    for_each(decompose_one, len(profiles))
    return StepResult({"parts": shard.parts(), "seasons": shard.seasons()}, shard.ledger())


def _with_zone(profile: pl.DataFrame) -> pl.DataFrame:
    if "zone" in profile.columns:
        return profile
    return profile.with_columns(zone=pl.lit(None, dtype=pl.String))


def _way(values: Floats, profile: dict[str, Any], method: Method, stated: Sequence[int]) -> Way:
    """Choose how a series is decomposed, from its training part alone."""
    if method == "none":
        return Way("none", (), "decomposition is off")
    whole = interpolated(values)
    count = len(whole)
    if int((~np.isnan(values)).sum()) < LEAST_POINTS:
        return Way("none", (), f"fewer than {LEAST_POINTS} values in the training part")
    known = tuple(stated) or calendar_seasons(
        profile["period_label"], profile["season_length"], profile["zone"] or "UTC"
    )
    found = fitting(known, count, least_added=2 if stated else LEAST_ADDED)
    if method == "stl" and found[:1] == known[:1]:
        found = found[:1]  # whether a longer season is worth it is not asked where one alone is taken
    if not stated:
        found = tuple(s for s in found if s == known[0] or is_foretold(whole, s, [n for n in found if n < s]))
    if not found and not stated:
        detected = detect_season(whole)
        found = (detected,) if detected else ()
    if not found:
        return Way("trend", (), _why_no_season(known, count))
    several = method == "mstl" or (method == "auto" and len(found) > 1)
    return Way("mstl", found) if several else Way("stl", found[:1])


def _why_no_season(known: Sequence[int], count: int) -> str:
    if not known:
        return "trend only: neither the calendar nor the autocorrelation shows a season"
    return f"trend only: two seasons of {min(known)} points do not fit into the {count} of the training part"
