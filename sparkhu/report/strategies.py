"""How well each way of filling and of handling did, series by series and over all of them."""

import polars as pl

from sparkhu.report.markup import absent, escape, percent, share_bar
from sparkhu.report.overview import Overview
from sparkhu.report.reading import Results

FAR = 0.9


def fill_errors(results: Results) -> pl.LazyFrame | None:
    """Give each fill strategy's error on hidden points per series (`unique_id`, `strategy`, `error`).

    It is the mean over all lengths of masks, weighted as the choice weighs them.
    """
    scores = results.table("scores")
    if scores is None:
        return None
    weight = pl.col("weight") if "weight" in scores.collect_schema().names() else pl.lit(1.0)
    usable = scores.with_columns(weight=weight).filter(pl.col("mae").is_finite() & (pl.col("weight") > 0))
    error = (pl.col("mae") * pl.col("weight")).sum() / pl.col("weight").sum()
    return usable.group_by("unique_id", "strategy").agg(error=error)


def handling_errors(results: Results) -> pl.LazyFrame | None:
    """Give each handling strategy's error on injected spikes per series (`unique_id`, `strategy`, `error`).

    As the choice weighs them: the error at the spikes counts as the share of points that are anomalies, what the
    strategy changes in clean points counts as the rest. A table without that share has the error at the spikes.
    """
    scores = results.table("handling_scores")
    if scores is None:
        return None
    error = pl.col("error")
    if {"share", "collateral"} <= set(scores.collect_schema().names()):
        error = pl.col("share") * error + (1 - pl.col("share")) * pl.col("collateral")
    known = scores.select("unique_id", "strategy", error=error)
    return known.filter(pl.col("error").is_finite())


def standings(errors: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """Compare strategies over all series.

    Args:
        errors: `unique_id`, `strategy`, `error`.
        chosen: `unique_id`, `strategy`: what stands in the series.

    Returns:
        One row a strategy, the most often chosen first: `strategy`, `chosen` (series), `series` (scored ones), `rank`
        (mean over the series; equal errors share theirs), `regret` and `far` (median and 90 % quantile of the share by
        which its error exceeds the least of the series).

    Example:
        >>> errors = pl.DataFrame({"unique_id": ["a", "a"], "strategy": ["mean", "last"], "error": [2.0, 3.0]})
        >>> chosen = pl.DataFrame({"unique_id": ["a"], "strategy": ["mean"]})
        >>> standings(errors, chosen).select("strategy", "chosen", "rank", "regret").rows()
        [('mean', 1, 1.0, 0.0), ('last', 0, 2.0, 0.5)]
    """
    error, least = pl.col("error"), pl.col("error").min().over("unique_id")
    behind = pl.when(least > 0).then(error / least - 1).when(error == least).then(0.0)
    scored = (
        errors.with_columns(rank=error.rank("average").over("unique_id"), behind=behind)
        .group_by("strategy")
        .agg(
            series=pl.len(),
            rank=pl.col("rank").mean(),
            regret=pl.col("behind").median(),
            far=pl.col("behind").quantile(FAR, "linear"),
        )
    )
    counts = chosen.drop_nulls("strategy").group_by("strategy").agg(chosen=pl.len())
    return (
        scored.join(counts, on="strategy", how="full", coalesce=True)
        .with_columns(pl.col("chosen", "series").fill_null(0).cast(pl.Int64))
        .select("strategy", "chosen", "series", "rank", "regret", "far")
        .sort("chosen", "rank", "strategy", descending=[True, False, False], nulls_last=True)
    )


def strategies_section(results: Results, overview: Overview) -> str:
    """Give how the strategies compare over all series, gaps and anomalies each in a small table, as HTML.

    A strategy of handling counts as chosen only where a series has an anomaly.
    """
    frame, handled = overview.frame, results.table("handling")
    if handled is not None and "anomalies" in frame.columns:
        anomalous = frame.filter(pl.col("anomalies") > 0)["unique_id"].to_list()
        handled = handled.filter(pl.col("unique_id").is_in(anomalous))
    fills = _part(
        "Filling gaps",
        "Error on known points that were hidden from each strategy.",
        fill_errors(results),
        results.table("choices"),
        "scores.parquet",
        candidates=_candidates(results, "pool_fills"),
    )
    handling = _part(
        "Handling anomalies",
        "Error with spikes of the series' own size put into clean points; chosen where there are anomalies.",
        handling_errors(results),
        handled,
        "handling_scores.parquet",
        candidates=_candidates(results, "pool_handling"),
    )
    return f'<div class="pair">{fills}{handling}</div>'


def _candidates(results: Results, step: str) -> frozenset[str] | None:
    """Name the strategies that the choice of a step considered; None where the run does not tell."""
    for record in results.history:
        params = record.get("params") or {}
        if record.get("step") == step and params.get("variants"):
            return frozenset([*params["variants"], *filter(None, [params.get("choice")])])
    return None


def _part(
    title: str,
    note: str,
    errors: pl.LazyFrame | None,
    chosen: pl.LazyFrame | None,
    file: str,
    *,
    candidates: frozenset[str] | None,
) -> str:
    head = f"<div><h3>{title}</h3>"
    if errors is None or chosen is None:
        return f"{head}{absent(f'No {file} and no choices in this run.')}</div>"
    picked = chosen.select("unique_id", "strategy").unique("unique_id", keep="last", maintain_order=True).collect()
    table = standings(errors.collect(), picked)
    if table.is_empty():
        return f'{head}<p class="calm">Nothing had to be scored.</p></div>'
    unasked = sorted(set(table["strategy"]) - candidates) if candidates else []
    if unasked:
        note += f" Scored, but not among the candidates of this run: {', '.join(unasked).replace('_', ' ')}."
    return f'{head}<p class="note">{escape(note)}</p>{_table(title, table, candidates)}</div>'


def _table(title: str, table: pl.DataFrame, candidates: frozenset[str] | None) -> str:
    series = int(table["chosen"].sum()) or 1
    named = table["strategy"].to_list()
    beside = {each for each in named if candidates is not None and each not in candidates}
    rows = "".join(_row(row, series, beside=row["strategy"] in beside) for row in table.iter_rows(named=True))
    heads = (
        '<th scope="col">Strategy</th><th scope="col" colspan="2">Chosen for</th>'
        '<th scope="col" class="num" title="Mean place among the strategies of a series; 1 is best">Mean rank</th>'
        '<th scope="col" class="num" title="Share by which its error exceeds the best of a series, in the median">'
        'Above the best</th><th scope="col" class="num" title="The same in the worst tenth of the series, at least">'
        "In the worst tenth</th>"
    )
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="Strategies: {title}">'
        f'<table class="grid standings"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(row: dict[str, object], series: int, *, beside: bool) -> str:
    chosen = int(str(row["chosen"]))
    rank, regret, far = (value if isinstance(value := row[key], float) else None for key in ("rank", "regret", "far"))
    place = "–" if rank is None else f"{rank:.1f}"
    name = escape(str(row["strategy"]).replace("_", " "))
    name += '<span class="beside">not a candidate</span>' if beside else ""
    return (
        f'<tr{" class=chosen" if chosen else ""}><th scope="row">{name}</th>'
        f'<td class="num">{chosen:,}</td><td class="share">{share_bar(chosen / series)}</td>'
        f'<td class="num">{place}</td><td class="num">{percent(regret)}</td>'
        f'<td class="num">{percent(far)}</td></tr>'
    )
