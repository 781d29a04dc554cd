"""Groups of series that share a model, with the sizes of their windows.

A group is a period and a season, such as `1h/24`. What is not given is chosen per group:

- horizon: the M4 competition's convention (yearly 6, quarterly 8, monthly 18, weekly 13, daily 14, hourly 48), one
  season for other periods (6 where there is none), at most 288; but no longer than half of the validation part, so
  that many windows choose and as many calibrate (`parts.py`), nor than a quarter of the training part;
- input_size: 3.5 horizons (336 for 96, as the long-horizon literature has it), rounded up to whole seasons, two
  seasons at least, 1008 points at most; but no longer than half of what the horizon leaves of the training part.

The lengths of the parts are the medians over the group's series.
"""

from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import check_frame
from sparkhu.steps.own_periods import by_period, with_periods

M4_HORIZONS = {"1y": 6, "1q": 8, "1mo": 18, "1w": 13, "1d": 14, "1bd": 14, "1h": 48}
NO_SEASON_HORIZON = 6
LARGEST_HORIZON = 288
LARGEST_INPUT = 1008


class GroupPlan(NamedTuple):
    """The plan of a run.

    Attributes:
        profile: The profile with `input_size, horizon` (Int64) and `group`; null for a series without a period.
        notes: What was chosen and why, a sentence a group.
    """

    profile: pl.DataFrame
    notes: list[str]


@dataclass(frozen=True)
class _Lengths:
    series: int
    train: int
    valid: int


def check_sizes(*, horizon: int, input_size: int) -> None:
    """Check the parameters `horizon` and `input_size`.

    Raises:
        InputError: One is negative.
    """
    for name, value in (("horizon", horizon), ("input_size", input_size)):
        if value < 0:
            raise InputError(f"{name} must be positive, or 0 to choose it from the data, got {value}")


def plan_groups(
    profile: pl.DataFrame, *, horizon: int = 0, input_size: int = 0, zone: str = "UTC", whole_seasons: bool = False
) -> GroupPlan:
    """Put series into groups and decide L and H of each.

    Args:
        profile: All series of the run, one row each: `unique_id, n, period_label, season_length, train_end,
            valid_end, test_end`.
        horizon: H for every group; 0 chooses it per group.
        input_size: L for every group; 0 chooses it per group.
        zone: Zone of the calendar where the profile names none.
        whole_seasons: Seasonal naive looks back a season however short the inputs are, as in a backtest
            (`sparkhu.backtesting.yardsticks`); the notes say what it does.

    Raises:
        InputError: A size is negative, or no series is long enough for it.

    Example:
        A hundred years in yearly steps, split 70/10/20: horizon 5, input_size 18, and 48 training windows.
    """
    check_sizes(horizon=horizon, input_size=input_size)
    check_frame(profile, "unique_id", "n", "period_label", "season_length", "train_end", "valid_end", "test_end")
    _check_longest(profile, horizon, input_size)
    grouped = profile.drop("input_size", "horizon", "group", strict=False).with_columns(
        group=pl.format("{}/{}", pl.col("period_label"), pl.col("season_length").fill_null(1))
    )
    sizes, notes = [], []
    for (group,), part in sorted(grouped.drop_nulls("group").partition_by("group", as_dict=True).items()):
        lengths = _lengths(part, zone)
        label, season = str(part["period_label"][0]), int(part["season_length"].fill_null(1)[0])
        H, why_H = (horizon, "given") if horizon else _choose_horizon(label, season, lengths)
        L, why_L = (input_size, "given") if input_size else _choose_input(season, H, lengths)
        sizes.append((group, L, H))
        notes.append(_note(str(group), lengths.series, f"horizon {H} ({why_H})", f"input_size {L} ({why_L})"))
        if season > max(L, 1):
            told = "looks back a season all the same" if whole_seasons else "repeats the last value"
            notes.append(f"{group}: input_size {L} holds no season of {season}; seasonal naive {told}")
    schema = {"group": pl.String, "input_size": pl.Int64, "horizon": pl.Int64}
    planned = grouped.join(
        pl.DataFrame(sizes, schema=schema, orient="row"), on="group", how="left", maintain_order="left"
    )
    return GroupPlan(planned, notes)


def seasons_of(plan: pl.DataFrame) -> dict[str, int]:
    """Give the points in a season of each group of a plan, 1 where it has none."""
    rows = plan.drop_nulls("group").group_by("group").agg(pl.col("season_length").first()).sort("group")
    return {group: season or 1 for group, season in rows.select("group", "season_length").iter_rows()}


def _check_longest(profile: pl.DataFrame, horizon: int, input_size: int) -> None:
    if profile.is_empty():
        return
    name, longest = profile.sort("n", descending=True, nulls_last=True).select("unique_id", "n").row(0)
    if horizon and horizon >= longest:
        raise InputError(
            f"horizon {horizon} is longer than every series; the longest, '{name}', has {longest} points. "
            f"Give a horizon below {longest}, or none to choose it from the data."
        )
    if input_size and input_size + max(horizon, 1) > longest:
        raise InputError(
            f"input_size {input_size} with a horizon of {max(horizon, 1)} fits in no series; the longest, '{name}', "
            f"has {longest} points. Give a smaller input_size, or none to choose it from the data."
        )


def _lengths(part: pl.DataFrame, zone: str) -> _Lengths:
    counts = []
    for period, rows in by_period(with_periods(part, zone)):
        valid = period.counts(rows["train_end"], rows["valid_end"])
        test = period.counts(rows["valid_end"], rows["test_end"])
        counts.append(pl.DataFrame({"valid": valid, "train": rows["n"] - valid - test}))
    counted = pl.concat(counts)
    middle = counted.select(pl.all().fill_null(0).quantile(0.5, "lower"))
    return _Lengths(part.height, max(int(middle["train"][0]), 0), max(int(middle["valid"][0]), 0))


def usual_horizon(label: str, season: int) -> tuple[int, str]:
    """Give the horizon that is usual for a period and a season, and why, however long the series are."""
    if label in M4_HORIZONS:
        return M4_HORIZONS[label], "the M4 convention"
    return (min(season, LARGEST_HORIZON), "one season") if season > 1 else (NO_SEASON_HORIZON, "no season")


def _choose_horizon(label: str, season: int, lengths: _Lengths) -> tuple[int, str]:
    wanted, why = usual_horizon(label, season)
    for limit, reason in (
        (lengths.valid // 2, "half of the validation part"),
        (lengths.train // 4, "a quarter of the training part"),
    ):
        if wanted > limit:
            wanted, why = max(limit, 1), reason
    return wanted, why


def _choose_input(season: int, horizon: int, lengths: _Lengths) -> tuple[int, str]:
    seasons = max(-(-7 * horizon // (2 * season)), 2)
    wanted = min(seasons * season, LARGEST_INPUT)
    why = f"{seasons} seasons" if season > 1 else "3.5 horizons"
    if wanted < seasons * season:
        why = "the most that is chosen"
    limit = max((lengths.train - horizon) // 2, 1)
    return (limit, "half of what the horizon leaves of the training part") if wanted > limit else (wanted, why)


def _note(group: str, series: int, *sizes: str) -> str:
    return f"{group}: {series:,} series, {', '.join(sizes)}"
