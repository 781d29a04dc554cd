"""Measure two workers against one: epochs a second of a neural model and of the linear one, and what it takes to begin.

    python benchmarks/distribution.py [--epochs 1,10,100] [--neural lstm] [--distributions torch,horovod] [--json FILE]

Every worker has one thread; the global batch is the same for one and for two. An epoch of a neural model looks at 4,096
windows in batches of 1,024, writes a checkpoint and compares the parameters of the ranks; one of the linear model reads
all shards and adds the Gram matrices of their windows. Times are those of rank 0, from a barrier on; of several runs
the fastest counts, as other programs of the machine only make it slower. Beginning is what passes until all ranks have
joined.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sparkhu.models.neural.architectures import ARCHITECTURES
from sparkhu.training.distribution import worker
from sparkhu.training.distribution.fitting import LINEAR, merged_grams
from sparkhu.training.distribution.job import Order, write_fitted, write_job
from sparkhu.training.distribution.launching import Distribution, Launch, launch
from sparkhu.training.distribution.ranks import Ranks
from sparkhu.training.neural import Run, fit_groups
from sparkhu.training.optimiser import Epoch
from sparkhu.training.plan import Plan
from sparkhu.training.recipes import Fitted, TrainingData
from sparkhu.training.window_sets import GroupWindows, Runs, WindowSet, rank_sets

GROUP, SEASON, L, H = "1h/24", 24, 336, 96
BATCH = 1024
SHARDS, SERIES, POINTS = 8, 16, 4096
ASKED, MEASURED = "asked.json", "measured.json"
MODULE = getattr(__spec__, "name", Path(__file__).stem)


def make_shard(seed: int) -> GroupWindows:
    """Make the windows of some noisy daily series."""
    random = np.random.default_rng(seed)
    days = np.sin(2 * np.pi * np.arange(POINTS) / SEASON)
    sets = []
    for _ in range(SERIES):
        rows = np.lib.stride_tricks.sliding_window_view(days + random.normal(0, 0.5, POINTS), L + H)
        sets.append(WindowSet(Runs.of(rows[:, :L]), Runs.of(rows[:, L:])))
    none = WindowSet.empty(L, H)
    return GroupWindows(WindowSet.joined(sets), none, none)


def read_shard(path: Path) -> dict[str, GroupWindows]:
    """Read the windows of a shard."""
    from safetensors.numpy import load

    return {GROUP: GroupWindows.of_arrays(load(path.read_bytes()))}


def epochs_of(model: str, folder: Path, ranks: Ranks, epochs: int) -> list[float]:
    """Train so many epochs, and give the seconds after each."""
    shards = [partial(read_shard, path) for path in sorted(folder.glob("*.safetensors"))]
    ends: list[float] = []
    if model == LINEAR:
        begun = _begun(ranks)
        for _ in range(epochs):
            merged_grams(shards, [GROUP], ranks)
            ends.append(time.monotonic() - begun)
        return ends
    windows = rank_sets(shards, ranks)[GROUP]
    plan = Plan(epochs=epochs, patience=epochs, windows_per_epoch=4096, batch=BATCH, least_steps=1)
    begun = _begun(ranks)

    def told(_group: str, _epoch: Epoch) -> None:
        ends.append(time.monotonic() - begun)

    run = Run(ranks, 0, plan, folder / "checkpoints", told)
    fit_groups(ARCHITECTURES[model], {GROUP: windows}, {GROUP: SEASON}, {}, run)
    return ends


def _begun(ranks: Ranks) -> float:
    ranks.barrier()
    return time.monotonic()


def measure(folder: Path, ranks: Ranks) -> None:
    """Do what is asked as one of the ranks; rank 0 writes what it measured."""
    joined = time.time()
    asked = json.loads((folder / ASKED).read_text())
    ends = epochs_of(asked["model"], folder, ranks, max(asked["epochs"]))
    ranks.barrier()
    if ranks.rank == 0:
        seconds = {str(epochs): ends[epochs - 1] for epochs in asked["epochs"]}
        (folder / MEASURED).write_text(json.dumps({"begin": joined - asked["began"], "seconds": seconds}))
        write_fitted(folder, Order(LINEAR, {}, {}, 0), Fitted({}, []))


def measured(model: str, distribution: Distribution, workers: int, epochs: Sequence[int], shards: Path) -> Any:
    """Begin workers, and give what they measured."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        write_job(folder, Order(LINEAR, {}, {}, 0), TrainingData([], {}))
        for path in shards.iterdir():
            (folder / path.name).hardlink_to(path)
        (folder / ASKED).write_text(json.dumps({"model": model, "epochs": epochs, "began": time.time()}))
        launch(folder, Launch(distribution, workers=workers, restarts=0, module=MODULE))
        return json.loads((folder / MEASURED).read_text())


def fastest(runs: Sequence[Any]) -> Any:
    """Give the least of each figure of several runs."""
    seconds = {epochs: min(run["seconds"][epochs] for run in runs) for epochs in runs[0]["seconds"]}
    return {"begin": min(run["begin"] for run in runs), "seconds": seconds}


def shown(rows: Sequence[dict[str, Any]], epochs: Sequence[int]) -> str:
    """Give the table: epochs a second, and how many times one worker's."""
    lines = [f"{'model':<18}{'distribution':<14}{'workers':>7}{'begin, s':>10}"]
    lines[0] += "".join(f"{f'{count} epochs, 1/s':>18}{'×':>7}" for count in epochs)
    for row in rows:
        line = f"{row['model']:<18}{row['distribution']:<14}{row['workers']:>7}{row['begin']:>10.1f}"
        for count in epochs:
            line += f"{count / row['seconds'][str(count)]:>18.2f}{row['speed-up'][str(count)]:>7.2f}"
        lines.append(line)
    return "\n".join(lines)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers: Callable[[str], list[int]] = lambda text: [int(each) for each in text.split(",")]  # noqa: E731
    parser.add_argument("--epochs", type=numbers, default=[1, 10, 100])
    parser.add_argument("--neural", default="lstm")
    parser.add_argument("--distributions", type=lambda text: text.split(","), default=["torch", "horovod"])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory() as place:
        from safetensors.numpy import save

        for number in range(SHARDS):
            (Path(place) / f"{number}.safetensors").write_bytes(save(make_shard(number).arrays()))
        for model in (given.neural, LINEAR):
            for distribution in given.distributions:
                one: Any = None
                for workers in (1, 2):
                    runs = [
                        measured(model, distribution, workers, given.epochs, Path(place)) for _ in range(given.runs)
                    ]
                    found = fastest(runs)
                    one = one or found
                    times = {count: one["seconds"][count] / found["seconds"][count] for count in found["seconds"]}
                    rows.append(
                        {"model": model, "distribution": distribution, "workers": workers, **found, "speed-up": times}
                    )
    print(shown(rows, given.epochs))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    if (Path(sys.argv[1]) / ASKED).is_file() if len(sys.argv) > 1 else False:
        sys.exit(worker.main(sys.argv[1:], measure))
    main()
