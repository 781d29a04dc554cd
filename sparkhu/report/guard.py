"""Was cleaning worth it? What it brought each series, measured on observed values, and what was kept."""

from urllib.parse import quote

import polars as pl

from sparkhu.report.markup import absent, escape, number, percent, plural
from sparkhu.report.reading import Results
from sparkhu.steps.confirming import UNCONFIRMED, UNMEASURED

KINDS = {"outliers": "Cleaning outliers", "anomalies": "Handling anomalies"}
BOTH = "outliers+anomalies"
ERRORS = {
    "none": "error_raw",
    "outliers": "error_outliers",
    "anomalies": "error_anomalies",
    BOTH: "error_both",
}
MOST_ROWS = 30
LEAST_REACH = 0.02
AIR = 0.06


def judgements(results: Results) -> pl.DataFrame | None:
    """Give what the guard found for each series.

    Returns:
        `unique_id`, `kept`, `error_raw`, `error_kept` (verified: with each series as kept), `gain` (share by which it
        lies below that of the values as observed; null where nothing was kept), `best_error` and `best_gain` (of what
        was kept, else of the best that was tried), `kept_because`, and the errors of each way of cleaning; None where
        the run has no guard. Results without verified errors give those of the way of cleaning that was kept.
    """
    cleaning = results.table("cleaning")
    if cleaning is None:
        return None
    present = cleaning.collect_schema().names()
    reason = pl.col("reason") if "reason" in present else pl.lit(None, dtype=pl.String)
    kept = pl.col("kept")
    verified = [pl.col("error_kept")] if "error_kept" in present else []
    error = pl.coalesce(*verified, *(pl.when(kept == name).then(pl.col(column)) for name, column in ERRORS.items()))
    tried = [pl.col(column) for name, column in ERRORS.items() if name != "none"]
    best = pl.when(kept == "none").then(pl.min_horizontal(tried)).otherwise(error)
    return (
        cleaning.with_columns(error_kept=error, best_error=best, kept_because=reason)
        .with_columns(
            gain=pl.when(kept != "none").then(_gain("error_kept")),
            best_gain=_gain("best_error"),
        )
        .select("unique_id", "kept", *ERRORS.values(), "error_kept", "gain", "best_error", "best_gain", "kept_because")
        .collect()
    )


def _gain(name: str) -> pl.Expr:
    """Give the share by which an error lies below that of the values as observed."""
    return pl.when(pl.col("error_raw") > 0).then(1 - pl.col(name) / pl.col("error_raw"))


def guard_section(frame: pl.DataFrame | None) -> str:
    """Give the answer in a sentence, and for each series what cleaning brought, as HTML."""
    if frame is None:
        return absent("No cleaning.parquet in this run: what cleaning brought was not measured.")
    sentences = [sentence for kind in KINDS if (sentence := _sentence(frame, kind))]
    told = frame.filter(pl.col("kept_because").str.starts_with(UNMEASURED))["kept_because"]
    if not sentences and len(told):
        return absent(f"What cleaning brings was {escape(told[0])}.")
    if not sentences:
        return '<p class="calm">No series had an outlier or an anomaly to clean, so all are forecast as observed.</p>'
    note = (
        "Errors of a backtest on the validation part, against observed values only; what was kept is verified in a "
        "training with all series as kept. Forecasters are given cleaned values of a series only where that lowers the "
        "error; the charts and clean.parquet show the cleaning everywhere."
    )
    sentences += _unconfirmed(frame)
    return f'<p class="verdict">{" ".join(sentences)}</p><p class="note">{note}</p>{_gains(frame)}'


