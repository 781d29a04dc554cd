"""What two runs of the same must have in common: the files of their results, but for the times in them."""

import io
import json
from pathlib import Path

import polars as pl

TIMES_OF_TRIALS = ("started", "ended", "seconds")


def contents(results: Path) -> dict[str, bytes]:
    """Give every file of a results folder but the history, which holds times; without the times of trials."""
    files = {path.name: path for path in results.iterdir() if path.name != "history.json"}
    return {name: timeless(path) for name, path in sorted(files.items())}


def timeless(path: Path) -> bytes:
    """Read a file of a run; what tells of tuning is read without its times."""
    if path.name == "trials.parquet":
        text = io.BytesIO()
        pl.read_parquet(path).drop(TIMES_OF_TRIALS, strict=False).write_parquet(text)
        return text.getvalue()
    if path.name == "tuning.json":
        document = json.loads(path.read_text())
        for group in document["groups"]:
            # Of two runs in one home the second finds what the first has stored.
            del group["found_at"], group["origin"]
        return json.dumps(document).encode()
    return path.read_bytes()
