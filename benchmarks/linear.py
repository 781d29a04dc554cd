"""Fitting the linear model, beside scikit-learn's Ridge on the same windows.

    python benchmarks/linear.py [--series 100] [--points 2000]

Hourly series are laid out as training has them. Sparkhu fits the group whole: it chooses among 37 strengths, with a
drift and without, and fits once more on all windows. The peer is given the strength that was chosen, and fits the
training windows once. Each runs in a process of its own on one thread; a third one loads the same and fits nothing, and
memory is what the others take above it.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.figures import Figure, json_option, report
from benchmarks.watching import watched
from sparkhu.frame import TIME
from sparkhu.models.linear import Linear
from sparkhu.steps.normalisation import fit_scalers
from sparkhu.steps.windows import index_windows
from sparkhu.training.gram import gram_shard
from sparkhu.training.parts import TRAIN, Floats
from sparkhu.training.ridge import Spectrum, fit_group
from sparkhu.training.windows import ShardWindows, assemble

L, H, SEASON, GROUP = 336, 96, 24, "1h/24"
FASTER, LESS_MEMORY, NEARER = 10.0, 0.1, 1e-6


def made(series: int, points: int) -> ShardWindows:
    """Make hourly series with a day in them, and their windows: 70 % train, 10 % validate, 20 % test."""
    random = np.random.default_rng(0)
    hour = np.arange(points)
    day = np.sin(2 * np.pi * hour / SEASON)
    values = [
        20 + 5 * day * random.uniform(0.5, 2) + np.cumsum(random.normal(0, 0.2, points)) + random.normal(0, 1, points)
        for _ in range(series)
    ]
    ds = pl.Series(hour * 3_600_000_000).cast(TIME)
    names = [f"s{number:05d}" for number in range(series)]
    rows = pl.concat(
        pl.DataFrame({"unique_id": [name] * points, "ds": ds, "y": y, "y_raw": y, "available_at": ds})
        for name, y in zip(names, values, strict=True)
    )
    borders = {
        name: ds[int(share * (points - 1))]
        for name, share in (("train_end", 0.7), ("valid_end", 0.8), ("test_end", 1.0))
    }
    profile = pl.DataFrame({"unique_id": names}).with_columns(
        *(pl.lit(at).cast(TIME).alias(name) for name, at in borders.items()),
        n=pl.lit(points, pl.Int64),
        period_label=pl.lit("1h"),
        season_length=pl.lit(SEASON, pl.Int64),
        input_size=pl.lit(L, pl.Int64),
        horizon=pl.lit(H, pl.Int64),
        group=pl.lit(GROUP),
    )
    windows = index_windows(rows, profile).frames["windows"]
    return assemble(rows, windows, fit_scalers(rows, profile, scaler="standard").frames["scalers"], profile)


def fit_sparkhu(shard: ShardWindows) -> Linear:
    """Fit the group as training does."""
    model = fit_group(GROUP, gram_shard(shard)[GROUP], season_length=SEASON).model
    assert model is not None
    return model


def fit_peer(shard: ShardWindows, penalty: float, *, drift: bool) -> Floats:
    """Fit scikit-learn's Ridge on the training windows, and give its weights (L, H)."""
    from sklearn.linear_model import Ridge

    (_, _, _, rows) = shard.groups()[0]
    train = rows.filter(pl.col("part") == TRAIN)
    x, y = shard.source.inputs(train, L), shard.source.targets(train, H, "given")
    last = x[:, -1:].copy()
    x -= last
    y -= last
    return np.asarray(Ridge(alpha=penalty, fit_intercept=drift, copy_X=False).fit(x, y).coef_.T)


def run(which: str, series: int, points: int, scratch: Path) -> None:
    """Do one of the three, and write what it took and gave."""
    shard = made(series, points)
    told = json.loads((scratch / "sparkhu.json").read_text()) if which == "peer" else {}
    began = time.perf_counter()
    if which == "sparkhu":
        model = fit_sparkhu(shard)
        seconds = time.perf_counter() - began
        train = gram_shard(shard)[GROUP].train
        drift = bool(model.intercept.any())
        penalty = (model.settings.strength or 0) * Spectrum(train, drift=drift).unit
        told = {"seconds": seconds, "penalty": penalty, "drift": drift, "windows": train.windows}
        np.save(scratch / "sparkhu.npy", model.evaluation_weights)
    elif which == "peer":
        weights = fit_peer(shard, told["penalty"], drift=told["drift"])
        told = {"seconds": time.perf_counter() - began}
        np.save(scratch / "peer.npy", weights)
    (scratch / f"{which}.json").write_text(json.dumps(told))


def main() -> None:
    """Measure all three and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--series", type=int, default=100)
    parser.add_argument("--points", type=int, default=2000)
    parser.add_argument("--which", choices=("nothing", "sparkhu", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)
    json_option(parser)
    given = parser.parse_args()
    if given.which:
        run(given.which, given.series, given.points, given.scratch)
        return
    alone = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as scratch:
        size = ["--series", str(given.series), "--points", str(given.points), "--scratch", scratch]
        call = [sys.executable, "-m", "benchmarks.linear", *size, "--which"]
        peaks = {which: watched([*call, which], alone).peak for which in ("nothing", "sparkhu", "peer")}
        ours, peer = (json.loads((Path(scratch) / f"{which}.json").read_text()) for which in ("sparkhu", "peer"))
        weights, wanted = (np.load(Path(scratch) / f"{which}.npy") for which in ("sparkhu", "peer"))
    about = f"{ours['windows']:,} windows of {L} + {H} points; one thread"
    more = {which: max(peaks[which] - peaks["nothing"], 0) for which in ("sparkhu", "peer")}
    report(
        [
            Figure("Linear fit, scikit-learn's time", peer["seconds"] / ours["seconds"], "×", about, FASTER, "more"),
            Figure("Linear fit, memory of scikit-learn's", more["sparkhu"] / more["peer"], "×", about, LESS_MEMORY),
            Figure(
                "Linear fit, largest difference of a weight", float(np.abs(weights - wanted).max()), "", about, NEARER
            ),
        ],
        given.json,
    )


if __name__ == "__main__":
    main()
