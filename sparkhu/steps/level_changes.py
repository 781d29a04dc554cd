"""Level changes: shifts and drifts of the level of a series, told to people.

What is looked at are the observed values (`y_raw`) without their season, in order: `sparkhu.steps.level_shifts` finds
shifts, and `sparkhu.steps.level_drift`, with these taken out, the strongest drift.

The season is that of the profile and the calendar (`sparkhu.steps.seasons`), each that fits at least four times: the
median, for each of its points, of what the values leave beside a running median over a season. It is taken from the
whole series, not from the decomposition, whose seasons are others behind the training part: that border would often be
a change of the level.

Of 1,000 random walks of 1,000 points 0 to 4 % are given a shift (none with normal steps, most with Student's t of 4
degrees of freedom), 0.5 to 1.5 % a drift; of white noise, AR(1) of 0.9, heavy tails and straight trends none.

Nothing here changes a value or goes into a forecast. Both sides of an instant are looked at, so a change is known when
the last point is: `available_at` says when. A shift is found from a window behind it on.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, check_frame
from sparkhu.ledger import entries
from sparkhu.steps.level_drift import find_drift
from sparkhu.steps.level_shifts import WINDOWS, find_shifts
from sparkhu.steps.result import StepResult, reads
from sparkhu.steps.seasons import calendar_seasons
from sparkhu.steps.segmented import NEVER, Floats, Ints, Segments, floats, instants, times

LEAST_WINDOW = 12
"""Points of a window where none is given: whole seasons of at least so many."""
CYCLES = 4
"""A season is taken out where it fits so many times: of fewer, it follows what happens once."""
CHANGES_SCHEMA: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "kind": pl.String(),
    "ds": TIME,
    "ends": TIME,
    "size": pl.Float64(),
    "score": pl.Float64(),
    "available_at": TIME,
}


def check_level_changes(*, window: int, shift_width: float, drift_width: float) -> None:
    """Check the parameters of the step.

    Raises:
        InputError: `window` is negative, or a width is no number above 0.
    """
    if window < 0:
        raise InputError(f"window must be a number of points, or 0 for whole seasons, got {window}.")
    for name, width in (("shift_width", shift_width), ("drift_width", drift_width)):
        if not 0 < width < float("inf"):
            raise InputError(f"{name} must be a number above 0, got {width}. Usual is 5 to 7.")


@reads(observations=("unique_id", "ds", "y_raw", "available_at"))
def find_level_changes(
    observations: pl.DataFrame,
    profile: pl.DataFrame,
    *,
    window: int = 0,
    shift_width: float = 6.0,
    drift_width: float = 5.0,
) -> StepResult:
    """Find the level shifts and drifts of the series of a shard.

    Args:
        observations: Rows of the shard, gaps among them: `y_raw`, null where nothing was observed, and `available_at`.
        profile: One row a series with `period_label`, `season_length` and, where days are not those of UTC, `zone`.
        window: Points before and behind an instant whose medians are compared; 0: whole seasons of 12 points or more,
            an eighth of the series at most.
        shift_width: Distance of their difference from what is usual in the series, in robust standard deviations,
            beyond which it is a shift.
        drift_width: The t-statistic beyond which a change of the slope is a drift.

    Returns:
        `level_changes`: any number of rows a series, by time: `kind` (`shift` or `drift`), `ds` (first observation
        behind the shift, or the one the drift begins at), `ends` (the observation the drift ends at; null of shifts),
        `size` in the unit of `y` (change of the level; of a drift the whole change beyond what the slope before would
        have brought), `score` (in the unit of the widths) and `available_at`. The ledger counts `shifts` and
        `drifts`; a series of fewer than 8 windows is `skipped`.

    Raises:
        InputError: A parameter cannot be used, or a column is missing.

    Example:
        >>> find_level_changes(rows, profile).frames["level_changes"].filter(kind="shift")
    """
    check_level_changes(window=window, shift_width=shift_width, drift_width=drift_width)
    check_frame(observations, "unique_id", "ds", "y_raw", "available_at")
    owner = Segments.of(observations)
    zoned = profile if "zone" in profile.columns else profile.with_columns(zone=pl.lit(None, pl.String))
    table = owner.align(zoned, "period_label", "season_length", "zone")
    values, ds = floats(observations["y_raw"]), instants(observations["ds"])
    known = instants(observations["available_at"])
    found = []
    for number, row in enumerate(table.iter_rows(named=True)):
        rows = slice(int(owner.starts[number]), int(owner.ends[number]))
        found.append(_of_series(row, values[rows], ds[rows], known[rows], (window, shift_width, drift_width)))
    changes = pl.concat([pl.DataFrame(schema=CHANGES_SCHEMA), *[one for one in found if one is not None]])
    return StepResult({"level_changes": changes}, _ledger(owner, found, window or LEAST_WINDOW))


def without_seasons(values: Floats, seasons: Sequence[int]) -> Floats:
    """Take seasons out of a series, the shortest first, each that fits at least four times.

    Args:
        values: One value a period, NaN where missing.
        seasons: Points in each season, ascending.
    """
    from sparkhu.kernels.medians import place_medians, running_medians

    for season in seasons:
        if len(values) >= CYCLES * season:
            level = running_medians(values, season + 1 - season % 2, least=max(season // 2, 1))
            values = values - place_medians(values - level, season)
    return values


def window_of(points: int, season_length: int | None) -> int:
    """Choose the window of a series: whole seasons of 12 points or more, an eighth of the points at most."""
    season = season_length or 1
    return min(season * -(-LEAST_WINDOW // season), points // WINDOWS)


def _of_series(
    row: dict[str, Any], values: Floats, ds: Ints, known: Ints, settings: tuple[int, float, float]
) -> pl.DataFrame | None:
    """Find the changes of one series; None where it is too short."""
    window, shift_width, drift_width = settings
    seasons = calendar_seasons(row["period_label"], row["season_length"], row["zone"] or "UTC")
    plain = without_seasons(values, seasons)
    there = np.flatnonzero(~np.isnan(plain))
    if len(there) < WINDOWS * (window or LEAST_WINDOW):
        return None
    level = plain[there]
    shifts = find_shifts(level, window or window_of(len(there), row["season_length"]), shift_width)
    for shift in shifts:
        level[shift.at :] -= shift.size
    drift = find_drift(level, drift_width)
    at, latest = ds[there], known[there].max()
    changes = [("shift", int(at[one.at]), int(NEVER), one.size, one.score) for one in shifts]
    if drift is not None:
        changes.append(("drift", int(at[drift.start]), int(at[drift.end]), drift.size, drift.score))
    return _table(row["unique_id"], sorted(changes, key=lambda change: change[1]), int(latest))


def _table(name: str, changes: list[tuple[str, int, int, float, float]], latest: int) -> pl.DataFrame:
    kind, ds, ends, size, score = zip(*changes, strict=True) if changes else ((), (), (), (), ())
    count = len(changes)
    columns = {
        "unique_id": [name] * count,
        "kind": kind,
        "ds": times(np.array(ds, np.int64)),
        "ends": times(np.array(ends, np.int64)),
        "size": size,
        "score": score,
        "available_at": times(np.full(count, latest)),
    }
    return pl.DataFrame(columns, schema=CHANGES_SCHEMA)


def _ledger(owner: Segments, found: Sequence[pl.DataFrame | None], window: int) -> pl.DataFrame:
    reason = f"fewer than {WINDOWS * window} observed points, too few to tell what is usual"
    short = [one is None for one in found]
    counts = {
        f"{kind}s": pl.Series([0 if one is None else int((one["kind"] == kind).sum()) for one in found], dtype=pl.Int64)
        for kind in ("shift", "drift")
    }
    return entries(
        owner.ids,
        status=pl.Series(["skipped" if skipped else "ok" for skipped in short], dtype=pl.String),
        reason=pl.Series([reason if skipped else None for skipped in short], dtype=pl.String),
        counts=counts,
    )
