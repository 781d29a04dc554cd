"""What stands behind the charts of a series: scores of the strategies, the guard, categories, metadata, estimates."""

from typing import Any

import polars as pl

from sparkhu.report.guard import ERRORS, judgements
from sparkhu.report.points import of_series, short
from sparkhu.report.reading import Results
from sparkhu.report.strategies import fill_errors, handling_errors

MOST_CATEGORIES = 6
UNSAID = "not said"
LEVELS = ("alert_low", "alert_high")


class Background:
    """The small tables of a run, read once for the series that are drawn."""

    def __init__(self, results: Results, ids: list[str]) -> None:
        """Read the rows of the series `ids`."""
        self._fills = _ranked(fill_errors(results), ids)
        self._handling = _ranked(handling_errors(results), ids)
        self._guard = {str(row["unique_id"]): row for row in _rows(judgements(results), ids)}
        self._choices, self._limits, self._metadata, self._categories, self._estimates, self._changes = (
            of_series(results, table, ids)
            for table in ("handling", "limits", "metadata", "categories", "estimates", "level_changes")
        )

    def limits(self, name: str) -> tuple[float | None, float | None]:
        """Give the limits of a series' remainder."""
        rows = self._limits.get(name)
        return (None, None) if rows is None else (rows["low"][-1], rows["high"][-1])

    def of(self, name: str) -> dict[str, Any]:
        """Give what a series' card shows beside its charts; what is not known is null or empty."""
        metadata = {} if name not in self._metadata else self._metadata[name].row(-1, named=True)
        return {
            "scores": self._fills.get(name, []),
            "handling": self._handling.get(name, []),
            "handled_because": _last(self._choices.get(name), "reason"),
            "guard": self._judgement(name),
            "categories": self._shares(name),
            "unit": metadata.get("unit"),
            "levels": [level for key in LEVELS if isinstance(level := metadata.get(key), float)],
            "estimates": self._decisions(name),
            "changes": self._level_changes(name),
        }

    def _judgement(self, name: str) -> dict[str, Any] | None:
        row = self._guard.get(name)
        if row is None or row["error_raw"] is None:
            return None
        errors = [(kept, short(row[column])) for kept, column in ERRORS.items() if row[column] is not None]
        return {"errors": errors, "kept": row["kept"], "reason": row["kept_because"]} if len(errors) > 1 else None

    def _shares(self, name: str) -> list[dict[str, Any]]:
        """Give the shares of the categories of each column, the largest first, the rest as one."""
        rows = self._categories.get(name)
        if rows is None:
            return []
        shares = []
        for (column,), part in rows.partition_by("column", as_dict=True, maintain_order=True).items():
            ranked = part.drop_nulls("share").sort("share", "category", descending=[True, False])
            top = ranked.head(MOST_CATEGORIES).select(pl.col("category").cast(pl.String).fill_null(UNSAID), "share")
            pairs = [(category, short(share)) for category, share in top.rows()]
            shares.append({"column": str(column), "top": pairs, "more": ranked.height - top.height})
        return shares

    def _level_changes(self, name: str) -> list[dict[str, Any]]:
        """Give shifts and drifts of the level: kind, size, and milliseconds since 1970 UTC from when and to when."""
        rows = self._changes.get(name)
        if rows is None:
            return []
        ends = pl.col("ends") if "ends" in rows.columns else pl.lit(None, pl.Datetime("us", "UTC"))
        shown = rows.sort("ds").select(
            "kind", size=pl.col("size").cast(pl.Float64), at=pl.col("ds").dt.epoch("ms"), ends=ends.dt.epoch("ms")
        )
        return [{**row, "size": short(row["size"])} for row in shown.drop_nulls("size").iter_rows(named=True)]

    def _decisions(self, name: str) -> list[str]:
        """Say what each past estimate decided, oldest first."""
        rows = self._estimates.get(name)
        if rows is None:
            return []
        said = []
        for row in rows.sort("version").iter_rows(named=True):
            label = f", every {row['period_label']}" if row.get("period_label") else ""
            said.append(f"estimate {row['version']}: {str(row['decision']).replace('_', ' ')}{label}")
        return said


def _last(rows: pl.DataFrame | None, column: str) -> str | None:
    """Give the text in the last row of a column that may not be there."""
    return None if rows is None or column not in rows.columns else rows[column].cast(pl.String)[-1]


def _rows(frame: pl.DataFrame | None, ids: list[str]) -> list[dict[str, Any]]:
    return [] if frame is None else frame.filter(pl.col("unique_id").is_in(ids)).to_dicts()


def _ranked(errors: pl.LazyFrame | None, ids: list[str]) -> dict[str, list[tuple[str, float]]]:
    """Give each series its strategies with their errors, best first."""
    if errors is None:
        return {}
    wanted = errors.filter(pl.col("unique_id").is_in(ids)).collect().sort("unique_id", "error", "strategy")
    ranked: dict[str, list[tuple[str, float]]] = {}
    for name, strategy, error in wanted.select("unique_id", "strategy", "error").rows():
        ranked.setdefault(str(name), []).append((str(strategy), short(error)))
    return ranked
