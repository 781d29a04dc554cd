"""The gate: the candidates of a promotion on the same windows, and the best of them.

Candidates are this run's models and the reigning champion of an earlier one (`reigning.py`). The best of this run's
models is found on the windows of the choosing half of validation that all of them can forecast, against observed values
only, by one metric that is pooled over all points of all series. Seasonal naive is always among them: so the best one's
error is at most that of seasonal naive. Against the champion the best one stands on those of the windows that the
champion can forecast as well, where these are not too few to speak for all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from sparkhu.evaluation.backtest import COUNTS, SCHEMA, SUMS, Units, window_errors
from sparkhu.evaluation.reigning import Reigning
from sparkhu.evaluation.summary import pooled_metric
from sparkhu.models.base import Floats, Forecaster, Models
from sparkhu.models.candidates import SEASONAL_NAIVE
from sparkhu.sections import Promotion
from sparkhu.threads import on_one_thread
from sparkhu.training.parts import CHOOSE
from sparkhu.training.windows import ShardWindows, chunks

WINDOW = "the earlier half of each series' validation part"
CHAMPION = "reigning champion"
RUN, COMMON = "of this run", "of all"
"""Sets of windows: those that the models of this run can forecast, and those that the reigning champion can as well."""
LEAST_COMMON = 0.5
"""Share of the run's windows, and of their series, that a champion must be compared on."""


@on_one_thread
def score_gate(shard: ShardWindows, *, models: Models, reigning: Reigning | None = None) -> pl.DataFrame:
    """Score the candidates on the windows of a shard that all of them can forecast.

    Args:
        shard: The windows of a shard.
        models: This run's, by name and group; as they stood after the training interval (`for_evaluation`). A group
            that one of them cannot forecast takes no part.
        reigning: The champion of an earlier run.

    Returns:
        One row a set, series and model with scored points: `set`, and the columns of `score_shard`; nothing is known of
        intervals yet. Errors are in units of this run, the reigning champion's as well.
    """
    units = Units(shard)
    tables = [pl.DataFrame(schema={"set": pl.String(), **SCHEMA})]
    for group, L, H, rows in shard.groups():
        chosen = rows.filter(pl.col("part") == CHOOSE)
        able = {name: groups[group] for name, groups in models.items() if group in groups}
        if len(able) == len(models) and chosen.height:
            totals: dict[tuple[str, str], dict[str, Floats]] = {}
            for windows in chunks(chosen, L + H):
                _add(totals, shard, units, windows, models=able, reigning=reigning)
            tables += [_table(shard, *key, sums) for key, sums in totals.items()]
    return pl.concat(tables).sort("set", "unique_id", "model")


def _add(
    totals: dict[tuple[str, str], dict[str, Floats]],
    shard: ShardWindows,
    units: Units,
    windows: pl.DataFrame,
    *,
    models: Mapping[str, Forecaster],
    reigning: Reigning | None,
) -> None:
    """Add the errors of some windows of a group to the totals by set and model."""
    first = next(iter(models.values()))
    codes, inputs = windows["code"].to_numpy(), shard.inputs(windows, first.input_size)
    observed = shard.source.targets(windows, first.horizon, "observed")
    made = {name: shard.unscaled(model.predict(inputs), codes) for name, model in models.items()}
    sets = {RUN: made}
    if reigning is not None:
        sets[COMMON] = {**made, CHAMPION: reigning.forecast(shard, windows, first.horizon)}
    for name, forecasts in sets.items():
        able = np.all([np.isfinite(forecast).all(axis=1) for forecast in forecasts.values()], axis=0)
        for model, forecast in forecasts.items():
            errors = window_errors(units, codes[able], observed[able], forecast[able])
            sums = totals.setdefault((name, model), {})
            for column, values in errors.items():
                counted = np.bincount(codes[able], values, minlength=shard.series.height).astype(np.float64)
                sums[column] = sums[column] + counted if column in sums else counted


