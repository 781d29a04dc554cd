"""A backtest from rows to scores: fold by fold, each fitted, asked, scored and let go."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple, Protocol

import polars as pl

from sparkhu import ledger
from sparkhu.backtesting.document import document, series_table
from sparkhu.backtesting.fitting import FittedFold, Recipes, fit_fold
from sparkhu.backtesting.folds import Fold, Folds, Rolling, described
from sparkhu.backtesting.forecasts import Batch, at_cutoff, later_windows, outcomes
from sparkhu.backtesting.leaks import check_leaks, own_forecasts
from sparkhu.backtesting.preparing import BASE
from sparkhu.backtesting.scoring import FORECASTS, SCHEMA, Scorer
from sparkhu.errors import InputError
from sparkhu.frame import accepts_pandas, check_frame
from sparkhu.training.parts import Floats

LEAKS, SCORES = "leaks", "scores"
"""What a fold is at beside fitting models."""
Sink = Callable[[pl.DataFrame], object]


class Asking(Protocol):
    """How a backtest asks: where its folds lie."""

    def plan(self, rows: pl.DataFrame) -> Folds:
        """Lay folds over rows."""


class Progress(NamedTuple):
    """What a backtest is at: told as it goes on.

    Attributes:
        fold: The fold.
        of: How many folds there are in its group.
        at: What is done now: a model that is fitted, or what comes after.
        seconds: What it took, where it is over; None where it begins.
    """

    fold: Fold
    of: int
    at: str
    seconds: float | None = None


Told = Callable[[Progress], None]


@dataclass
class Backtest:
    """The outcome of a backtest.

    Attributes:
        metrics: The content of `metrics.json`.
        series: Errors of every model on every series, over all folds.
        scores: Sums of errors by series, fold and model, in the columns of `sparkhu.backtesting.scoring.SCHEMA`.
        forecasts: Every forecast, in the columns of `sparkhu.backtesting.scoring.FORECASTS`; empty where a sink took
            them.
        entries: Ledger entries: every series, with the reason where it was not forecast in some fold.
    """

    metrics: dict[str, Any]
    series: pl.DataFrame
    scores: pl.DataFrame
    forecasts: pl.DataFrame
    entries: pl.DataFrame


@dataclass
class _Running:
    """A backtest on its way: the rows and how they are asked, and what was gathered so far.

    `compared` holds the groups whose models were not all checked for leaks yet, with those that were.
    """

    rows: pl.DataFrame
    recipes: Recipes
    seed: int
    without_intervals: Collection[str]
    sink: Sink
    told: Told
    compared: dict[str, set[str]]
    scores: list[pl.DataFrame] = field(default_factory=lambda: [pl.DataFrame(schema=SCHEMA)])
    left_out: list[pl.DataFrame] = field(default_factory=lambda: [ledger.empty()])
    folds: list[dict[str, Any]] = field(default_factory=list)
    checked: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def ask(self, fold: Fold, of: int) -> None:
        """Fit a fold, check it where models of its group were not yet, and score what it forecasts."""
        say = partial(Progress, fold, of)
        fitted = fit_fold(self.rows, self.recipes, fold, seed=self.seed, fitting=lambda name: self.told(say(name)))
        for name, seconds in fitted.seconds.items():
            self.told(say(name, seconds))
        series = self._remember(fitted)
        if series:
            self._check(fitted, say)
            self.told(say(SCORES))
            self._score(fitted, say)

    def _check(self, fitted: FittedFold, say: Callable[..., Progress]) -> None:
        """Look for leaks, as long as seasonal naive stood in for some model of the group in all that was looked at."""
        group = fitted.fold.group
        if group not in self.compared:
            return
        done = self.compared[group]
        if done and not own_forecasts(at_cutoff(fitted), fitted.models.keys() - done):
            return
        self.told(say(LEAKS))
        began = perf_counter()
        done |= check_leaks(self.rows, self.recipes, fitted, seed=self.seed)
        self.checked |= done
        if done >= fitted.models.keys():
            del self.compared[group]
        self.told(say(LEAKS, perf_counter() - began))

    def _remember(self, fitted: FittedFold) -> int:
        prepared, fold = fitted.prepared, fitted.fold
        sizes = prepared.shard.series["input_size"]
        count = {"series": len(sizes), "input_size": sizes[0] if len(sizes) else None}
        seconds = {name: round(value, 3) for name, value in fitted.seconds.items()}
        self.left_out.append(prepared.left_out)
        self.folds.append({**described(fold), **count, "seconds": seconds})
        self.notes += [f"fold {fold.number} of {note}" for note in fitted.notes]
        return len(sizes)

    def _score(self, fitted: FittedFold, say: Callable[[str], Progress]) -> None:
        number = fitted.fold.number
        scorer = Scorer.of(fitted, intervals=frozenset(fitted.models) - set(self.without_intervals))
        for batch, observed in _asked(fitted, self.rows):
            self.scores.append(scorer.scores(batch, observed, number))
            self.sink(scorer.forecasts(batch, observed, number))
            self.told(say(f"{len(batch.codes):,} windows scored"))


@accepts_pandas
def backtest(
    rows: pl.DataFrame,
    recipes: Recipes,
    protocol: Asking | None = None,
    *,
    seed: int = 0,
    without_intervals: Collection[str] = (),
    leaks: bool = True,
    sink: Sink | None = None,
    told: Told = lambda _: None,
) -> Backtest:
    """Forecast from moments in the past and score what was forecast on what was observed later.

    Nothing that a model is given has seen what lies behind the moment: rows are cut at it first
    (`sparkhu.backtesting.preparing`). Seasonal naive, the last value and, where a fold forecasts once, Naive2 are
    always beside.

    Args:
        rows: Observation frame `unique_id, ds, y, available_at`, sorted.
        recipes: What is fitted, or a function of the rows that makes it (`sparkhu.backtesting.fitting.Recipes`).
        protocol: Where the folds lie; None: the rolling origin with its defaults.
        seed: Of every draw.
        without_intervals: Models whose intervals are not calibrated.
        leaks: Check on the first fold of each group, and on the next ones until every model that forecasts anything
            there was compared, that another future changes no forecast.
        sink: Takes the forecasts, some at a time, so that they need not stay in memory.
        told: Called as the backtest goes on.

    Raises:
        InputError: No series can be forecast, or a parameter or column cannot be used.
        LeakError: A model has seen the future.

    Example:
        >>> result = backtest(rows, [LinearRecipe()], Rolling(folds=2, horizon=24))
        >>> result.metrics["linear"]["relative_mae"]
    """
    check_frame(rows, *BASE)
    base, held = rows.select(BASE), [pl.DataFrame(schema=FORECASTS)]
    asking = Rolling() if protocol is None else protocol
    planned = asking.plan(base)
    last = {fold.group: fold.number for fold in planned.folds}
    compared: dict[str, set[str]] = {group: set() for group in last} if leaks else {}
    running = _Running(base, recipes, seed, without_intervals, sink or held.append, told, compared)
    running.left_out.append(planned.left_out)
    for fold in planned.folds:
        running.ask(fold, last[fold.group])
    scores = pl.concat(running.scores).group_by("unique_id", "group", "fold", "model", maintain_order=True).sum()
    left_out = pl.concat(running.left_out)
    if scores.is_empty():
        raise _nothing(left_out)
    made = document(
        scores,
        folds=running.folds,
        protocol=asking,
        checked=sorted(running.checked) if leaks else None,
        left_out=left_out["unique_id"].n_unique(),
        notes=running.notes,
    )
    return Backtest(made, series_table(scores), scores, pl.concat(held), _entries(base, scores, left_out))


def _asked(fitted: FittedFold, rows: pl.DataFrame) -> Iterator[tuple[Batch, Floats]]:
    """Give what a fold forecasts, with what was observed."""
    if fitted.fold.until is not None:
        yield from later_windows(fitted, rows)
    else:
        batch = at_cutoff(fitted)
        yield batch, outcomes(fitted, batch, rows)


def _nothing(left_out: pl.DataFrame) -> InputError:
    reasons = left_out["reason"].drop_nulls()
    why = f"; the first reason: {reasons[0]}" if len(reasons) else ""
    return InputError(
        f"no series can be scored{why}. Give a shorter horizon or input size, fewer folds, or a source with longer "
        "series."
    )


def _entries(rows: pl.DataFrame, scores: pl.DataFrame, left_out: pl.DataFrame) -> pl.DataFrame:
    """Account for every series: those that were scored, with the folds in which, and those that were not, with why."""
    names = rows.select(pl.col("unique_id").unique(maintain_order=True))
    scored = scores.group_by("unique_id").agg(folds=pl.col("fold").n_unique().cast(pl.Int64))
    why = left_out.group_by("unique_id").agg(pl.col("reason").drop_nulls().unique(maintain_order=True).str.join("; "))
    table = names.join(scored, on="unique_id", how="left", maintain_order="left")
    table = table.join(why, on="unique_id", how="left", maintain_order="left")
    unscored = pl.when(pl.col("folds").is_null()).then(pl.lit("nothing was observed at the instants forecast"))
    table = table.with_columns(reason=pl.coalesce("reason", unscored))
    status = table.select(pl.when(pl.col("folds") > 0).then(pl.lit("ok")).otherwise(pl.lit("skipped"))).to_series()
    counts = {"folds": table["folds"].fill_null(0)}
    return ledger.entries(table["unique_id"], status=status, reason=table["reason"], counts=counts)
