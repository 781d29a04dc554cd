"""Made-up tuning of two groups: one searched in this run, with failures and bad trials, one taken from the store."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

EVIL_VALUE = "<img src=x onerror=alert(6)>"
EVIL_REASON = "</script><script>alert(7)</script>"
BEGIN = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SHRINK = ("nought", "last value", EVIL_VALUE)
DEFAULTS = {"strength": "0.01", "look_back": "336", "shrink_to": "nought"}


def write_tuning(folder: Path) -> None:
    """Write `tuning.json` and `trials.parquet`."""
    tables = [trials("1h/24", 24, seed=1), trials("1h/168", 40, seed=2)]
    pl.concat(tables).write_parquet(folder / "trials.parquet")
    groups = [group(table, origin) for table, origin in zip(tables, ("search", "store"), strict=True)]
    groups[1]["defaults"]["objective"] = 0.408  # the first group gains most, and is open
    (folder / "tuning.json").write_text(json.dumps(document(groups)))


def document(groups: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Give a `tuning.json` of some groups."""
    objective = {"metric": "validation_mse", "direction": "minimize"}
    return {"schema_version": 2, "objective": objective, "groups": groups, **changes}


def trials(name: str, count: int, *, seed: int) -> pl.DataFrame:
    """Make a search: it comes closer to the best values, two trials fail, one is stopped early, one is hopeless."""
    rng = np.random.default_rng(seed)
    near = np.linspace(1.0, 0.35, count)
    strength = 10 ** (-1.3 + near * rng.uniform(-2.7, 3.3, count))
    look_back = np.round(420 + near * rng.uniform(-370, 300, count)).astype(int)
    shrink = rng.choice(SHRINK, count, p=(0.5, 0.35, 0.15))
    cost = (
        0.398 + 0.006 * (np.log10(strength) + 1.3) ** 2 + 2e-7 * (look_back - 420) ** 2 + 0.004 * (shrink != SHRINK[1])
    )
    cost += rng.normal(0, 0.0015, count)
    cost[3] = 7.5
    status = np.full(count, "Succeeded", object)
    status[[5, count - 6]], status[9] = "Failed", "EarlyStopped"
    objective = [None if state == "Failed" else float(value) for state, value in zip(status, cost, strict=True)]
    started = [BEGIN + timedelta(seconds=0.4 * number) for number in range(count)]
    return pl.DataFrame(
        {
            "model": "linear",
            "group": name,
            "trial": range(count),
            "name": [f"linear-{number}" for number in range(count)],
            "status": status.tolist(),
            "objective": objective,
            "started": started,
            "ended": [start + timedelta(seconds=0.38) for start in started],
            "seconds": 0.38,
            "param.strength": strength,
            "param.look_back": look_back,
            "param.shrink_to": shrink.tolist(),
            "metric.validation_mse": objective,
            "message": [EVIL_VALUE if state == "Failed" else "" for state in status],
        },
        schema_overrides={name: pl.Datetime("us", "UTC") for name in ("started", "ended")},
    )


def group(table: pl.DataFrame, origin: str) -> dict[str, Any]:
    """Give what `tuning.json` says of a search."""
    best = table.drop_nulls("objective").sort("objective").row(0, named=True)
    assignment = {name: str(best[f"param.{name}"]) for name in DEFAULTS}
    return {
        "model": table["model"][0],
        "group": table["group"][0],
        "fingerprint": "4c1d9e07" * 8,
        "origin": origin,
        "found_at": BEGIN.isoformat(),
        "algorithm": "tpe",
        "trials": table.height,
        "reason": f"most trials were made {EVIL_REASON}",
        "defaults": {"objective": 0.4127, "assignment": DEFAULTS},
        "best": {"trial": best["trial"], "objective": best["objective"], "assignment": assignment},
        "chosen": "best",
        "assignment": assignment,
        "importance": {"strength": 0.71, "look_back": 0.08, "shrink_to": 0.21},
    }
