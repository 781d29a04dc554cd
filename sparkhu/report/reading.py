"""Open a results folder: what is there, what is left out, and whether it has the columns that the report needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.errors import InputError

REQUIRED: dict[str, tuple[str, ...]] = {
    "clean": ("unique_id", "ds", "y"),
    "stats": ("unique_id",),
    "forecasts": ("unique_id", "cutoff", "ds", "model", "y_hat"),
    "ledger": ("unique_id", "step", "status", "reason", "counts"),
    "quarantine": ("unique_id", "source_row", "ds_text", "y_text", "reason"),
    "profile": ("unique_id",),
    "choices": ("unique_id", "strategy"),
    "scores": ("unique_id", "strategy", "mae"),
    "duplicates": ("unique_id", "ds", "kind"),
    "handling": ("unique_id", "strategy"),
    "handling_scores": ("unique_id", "strategy", "error"),
    "cleaning": ("unique_id", "kept", "error_raw"),
    "seasons": ("unique_id", "method"),
    "limits": ("unique_id", "low", "high"),
    "level_changes": ("unique_id", "kind", "ds", "size"),
    "categories": ("unique_id", "column", "category", "share"),
    "estimates": ("unique_id", "version", "decision"),
    "metadata": ("unique_id",),
    "trials": ("model", "group"),
}
FLAGS = ("is_gap", "is_outlier", "is_anomaly", "is_alert")
PARTS = ("trend", "seasonal", "resid")
FORECAST_STEP = "forecast_new"
DOCUMENTS: dict[str, type] = {"metrics": dict, "tuning": dict, "history": list, "run": dict}


@dataclass(frozen=True)
class Results:
    """A results folder.

    Attributes:
        folder: Where it lies.
        tables: The tables that are there, lazily; one without rows is there as well.
        documents: The JSON documents that are there.
    """

    folder: Path
    tables: Mapping[str, pl.LazyFrame]
    documents: Mapping[str, Any]

    def table(self, name: str) -> pl.LazyFrame | None:
        """Give a table, or None where the folder has none."""
        return self.tables.get(name)

    @property
    def metrics(self) -> dict[str, Any]:
        """Errors of the models; empty where there are none."""
        return dict(self.documents.get("metrics", {}))

    @property
    def history(self) -> list[dict[str, Any]]:
        """Records of the steps, in order of their start; empty where there are none."""
        return sorted(self.documents.get("history", []), key=lambda record: str(record.get("started", "")))

    @property
    def run(self) -> dict[str, Any]:
        """Facts of the run: source, parameters, fingerprints, notes; empty where there are none."""
        return dict(self.documents.get("run", {}))

    @property
    def parameters(self) -> dict[str, Any]:
        """Parameters of the run; where `run.json` is not there (yet), those of the step that read the source."""
        stated = self.run.get("parameters")
        records = [record.get("params") or {} for record in self.history]
        return dict(stated or next((params for params in records if "source" in params), {}))

    @property
    def sources(self) -> list[Any]:
        """Fingerprints of what was read from outside the run."""
        stated = self.run.get("sources") or self.run.get("inputs")
        return list(stated or [source for record in self.history for source in record.get("sources") or ()])

    @property
    def is_forecast(self) -> bool:
        """Whether the run forecast with a model that was there, and trained none."""
        return any(record.get("step") == FORECAST_STEP for record in self.history)

    def left_out(self) -> list[str]:
        """Name the files that the folder lacks; `run.json`, written last, says no more than the history."""
        tables = [f"{name}.parquet" for name in REQUIRED if name not in self.tables]
        known = {*self.documents, *(["run"] if self.history else [])}
        return tables + [f"{name}.json" for name in DOCUMENTS if name not in known]


def read_results(folder: Path) -> Results:
    """Open a results folder; tables are scanned, not loaded.

    Args:
        folder: The folder that a run wrote; any of its files may be absent.

    Raises:
        InputError: There is no such folder, none of the known files is in it, a table lacks a column, or a JSON
            document cannot be read.
    """
    if not folder.is_dir():
        raise InputError(f"results folder '{folder}' does not exist. Give the folder that a run wrote.")
    tables = {name: _scan(folder / f"{name}.parquet") for name in REQUIRED if (folder / f"{name}.parquet").is_file()}
    documents = {name: _load(folder / f"{name}.json") for name in DOCUMENTS if (folder / f"{name}.json").is_file()}
    if not tables and not documents:
        raise InputError(f"results folder '{folder}' holds no result. Give the folder that a run wrote.")
    return Results(folder, tables, documents)


def _scan(path: Path) -> pl.LazyFrame:
    try:
        frame = pl.scan_parquet(path)
        present = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"'{path}' cannot be read as Parquet: {error}. Write the results again.") from error
    missing = [column for column in REQUIRED[path.stem] if column not in present]
    if missing:
        found = ", ".join(present)
        raise InputError(
            f"'{path}' lacks column '{missing[0]}'; it has {found}. Another version of Sparkhu may have written it: "
            "run again, with the parameters that run.json names."
        )
    return _with_flags(frame, present) if path.stem == "clean" else frame


def _with_flags(frame: pl.LazyFrame, present: list[str]) -> pl.LazyFrame:
    """Give a clean table the columns that a run without the step in question does not write."""
    neutral = {
        "y_raw": pl.col("y"),
        **{name: pl.lit(False) for name in FLAGS},
        **{name: pl.lit(None, dtype=pl.String) for name in ("fill_strategy", "anomaly_strategy")},
        **{name: pl.lit(None, dtype=pl.Float64) for name in PARTS},
    }
    return frame.with_columns(**{name: column for name, column in neutral.items() if name not in present})


def _load(path: Path) -> Any:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"'{path}' is no JSON: {error}. Write the results again.") from error
    expected = DOCUMENTS[path.stem]
    if not isinstance(document, expected):
        raise InputError(f"'{path}' holds a JSON {type(document).__name__}, expected {expected.__name__}.")
    return document
