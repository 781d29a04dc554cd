"""Steps in a task of a cluster: they run for pipelines of their own version alone."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from sparkhu.execution import recorded
from sparkhu.lineage import code_fingerprint
from sparkhu.shards import open_dataset, write_manifest, write_shard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def drop_duplicates(tmp_path: Path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run a real step, as a task of a cluster would, in a process that sees some variables."""
    raw, out = tmp_path / "in", tmp_path / "out"
    with recorded("validate", inputs=[], outputs=[raw]) as (_, (draft,)):
        days = pl.datetime_range(
            pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 4), "1d", time_unit="us", time_zone="UTC"
        )
        rows = pl.select(unique_id=pl.lit("a"), ds=days, y=pl.lit(1.0), available_at=days)
        write_manifest(draft, "rows", [write_shard(draft, "s0", rows)])
    code = (
        "import sys; from types import SimpleNamespace as Of; "
        "from sparkhu_components.drop_duplicates import drop_duplicates as step; "
        "at = lambda name: Of(path=sys.argv[2] + name, metadata={}); "
        "step.python_func(observations=Of(path=sys.argv[1]), unique=at('/unique'), duplicates=at('/duplicates'))"
    )

    def run(**variables: str) -> "subprocess.CompletedProcess[str]":
        words = [sys.executable, "-c", code, str(raw), str(out)]
        return subprocess.run(words, env=os.environ | variables, capture_output=True, text=True, cwd=ROOT, check=False)

    return run


def test_a_step_refuses_to_run_for_a_pipeline_of_another_version(
    drop_duplicates: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    events = tmp_path / "events.jsonl"
    other = {"SPARKHU_CODE_VERSION": "0.9.0+0123456789ab", "SPARKHU_EVENTS": str(events)}
    told = drop_duplicates(**other, SPARKHU_IMAGE="registry.example.org/sparkhu/steps:0.1.0")
    assert told.returncode == 1
    message = (
        "the pipeline was compiled by Sparkhu 0.9.0+0123456789ab, and image 'registry.example.org/sparkhu/steps:0.1.0' "
        f"holds Sparkhu {code_fingerprint()}. Build the images from the code that compiles"
    )
    assert f"SparkhuError: {message}" in told.stderr
    assert json.loads(events.read_text())["message"].startswith(message)
    assert not (tmp_path / "out").exists()
    assert "this image holds" in drop_duplicates(**other).stderr


@pytest.mark.parametrize("version", ["", code_fingerprint(), code_fingerprint().partition("+")[0]])
def test_a_step_runs_for_a_pipeline_of_its_own_version_or_of_none_named(
    drop_duplicates: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path, version: str
) -> None:
    told = drop_duplicates(SPARKHU_CODE_VERSION=version)
    assert (told.returncode, told.stderr) == (0, "")
    assert open_dataset(tmp_path / "out" / "unique").rows == 4