def _sentence(frame: pl.DataFrame, kind: str) -> str:
    """Say for how many series a kind of cleaning was kept, and what it brought them; empty where it changes none."""
    tried = frame.filter(pl.col(f"error_{kind}").is_not_null())
    if tried.is_empty():
        return ""
    kept = tried.filter(pl.col("kept").str.split("+").list.contains(kind))
    these = "the one series" if tried.height == 1 else f"the {tried.height:,} series"
    if kept.is_empty():
        counted = "not kept for" if tried.height == 1 else "kept for <b>none</b> of"
        return f"{KINDS[kind]} was {counted} {these} that it changes."
    counted = "" if tried.height == 1 else f"<b>{kept.height:,}</b> of "
    gain = kept["gain"].drop_nulls().median()
    if not isinstance(gain, float):
        return f"{KINDS[kind]} was kept for {counted}{these} that it changes."
    state, word = ("good", "lowers") if gain >= 0 else ("poor", "raises")
    by = f'<b class="{state}">{percent(abs(gain))}</b>'
    brought = f"{word} its error by {by}" if kept.height == 1 else f"{word} their error by {by} in the median"
    return f"{KINDS[kind]} was kept for {counted}{these} that it changes; it {brought}."


def _unconfirmed(frame: pl.DataFrame) -> list[str]:
    """Say of how many series the gain did not hold in the training with all series as chosen."""
    count = frame.filter(pl.col("kept_because").str.starts_with(UNCONFIRMED)).height
    if not count:
        return []
    stays = "stays" if count == 1 else "stay"
    return [f"<b>{plural(count, 'series', 'series')}</b> {stays} as observed because a gain was not confirmed."]


def _gains(frame: pl.DataFrame) -> str:
    """Give a line a series, the largest gain first: a dot at what the best way of cleaning brings."""
    measured = frame.drop_nulls("best_gain").sort(["best_gain", "unique_id"], descending=[True, False])
    if measured.is_empty():
        return absent("No series has enough windows to measure what cleaning brings.")
    reach = max(float(measured.select(pl.col("best_gain").clip(-1, 1).abs().max()).item()), LEAST_REACH)
    reach *= 1 + AIR
    half = MOST_ROWS // 2
    between = measured.height - 2 * half
    if between > 0:
        first, last = measured.head(half), measured.tail(half)
        skipped = f'<li class="between">{plural(between, "series", "series")} between; the table below has all</li>'
        lines = _lines(first, reach) + skipped + _lines(last, reach)
    else:
        lines = _lines(measured, reach)
    scale = (
        f"<span>{percent(reach)} higher error</span><span>as observed</span><span>{percent(reach)} lower error</span>"
    )
    key = '<p class="dots"><span class="kept"><i></i>kept</span><span><i></i>best tried, not kept</span></p>'
    return f'<figure class="gains">{key}<div class="scale" aria-hidden="true">{scale}</div><ol>{lines}</ol></figure>'


def _lines(rows: pl.DataFrame, reach: float) -> str:
    return "".join(_line(row, reach) for row in rows.iter_rows(named=True))


def _line(row: dict[str, object], reach: float) -> str:
    gain = float(str(row["best_gain"]))
    place = 50 + 50 * min(max(gain / reach, -1.0), 1.0)
    kept = row["kept"] != "none"
    left = UNCONFIRMED if str(row["kept_because"]).startswith(UNCONFIRMED) else "not kept"
    what = f"{'both' if row['kept'] == BOTH else row['kept']} kept" if kept else left
    errors = f"{_error(row['error_raw'])} → {_error(row['best_error'])}"
    change = f"{abs(100 * gain):.1f} % {'lower' if gain >= 0 else 'higher'}"
    low, width = min(place, 50.0), abs(place - 50)
    name = escape(row["unique_id"])
    return (
        f'<li class="{"kept" if kept else "left"}" title="{escape(row["kept_because"] or what)}">'
        f'<a href="#series={_address(str(row["unique_id"]))}">{name}</a>'
        f'<span class="track" aria-hidden="true"><b style="left:{low:.1f}%;width:{width:.1f}%"></b>'
        f'<i style="left:{place:.1f}%"></i></span>'
        f'<span class="change">{change}</span><span class="what">{errors}, {escape(what)}</span></li>'
    )


def _error(value: object) -> str:
    return number(value if isinstance(value, float) else None)


def _address(name: str) -> str:
    return escape(quote(name, safe=""))
