"""Folds: the moments from which a backtest forecasts, the series that it asks for, and how far ahead.

A fold belongs to one group of series, of one period and season. The period, the season and the horizon are part of the
question, so they are the same in every fold; everything else is found in the fold, from what lies before its cutoff.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.periods import Period
from sparkhu.steps.deduplication import drop_duplicates
from sparkhu.steps.normalisation import Scaler, check_scaler
from sparkhu.steps.own_periods import by_period, with_periods
from sparkhu.steps.regularity import detect_regularity
from sparkhu.training.groups import check_sizes, usual_horizon


@dataclass(frozen=True, eq=False)
class Fold:
    """What is asked of the models of one group at one moment.

    Attributes:
        group: The group, such as `1h/24`.
        number: The fold's place among those of its group, from 1, in order of time.
        members: Names of the series.
        cutoff: The first instant that is forecast: only what lies before it and was known at it is learnt from.
        period: Label of the period.
        season_length: Points in a season, 1 without one.
        horizon: H, the points to forecast.
        input_size: L, the points that models look at; 0: chosen from what lies before the cutoff.
        zone: Zone of the calendar.
        train_end: Where the training part ends, and the part that chooses begins; None: by `validation_points`.
        until: None: each series is forecast once, from the cutoff, by the final models. Else every window whose
            targets lie between the cutoff and this instant, by the models as they stood after the training part.
        scaler: How values are scaled for the models, each series by its training part.
    """

    group: str
    number: int
    members: pl.Series
    cutoff: datetime
    period: str
    season_length: int
    horizon: int
    input_size: int = 0
    zone: str = "UTC"
    train_end: datetime | None = None
    until: datetime | None = None
    scaler: Scaler = "standard"


class Folds(NamedTuple):
    """The folds of a backtest.

    Attributes:
        folds: By group and time.
        left_out: Ledger entries of the series that no fold asks for, with the reason.
    """

    folds: list[Fold]
    left_out: pl.DataFrame


@dataclass(frozen=True)
class Rolling:
    """Rolling origin: the last horizon of the data, the one before it, and so on, each forecast from its beginning.

    Attributes:
        folds: How many.
        horizon: H; 0: the M4 competition's for the period, else a season (`sparkhu.training.groups`), but so short
            that the median series has three horizons before the first cutoff.
        input_size: L; 0: chosen in each fold.
        season_length: Points in a season; 0: the calendar's for the period.
        period: Period of every series; empty: found from their instants.
        zone: Zone of days and months.
        scaler: How values are scaled for the models.

    Raises:
        InputError: A number is out of range.
    """

    folds: int = 3
    horizon: int = 0
    input_size: int = 0
    season_length: int = 0
    period: str = ""
    zone: str = "UTC"
    scaler: Scaler = "standard"

    def __post_init__(self) -> None:
        if self.folds < 1:
            raise InputError(f"folds must be at least 1, got {self.folds}")
        check_scaler(self.scaler)
        check_sizes(horizon=self.horizon, input_size=self.input_size)

    def plan(self, rows: pl.DataFrame) -> Folds:
        """Lay folds over the rows.

        Args:
            rows: Observation frame, sorted.

        Returns:
            For each group the folds before the end of its data: the instant of the last observed value of the median
            series. A series without a period or without an observed value is left out.
        """
        found = drop_duplicates(rows).frames["observations"]
        profile = detect_regularity(found, zone=self.zone, period=self.period, season_length=self.season_length).frames[
            "profile"
        ]
        regular = pl.col("decision") == "regular"
        last = found.drop_nulls("y").group_by("unique_id").agg(last=pl.col("ds").max())
        usable = profile.filter(regular).join(last, on="unique_id", maintain_order="left")
        empty = profile.filter(regular).join(last, on="unique_id", how="anti", maintain_order="left")["unique_id"]
        why = "no period is found in its instants, so there is no horizon to forecast; resample it, or give a period"
        lost = profile.filter(~regular)["unique_id"]
        names = ("period_label", "season_length")
        parts = usable.partition_by(*names, as_dict=True, maintain_order=True)
        folds = [fold for key, part in sorted(parts.items()) for fold in self._of_group(part, *key)]
        left_out = [(lost, why), (empty, "no value of it was observed")]
        return Folds(folds, pl.concat([ledger.entries(each, status="skipped", reason=said) for each, said in left_out]))

    def _of_group(self, part: pl.DataFrame, label: str, season: int) -> list[Fold]:
        room = int(part["n"].quantile(0.5, "lower") or 0) // (self.folds + 3)
        horizon = self.horizon or max(min(usual_horizon(label, season)[0], room), 1)
        # Where series end on grids of their own, one of them stands for all.
        ending = part.sort("last", "unique_id")[part.height // 2]
        ((period, _),) = by_period(with_periods(ending, self.zone))
        ends = [_shifted(period, ending["last"][0], 1 - horizon * back) for back in range(self.folds, 0, -1)]
        names, group = part["unique_id"], f"{label}/{season}"
        return [
            Fold(group, number, names, cutoff, label, season, horizon, self.input_size, self.zone, scaler=self.scaler)
            for number, cutoff in enumerate(ends, start=1)
        ]


@dataclass(frozen=True)
class Ett:
    """The protocol of the ETT data sets: 12 months of 30 days train, 4 choose, 4 are forecast at every step.

    All of the 4 months choose, so there is nothing left to calibrate intervals on.

    Source: H. Zhou et al., "Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting", AAAI
    2021.

    Attributes:
        horizon: H; 0: 96.
        input_size: L; 0: 336.
        season_length: Points in a season; 0: the calendar's for the period.
        zone: Zone of days.
    """

    horizon: int = 0
    input_size: int = 0
    season_length: int = 0
    zone: str = "UTC"

    def plan(self, rows: pl.DataFrame) -> Folds:
        """Lay the one fold over the rows.

        Raises:
            InputError: The series differ in their period, or the rows hold no 20 months.
        """
        profile = detect_regularity(rows, zone=self.zone, season_length=self.season_length).frames["profile"]
        groups = profile.select("decision", "period_label", "season_length").unique()
        if groups.height != 1 or groups["decision"][0] != "regular":
            raise InputError("the preset ett takes series of one period, as the columns of ETTh1.csv; these differ.")
        _, label, season = groups.row(0)
        first, last = rows["ds"].min(), rows["ds"].max()
        day = Period.parse("1d")
        train_end, cutoff, until = (_shifted(day, first, 30 * months) for months in (12, 16, 20))
        if not isinstance(last, datetime) or last < _shifted(Period.parse(label), until, -1):
            raise InputError(
                f"the preset ett takes 20 months of 30 days, from {first!s} to {until}; the last row is of {last!s}."
            )
        names, sizes = profile["unique_id"], (self.horizon or 96, self.input_size or 336)
        fold = Fold(f"{label}/{season}", 1, names, cutoff, label, season, *sizes, self.zone, train_end, until)
        return Folds([fold], ledger.empty())


def validation_points(points: int, horizon: int) -> int:
    """Count the points that choose: four horizons, so that some windows choose and others calibrate; a quarter at most.

    Args:
        points: Of a series before the cutoff.
        horizon: H.
    """
    return min(4 * horizon, max(points // 4, 1))


def _shifted(period: Period, instant: object, steps: int) -> datetime:
    assert isinstance(instant, datetime)
    moved = period.shift(instant, steps)
    assert isinstance(moved, datetime)
    return moved


def described(fold: Fold) -> Mapping[str, object]:
    """Say what a fold asks, for a document."""
    return {
        "group": fold.group,
        "number": fold.number,
        "cutoff": fold.cutoff.isoformat(),
        "horizon": fold.horizon,
        "until": fold.until.isoformat() if fold.until else None,
    }
