"""Measure the published ETTh1 protocol, horizon 96, beside the figures of its literature.

    python benchmarks/ett.py ETTh1.csv

The file is that of github.com/zhouhaoyi/ETDataset: 12 months train, 4 validate, 4 test; all seven columns, scaled by
the training part, every window of stride 1. MSE and MAE are means over columns, windows and steps.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

# MSE and MAE as published, horizon 96: A. Zeng et al., AAAI 2023; Y. Nie et al., ICLR 2023.
PUBLISHED = {"NLinear": (0.374, 0.394), "DLinear": (0.375, 0.399), "PatchTST/64": (0.370, 0.400)}
PROTOCOL = ("--time", "date", "--wide", "--horizon", "96", "--input-size", "336", "--preset", "ett")


def main(source: str) -> None:
    """Run the protocol on the file `source` and print a table."""
    sparkhu = str(Path(sys.executable).with_name("sparkhu"))
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        subprocess.run([sparkhu, "run", "--source", source, *PROTOCOL, "--out", folder], check=True)
        seconds = time.perf_counter() - began
        metrics = json.loads((Path(folder) / "metrics.json").read_text())
    measured = {
        name: (metrics[name]["mse"], metrics[name]["mae"]) for name in ("linear", "seasonal_naive", "last_value")
    }
    print(f"\n{'model':<16}{'MSE':>8}{'MAE':>8}   measured here, whole pipeline in {seconds:.0f} s")
    for name, (mse, mae) in measured.items():
        print(f"{name:<16}{mse:8.3f}{mae:8.3f}")
    for name, (mse, mae) in PUBLISHED.items():
        print(f"{name:<16}{mse:8.3f}{mae:8.3f}   as published")


if __name__ == "__main__":
    main(sys.argv[1])
