"""A worker that fits its job and then proves what its ranks are to each other; it waits until it was looked at."""

import hashlib
import json
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from sparkhu.training.distribution import worker
from sparkhu.training.distribution.ranks import Ranks

COPIES = 15
LOOKED, PROOFS = "looked", "proofs.json"


def prove(folder: Path, ranks: Ranks) -> None:
    """Fit the job, write what was found, and wait for the file `looked`."""
    from sparkhu.training.distribution.fitting import fit_job, merged_grams
    from sparkhu.training.distribution.job import read_order, shard_readers, write_fitted
    from sparkhu.training.distribution.ranks import Single
    from sparkhu.training.gram import GroupGram
    from sparkhu.training.loop import train
    from tests.sparkhu.training.toy_windows import work

    fitted = fit_job(folder, ranks)
    order, digests = read_order(folder)
    shards = shard_readers(folder, order, digests)
    whole = work(dropout=0.0, batch=10**4)
    own = replace(whole, train=whole.train.strided(ranks.rank, 2), choose=whole.choose.strided(ranks.rank, 2))
    together, alone = train(own, ranks=ranks), train(whole)

    def matrices(grams: dict[str, GroupGram]) -> list[float]:
        return [float(part.matrix.sum()) for gram in grams.values() for part in (gram.train, gram.choose, gram.rest)]

    def digest(*arrays: np.ndarray) -> str:
        return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()

    def of_all(told: str) -> list[str]:
        return [bytes(each).decode() for each in ranks.gather(np.frombuffer(told.encode(), dtype=np.uint8).copy())]

    models = [model for _, model in sorted(fitted.models.items())]
    grams = merged_grams(shards * COPIES, order.groups, ranks)
    proofs = {
        "sum": ranks.all_reduce(np.array([ranks.rank + 1.0, 0.5])).tolist(),
        "gathered": [each.tolist() for each in ranks.gather(np.array([ranks.rank, 7], dtype=np.int64))],
        "broadcast": [ranks.broadcast(each if ranks.rank == 0 else b"other").decode() for each in (b"of rank 0", b"")],
        "weights": of_all(digest(*(array for model in models for array in model.weights.values()))),
        "trained": of_all(digest(*together.weights.values())),
        "losses": [[epoch.train for epoch in found.epochs] for found in (together, alone)],
        "difference": max(float(np.abs(together.weights[name] - each).max()) for name, each in alone.weights.items()),
        "largest": max(float(np.abs(each).max()) for each in alone.weights.values()),
        "grams": matrices(grams),
        "grams alone": matrices(merged_grams(shards * COPIES, order.groups, Single())),
    }
    if ranks.rank == 0:
        (folder / PROOFS).write_text(json.dumps(proofs))
        write_fitted(folder, order, fitted)
        until = time.monotonic() + 60
        while not (folder / LOOKED).is_file() and time.monotonic() < until:
            time.sleep(0.05)
    ranks.barrier()


if __name__ == "__main__":
    sys.exit(worker.main(sys.argv[1:], prove))
