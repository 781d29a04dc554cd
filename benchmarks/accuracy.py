"""Measure models by the published protocols of M4 and ETT, beside the figures of the literature.

    python benchmarks/accuracy.py DATA [--models linear,...] [--horizons 96,192,336,720]

DATA holds `m4/Hourly-train.csv`, `m4/Hourly-test.csv` (github.com/Mcompetitions/M4-methods) and `ett/ETTh1.csv`
(github.com/zhouhaoyi/ETDataset). Each row is `sparkhu backtest` with `--preset m4` or `--preset ett`.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

# OWA of the 414 hourly series: S. Makridakis et al., Int. J. Forecasting 36 (2020), and its repository.
M4_HOURLY = {
    "best entry": 0.410,
    "winner (Smyl)": 0.440,
    "MSTL (statsforecast)": 0.604,
    "seasonal naive": 0.628,
    "Naive2": 1.0,
    "Theta": 1.006,
    "Com": 1.556,
}
# MSE and MAE on ETTh1: A. Zeng et al., AAAI 2023; Y. Nie et al., ICLR 2023.
ETTH1 = {
    "NLinear": {96: (0.374, 0.394), 192: (0.408, 0.415), 336: (0.429, 0.427), 720: (0.440, 0.453)},
    "DLinear": {96: (0.375, 0.399), 192: (0.405, 0.416), 336: (0.439, 0.443), 720: (0.472, 0.490)},
    "PatchTST/64": {96: (0.370, 0.400), 192: (0.413, 0.429), 336: (0.422, 0.440), 720: (0.447, 0.468)},
}


class Measured(NamedTuple):
    """What a backtest measured, and the seconds that all of it took."""

    metrics: dict[str, Any]
    seconds: float

    def models(self) -> dict[str, dict[str, Any]]:
        """Give the errors of each model."""
        return {name: each for name, each in self.metrics.items() if isinstance(each, dict) and "mse" in each}


def measure(source: Path, *options: str) -> Measured:
    """Run a backtest and give its `metrics.json`."""
    sparkhu, began = str(Path(sys.executable).with_name("sparkhu")), time.perf_counter()
    with TemporaryDirectory() as folder:
        call = [sparkhu, "backtest", "--source", str(source), *options, "--no-leaks", "--out", folder]
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
        metrics = json.loads((Path(folder) / "metrics.json").read_text())
    return Measured(metrics, time.perf_counter() - began)


def show_m4(folder: Path, models: str) -> None:
    """Print the table of M4 Hourly, the lowest OWA first."""
    measured = measure(folder, "--preset", "m4", "--models", models)
    rows = [(each["owa"], name, f"sMAPE {each['smape']:.3f}  MASE {each['mase']:.3f}") for name, each in
            measured.models().items()]  # fmt: skip
    rows += [(owa, name, "as published") for name, owa in M4_HOURLY.items()]
    print(f"M4 Hourly, {measured.metrics['series']} series, {measured.seconds:.0f} s\n{'model':<26}{'OWA':>7}")
    for owa, name, told in sorted(rows):
        print(f"{name:<26}{owa:7.3f}   {told}")


def show_ett(file: Path, models: str, horizons: list[int]) -> None:
    """Print MSE and MAE on ETTh1, a column a horizon."""
    measured = {H: measure(file, "--preset", "ett", "--horizon", str(H), "--models", models) for H in horizons}
    print(f"\nETTh1, 7 columns, MSE/MAE\n{'model':<26}" + "".join(f"{H:>14}" for H in horizons))
    for name in measured[horizons[0]].models():
        print(f"{name:<26}" + "".join(_pair(measured[H].metrics[name]) for H in horizons))
    for name, found in ETTH1.items():
        cells = [f"{found[H][0]:.3f}/{found[H][1]:.3f}" if H in found else "" for H in horizons]
        print(f"{name:<26}" + "".join(f"{cell:>14}" for cell in cells) + "   as published")


def _pair(errors: dict[str, Any]) -> str:
    return f"{errors['mse']:.3f}/{errors['mae']:.3f}".rjust(14)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder with m4/ and ett/")
    parser.add_argument("--models", default="linear")
    parser.add_argument("--horizons", default="96,192,336,720")
    arguments = parser.parse_args()
    show_m4(arguments.data / "m4", arguments.models)
    show_ett(arguments.data / "ett" / "ETTh1.csv", arguments.models, [int(H) for H in arguments.horizons.split(",")])


if __name__ == "__main__":
    main()
