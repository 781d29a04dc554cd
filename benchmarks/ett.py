"""Measure the published ETTh1 protocol, horizon 96, beside the figures of its literature, tuned and not.

    python benchmarks/ett.py ETTh1.csv

The file is that of github.com/zhouhaoyi/ETDataset: 12 months train, 4 validate, 4 test; all seven columns, scaled by
the training part, every window of stride 1. MSE and MAE are means over columns, windows and steps. The pipeline runs
three times: tuned, the same once more, and with the defaults of the model.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# MSE and MAE as published, horizon 96: A. Zeng et al., AAAI 2023; Y. Nie et al., ICLR 2023.
PUBLISHED = {"NLinear": (0.374, 0.394), "DLinear": (0.375, 0.399), "PatchTST/64": (0.370, 0.400)}
PROTOCOL = ("--time", "date", "--wide", "--horizon", "96", "--input-size", "336", "--preset", "ett")
RUNS = {"tuned": (), "the same run again": (), "defaults": ("--set", "tuning.trials=0")}


class Run(NamedTuple):
    """What a run of the pipeline measured."""

    metrics: dict[str, Any]
    trials: int
    seconds: float
    """Of the step that tunes."""

    def errors(self, model: str) -> str:
        """Give MSE and MAE of a model as columns of a table."""
        return f"{self.metrics[model]['mse']:8.4f}{self.metrics[model]['mae']:8.4f}"


def run(source: str, folder: Path, *options: str) -> Run:
    """Run the protocol, with a registry in `folder` that other runs there share."""
    sparkhu, out = str(Path(sys.executable).with_name("sparkhu")), folder / "out"
    environment = {**os.environ, "SPARKHU_HOME": str(folder)}
    call = [sparkhu, "run", "--source", source, *PROTOCOL, *options, "--out", str(out)]
    subprocess.run(call, check=True, env=environment, stdout=subprocess.DEVNULL)
    steps = {step["step"]: step for step in json.loads((out / "run.json").read_text())["steps"]}
    tuned = steps["tune"]
    return Run(json.loads((out / "metrics.json").read_text()), tuned["counts"]["trials"], tuned["seconds"])


def main(source: str) -> None:
    """Run the protocol on the file `source` and print a table."""
    with TemporaryDirectory() as folder:
        runs = {name: run(source, Path(folder), *options) for name, options in RUNS.items()}
    print(f"{'model':<30}{'MSE':>8}{'MAE':>8}")
    for name, measured in runs.items():
        print(f"linear, {name:<22}{measured.errors('linear')}   {measured.trials} trials, {measured.seconds:.1f} s")
    for name in ("seasonal_naive", "last_value"):
        print(f"{name:<30}{runs['tuned'].errors(name)}")
    for name, (mse, mae) in PUBLISHED.items():
        print(f"{name:<30}{mse:8.3f}{mae:8.3f}    as published")


if __name__ == "__main__":
    main(sys.argv[1])