def _table(shard: ShardWindows, which: str, model: str, sums: Mapping[str, Floats]) -> pl.DataFrame:
    counted = dict.fromkeys((*COUNTS, *SUMS), pl.lit(0)) | {name: pl.lit(pl.Series(v)) for name, v in sums.items()}
    table = shard.series.select(pl.lit(which).alias("set"), "unique_id", "group", pl.lit(model).alias("model"))
    scored = table.with_columns(**counted).filter(pl.col("points") > 0)
    return scored.select("set", *[pl.col(name).cast(dtype) for name, dtype in SCHEMA.items()])


@dataclass(frozen=True)
class Standing:
    """What a run knows of the reigning champion when it chooses.

    Attributes:
        version: Its number; None: there was none, or the registry could not be asked.
        score: Its score on the windows that all candidates can forecast; None where it could not be compared.
        told: How many of the run's series it can forecast, or why it could not be compared, in words.
        takes_part: Whether it was scored, as far as there are windows.
        gives_way: Whether one that could not be compared gives way: it does where it could not serve the run's series,
            and stays where nothing was found against it.
        challenger: Score of the best of this run's models on the same windows.
        yardstick: Score of seasonal naive on the same windows.
        windows: How many windows it was compared on.
        series: How many series these are of.
    """

    version: str | None
    score: float | None = None
    told: str = ""
    takes_part: bool = False
    gives_way: bool = False
    challenger: float | None = None
    yardstick: float | None = None
    windows: int = 0
    series: int = 0

    @property
    def note(self) -> str | None:
        """The sentence that says what there is to say of it; None: it was compared, or there is none."""
        if self.score is not None or not self.told:
            return None
        which = "the champion" if self.version is None else f"champion {self.version}"
        return f"{which} of the registry was not compared: {self.told}"


NOBODY = Standing(None, gives_way=True)


@dataclass(frozen=True)
class Gate:
    """What the candidates of a promotion were compared on, and what came out.

    Attributes:
        champion: The best of this run's models; seasonal naive where none could be scored.
        metric: What they are compared by, of `sparkhu.sections.Promotion`.
        min_improvement: Share of the reigning champion's score by which a challenger has to be better.
        window: What the windows are, in words.
        series: How many series the windows are of.
        windows: How many windows all of this run's models were scored on.
        points: How many observed points.
        scores: Score of each of this run's models there; empty where no window is common to them.
        ratio: The best one's score over that of seasonal naive, at most 1.
        reigning: The champion of an earlier run.
        test_ratio: As `ratio`, on the test part, which chose nothing.
        model_name: Name in the registry whose champion was looked for; empty: none was.
    """

    champion: str
    metric: str
    min_improvement: float
    window: str
    series: int
    windows: int
    points: int
    scores: dict[str, float]
    ratio: float | None
    reigning: Standing
    test_ratio: float | None = None
    model_name: str = ""

    @property
    def note(self) -> str:
        """The sentence that says which model forecasts and why."""
        if not self.scores:
            return f"{self.champion} forecasts: no validation window scores every model"
        told = ", ".join(f"{name} {score:.4g}" for name, score in self.scores.items())
        sizes = f"{self.windows:,} validation windows of {self.series:,} series"
        return f"{self.champion} forecasts: {self.metric} on {sizes}: {told}{self._duel}"

    @property
    def _duel(self) -> str:
        stood = self.reigning
        if stood.score is None or stood.challenger is None:
            return ""
        sizes = f"{stood.windows:,} of the windows, of {stood.series:,} series"
        return f"; on {sizes}, {stood.challenger:.4g} against {stood.score:.4g} of champion {stood.version}"

    def document(self) -> dict[str, Any]:
        """Give it as JSON values."""
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Gate":
        """Read what `document` gave."""
        return cls(**{**document, "reigning": Standing(**document["reigning"])})


