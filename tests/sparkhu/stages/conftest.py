"""Two hourly series prepared, planned and scaled: what training and evaluation stand on."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.shards import open_dataset
from sparkhu.sources import SourceOptions
from sparkhu.stages.evaluating import evaluate_models
from sparkhu.stages.ingesting import ingest_source
from tests.components.chain import Chain

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 400


@dataclass(frozen=True)
class Trained:
    """Folders of a training and its evaluation."""

    folder: Path
    data: dict[str, Any]
    models: dict[str, Path]

    def evaluate(self, name: str = "evaluation") -> Path:
        evaluate_models(**self.data, models=self.models, out=self.folder / name)
        return self.folder / name


Alter = Callable[[pl.DataFrame], pl.DataFrame]


def trained(folder: Path, prepared: dict[str, Path]) -> Trained:
    chain, sequences, profile = Chain(folder), prepared["sequences"], prepared["series_profile"]
    versions = prepared["versions"]
    sizes = {"horizon": 6, "input_size": 24}
    inputs = chain.run("choose_cleaning", sequences=sequences, profile=profile, **sizes)["inputs"]
    seen = {"sequences": sequences, "inputs": inputs}
    indexed = chain.run("index_windows", **seen, versions=versions, profile=profile, **sizes)
    scalers = chain.run("fit_scalers", **seen, profile=profile)["scalers"]
    table = chain.run("store_sequences", **seen, versions=versions)["table"]
    data = {"table": table, "plan": indexed["plan"], "windows": indexed["windows"], "scalers": scalers}
    tuned = chain.run("tune", **data, settings={"trials": 0})["tuned"]
    linear = chain.run("train_linear", **data, tuned=tuned)["model"]
    naive = chain.run("train_seasonal_naive", plan=indexed["plan"])["model"]
    return Trained(folder, data, {"linear": linear, "seasonal_naive": naive})


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("prepared")
    noise, lines = np.random.default_rng(5), ["series,when,reading"]
    for name in ("a", "b"):
        values = 10 + 3 * np.sin(np.arange(HOURS) * 2 * np.pi / 24) + noise.normal(0, 0.3, HOURS)
        lines += [f"{name},{(START + timedelta(hours=hour)).isoformat()},{values[hour]}" for hour in range(HOURS)]
    (folder / "observations.csv").write_text("\n".join(lines) + "\n")
    ingest_source(
        str(folder / "observations.csv"),
        SourceOptions(),
        out=folder / "raw",
        history=folder / "history",
        versions=folder / "versions",
    )
    return Chain(folder).prepare(folder / "raw")


@pytest.fixture(scope="session")
def first(prepared: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return trained(tmp_path_factory.mktemp("first"), prepared)


@pytest.fixture
def altered(prepared: dict[str, Path], tmp_path: Path) -> Callable[[Alter], Trained]:
    """Train and evaluate on the same sequences with some values changed."""

    def make(alter: Alter) -> Trained:
        copy = tmp_path / "sequences"
        shutil.copytree(prepared["sequences"], copy)
        profile = open_dataset(prepared["series_profile"]).scan().collect()
        for file in open_dataset(copy).files():
            rows = pl.read_parquet(file).join(profile.select("unique_id", "train_end", "valid_end"), on="unique_id")
            alter(rows).drop("train_end", "valid_end").write_parquet(file)
        return trained(tmp_path, {**prepared, "sequences": copy})

    return make
