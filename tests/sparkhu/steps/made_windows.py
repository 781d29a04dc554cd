"""Made-up series for the index of windows."""

from datetime import UTC, datetime, timedelta

import polars as pl

from sparkhu.frame import TIME

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(*hours: float) -> list[datetime]:
    return [START + hour * HOUR for hour in hours]


def sequence(
    ys: list[float | None],
    *,
    name: str = "a",
    hours: list[float] | None = None,
    fills: dict[int, str] | None = None,
    known: dict[int, float] | None = None,
    gaps: tuple[int, ...] = (),
) -> pl.DataFrame:
    """An hourly series; `fills` and `gaps` by row, `known` the hour at which a row became available."""
    ds = at(*(hours or range(len(ys))))
    available = [START + (known or {})[i] * HOUR if i in (known or {}) else ds[i] for i in range(len(ys))]
    return pl.DataFrame(
        {
            "unique_id": pl.Series([name] * len(ys), dtype=pl.String),
            "ds": pl.Series(ds, dtype=TIME),
            "y": pl.Series(ys, dtype=pl.Float64),
            "available_at": pl.Series(available, dtype=TIME),
            "is_gap": pl.Series([i in gaps for i in range(len(ys))], dtype=pl.Boolean),
            "fill_strategy": pl.Series([(fills or {}).get(i) for i in range(len(ys))], dtype=pl.String),
        }
    )


def plan(*names: str, size: int | None = 2, horizon: int | None = 1, label: str | None = "1h") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "unique_id": pl.Series(names, dtype=pl.String),
            "input_size": pl.Series([size] * len(names), dtype=pl.Int64),
            "horizon": pl.Series([horizon] * len(names), dtype=pl.Int64),
            "period_label": pl.Series([label] * len(names), dtype=pl.String),
        }
    )
