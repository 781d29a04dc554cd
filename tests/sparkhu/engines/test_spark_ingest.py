"""A source of several parts, read on Spark for real."""

import json
from pathlib import Path

import pytest

from sparkhu.engines.spark import SparkEngine
from tests.sparkhu.engines.spark_data import counted_tasks, ingested, made_source, stop_classic

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("spark")]
CONF = {"spark.ui.enabled": "true", "spark.ui.port": "0", "spark.executor.memory": "512m"}


@pytest.mark.parametrize("master", ["local[2]", "local-cluster[2,1,1024]"])
def test_a_source_of_several_parts_gives_the_same_files_with_a_task_a_part_and_a_task_a_shard(
    master: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made_source(tmp_path / "a.csv")
    expected = ingested(source, tmp_path / "local")
    shards = sum(name.startswith("raw/0") for name in expected)
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", master)
    monkeypatch.setenv("SPARKHU_SPARK_CONF", json.dumps(CONF))
    monkeypatch.setenv("SPARKHU_EVENTS", str(tmp_path / "events.jsonl"))
    try:
        list(SparkEngine(master, CONF).map(len, ["a", "b"]))
        with counted_tasks() as counts:
            found = ingested(source, tmp_path / "spark")
    finally:
        stop_classic()
    told = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    (parts,) = {event["of"] for event in told if event["kind"] == "part_done"}
    assert found == expected
    assert parts > 5
    assert shards > 5
    assert sorted(counts) == sorted([parts, shards])
