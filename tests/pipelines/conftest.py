"""One run of the forecast pipeline on small data of every kind, shared by the tests that look at its results."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu_pipelines.local import run_locally

START = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 600


@dataclass(frozen=True)
class Finished:
    """A run that ended well.

    Attributes:
        results: The results folder.
        report: The report.
        outputs: Every output of the pipeline.
        events: What its steps told, in order.
        home: Where its registry is.
    """

    results: Path
    report: Path
    outputs: dict[str, Path]
    events: list[dict[str, Any]]
    home: Path

    def table(self, name: str) -> pl.DataFrame:
        return pl.read_parquet(self.results / f"{name}.parquet")

    def finished_steps(self) -> list[str]:
        return [event["step"] for event in self.events if event["kind"] == "step_finished"]


def write_observations(path: Path, *, hours: range) -> None:
    """Write hourly series with a gap, a spike, duplicates and broken rows, an irregular, a constant and a short one."""
    noise = np.random.default_rng(7)
    lines = ["series,when,reading"]
    for name, level in (("boiler", 20.0), ("pump", 5.0)):
        values = level + 3 * np.sin(np.arange(HOURS * 2) * 2 * np.pi / 24) + noise.normal(0, 0.2, HOURS * 2)
        for hour in hours:
            if name == "boiler" and 100 <= hour < 104:
                continue
            value = 500.0 if (name, hour) == ("pump", 50) else values[hour]
            lines.append(f"{name},{(START + timedelta(hours=hour)).isoformat()},{value}")
    at = START + timedelta(hours=hours.start)
    for gap in noise.exponential(1800.0, len(hours)):
        at += timedelta(seconds=float(gap))
        lines.append(f"visitors,{at.isoformat()},{noise.normal(10.0, 1.0)}")
    lines += [f"still,{(START + timedelta(hours=hour)).isoformat()},1.5" for hour in hours]
    lines += [f"short,{(START + timedelta(hours=hour)).isoformat()},{hour}" for hour in hours[:3]]
    lines += [
        f"pump,{(START + timedelta(hours=5)).isoformat()},77.0",
        "pump,yesterday,1.0",
        "pump,2024-01-02T00:30:00+00:00,wet",
    ]
    path.write_text("\n".join(lines) + "\n")


def run(
    folder: Path,
    home: Path,
    pipeline: str,
    arguments: dict[str, Any],
    groups: int | None = None,
    runner: str = "subprocess",
) -> Finished:
    root, events = folder / f"root-{pipeline}", list[dict[str, Any]]()
    root.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_HOME", str(home))
        outputs = run_locally(
            f"sparkhu_pipelines.{pipeline if groups is None else 'fan_out'}",
            f"{pipeline}_pipeline" if groups is None else f"{pipeline}_pipeline_over",
            arguments,
            root=root,
            log=folder / f"{pipeline}.log",
            on_event=events.append,
            groups=groups,
            runner=runner,
        )
    return Finished(outputs["results"], outputs["report"], outputs, events, home)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("forecast")
    write_observations(folder / "observations.csv", hours=range(HOURS))
    arguments = {"source": str(folder / "observations.csv"), "horizon": 12, "input_size": 48, "model_name": "plant"}
    return run(folder, folder / "home", "forecast", arguments)