def judge(
    scores: pl.DataFrame,
    *,
    models: Sequence[str],
    promotion: Promotion,
    standing: Standing = NOBODY,
    model_name: str = "",
) -> Gate:
    """Find the best of this run's models, and put it beside the reigning champion.

    Args:
        scores: `score_gate` of all shards.
        models: Names of this run's candidates, the simplest, seasonal naive, last: it wins ties, and forecasts where
            nothing could be scored.
        promotion: By which metric.
        standing: The reigning champion. One that was to be scored gets its score, or why it has none.
        model_name: Name in the registry that it was looked for under; empty: it was not.
    """
    compared = scores.filter(pl.col("set") == RUN)
    known = _pooled(compared, models, promotion.metric)
    whole = known if len(known) == len(models) else {}
    best = min(reversed(models), key=lambda name: whole[name]) if whole else SEASONAL_NAIVE
    windows, series, points = _sizes(compared, models[-1])
    return Gate(
        champion=best,
        metric=promotion.metric,
        min_improvement=promotion.min_improvement,
        window=WINDOW,
        series=series,
        windows=windows,
        points=points,
        scores=whole,
        ratio=ratio(whole.get(best), whole.get(SEASONAL_NAIVE)),
        reigning=_stood(standing, scores, best, promotion.metric) if standing.takes_part else standing,
        model_name=model_name,
    )


def _pooled(scores: pl.DataFrame, models: Sequence[str], metric: str) -> dict[str, float]:
    """Give the score of each model that has one."""
    found = {name: pooled_metric(scores.filter(pl.col("model") == name), metric) for name in models}
    return {name: score for name, score in found.items() if score is not None}


def _sizes(scores: pl.DataFrame, model: str) -> tuple[int, int, int]:
    """Count the windows, series and observed points that a model was scored on."""
    counted = scores.filter(pl.col("model") == model)
    return int(counted["windows"].sum()), counted["unique_id"].n_unique(), int(counted["points"].sum())


def with_test(gate: Gate, scores: pl.DataFrame) -> Gate:
    """Add how the best model does beside seasonal naive on the test part.

    Args:
        gate: What was chosen before.
        scores: `score_shard(part="test")` of all shards; the series that both models could forecast count.
    """
    pair = [gate.champion, SEASONAL_NAIVE]
    asked = scores.filter(pl.col("model").is_in(pair))
    both = asked.filter(pl.col("model").n_unique().over("unique_id") == len(set(pair)))
    found = [pooled_metric(both.filter(pl.col("model") == name), gate.metric) for name in pair]
    return replace(gate, test_ratio=ratio(*found))


def _stood(standing: Standing, scores: pl.DataFrame, best: str, metric: str) -> Standing:
    """Give the reigning champion its score and those that it stands against, or say why it has none; it stays then."""
    run, common = (scores.filter(pl.col("set") == which) for which in (RUN, COMMON))
    (windows, series, _), (of_windows, of_series, _) = _sizes(common, CHAMPION), _sizes(run, best)
    counted = replace(standing, windows=windows, series=series)
    if windows < LEAST_COMMON * of_windows or series < LEAST_COMMON * of_series or not windows:
        told = (
            f"it can be compared on {windows:,} of {of_windows:,} windows, of {series:,} of {of_series:,} series, and "
            f"{LEAST_COMMON:.0%} are asked for; it was trained on the others, or has too little to look back on"
        )
        return replace(counted, told=told)
    known = _pooled(common, [CHAMPION, best, SEASONAL_NAIVE], metric)
    if not {CHAMPION, best} <= known.keys():
        return replace(counted, told=f"{metric} is not defined on the windows that it can forecast")
    return replace(counted, score=known[CHAMPION], challenger=known[best], yardstick=known.get(SEASONAL_NAIVE))


def ratio(score: float | None, of_naive: float | None) -> float | None:
    """Give a score over that of seasonal naive; 1 where they are equal, None where there is none."""
    if score is None or of_naive is None:
        return None
    if score == of_naive:
        return 1.0
    return score / of_naive if of_naive else None
