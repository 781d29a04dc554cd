"""Facts about the Spark engine, with Spark for real: a classic session on this machine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.serializers import CloudPickleSerializer

from sparkhu.engines import Engine, LocalEngine, LostItem, chosen_engine
from sparkhu.engines.base import ONE_THREAD
from sparkhu.engines.spark import SparkEngine
from sparkhu.engines.spark.tasks import outcome_of, packed, task_of
from sparkhu.errors import InputError, SparkhuError
from sparkhu.shards import open_dataset
from tests.sparkhu.engines import spark_work as work
from tests.sparkhu.engines.spark_data import counted_tasks, doubled_by, made_rows, stop_classic

pytestmark = pytest.mark.xdist_group("spark")
UNPACKED = """
import sys
import pyarrow as pa
from pyspark.serializers import CloudPickleSerializer
task = CloudPickleSerializer().loads(open(sys.argv[1], "rb").read())
given = CloudPickleSerializer().dumps(0)
(batch,) = task(iter([pa.RecordBatch.from_pydict({"item": [0], "given": [given]})]))
from sparkhu.engines.spark.tasks import Outcome
_, variable, threads = Outcome.unpacked(batch.column("outcome")[0].as_py()).value
print(variable, threads)
"""
CONF = {"spark.ui.enabled": "true", "spark.ui.port": "0"}


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkEngine]:
    yield SparkEngine("local[2]", CONF)
    stop_classic()


@pytest.fixture
def on_spark(spark: SparkEngine, monkeypatch: pytest.MonkeyPatch) -> SparkEngine:
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", spark.master)
    monkeypatch.setenv("SPARKHU_SPARK_CONF", json.dumps(CONF))
    return spark


@pytest.fixture(params=["local", "spark"])
def engine(request: pytest.FixtureRequest, spark: SparkEngine) -> Engine:
    return spark if request.param == "spark" else LocalEngine(2)


def test_results_come_in_the_order_of_the_items(engine: Engine) -> None:
    assert list(engine.map(work.square, range(5))) == [0, 1, 4, 9, 16]


def test_nothing_to_map_gives_nothing(engine: Engine) -> None:
    assert list(engine.map(work.square, [])) == []


def test_what_a_function_raises_goes_on_as_it_is(engine: Engine) -> None:
    with pytest.raises(ValueError, match="2 is refused"):
        list(engine.map(work.refused, range(4)))


def test_an_error_carries_the_traceback_of_the_executor(spark: SparkEngine) -> None:
    with pytest.raises(ValueError, match="2 is refused") as raised:
        list(spark.map(work.refused, range(4)))
    assert "spark_work.py" in "".join(raised.value.__notes__)


def test_an_error_that_cannot_travel_is_told_in_words() -> None:
    error = outcome_of(work.stubborn, 0).error
    assert isinstance(error, SparkhuError)
    assert str(error) == "StubbornError: no copy of this"


def test_every_item_is_one_task(spark: SparkEngine) -> None:
    list(spark.map(work.square, range(1)))
    for count in (1, 7):
        with counted_tasks() as counts:
            list(spark.map(work.square, range(count)))
        assert counts == [count]


def test_a_task_is_given_its_own_item_alone(spark: SparkEngine) -> None:
    items = [bytes([number]) * 10_000 for number in range(50)]
    assert list(spark.map(len, items)) == [10_000] * 50
    assert len(CloudPickleSerializer().dumps(task_of(len))) < 10_000
    table = packed(items)
    assert table.num_rows == 50
    assert all(10_000 <= len(given) < 10_100 for given in table["given"].to_pylist())


def test_an_item_is_done_once(spark: SparkEngine, tmp_path: Path) -> None:
    list(spark.map(partial(work.told, tmp_path), range(6)))
    assert sorted((tmp_path / "attempts").read_text().split()) == [str(number) for number in range(6)]


def test_executors_are_other_processes_of_one_thread_each(spark: SparkEngine) -> None:
    found = list(spark.map(work.process_and_threads, range(4)))
    assert os.getpid() not in {pid for pid, _, _ in found}
    assert {(told, used) for _, told, used in found} == {("1", 1)}


def test_a_task_takes_one_thread_wherever_it_is_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "task"
    file.write_bytes(CloudPickleSerializer().dumps(task_of(work.process_and_threads)))
    bare = {name: value for name, value in os.environ.items() if name not in ONE_THREAD}
    path = os.pathsep.join(filter(None, sys.path))
    command, variables = [sys.executable, "-c", UNPACKED, str(file)], {**bare, "PYTHONPATH": path}
    ran = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["1", "1"], ran.stderr


def test_a_killed_python_names_its_item(spark: SparkEngine) -> None:
    with pytest.raises(LostItem, match=r"killed, most often for want of memory\. Give executors more memory") as lost:
        list(spark.map(work.killed_at_two, range(4)))
    assert lost.value.number == 2


def test_an_item_that_finds_no_memory_is_named(spark: SparkEngine) -> None:
    with pytest.raises(LostItem, match=r"ran out of memory\. Give executors more memory") as lost:
        list(spark.map(work.greedy, range(2)))
    assert lost.value.number == 1


def test_a_step_on_spark_writes_what_it_writes_here_with_a_task_a_shard(
    on_spark: SparkEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = made_rows(tmp_path / "rows", shards=4)
    list(on_spark.map(work.square, range(1)))
    with counted_tasks() as counts:
        found = doubled_by(work.doubled, rows, tmp_path / "spark")
    assert counts == [4]
    monkeypatch.setenv("SPARKHU_ENGINE", "local")
    expected = doubled_by(work.doubled, rows, tmp_path / "local")
    assert found.equals(expected)
    assert found.height == 40
    for shard in open_dataset(tmp_path / "local").shards:
        one, other = (open_dataset(tmp_path / name).file(shard.name).read_bytes() for name in ("spark", "local"))
        assert one == other


def test_a_shard_that_dies_is_named_with_its_series_and_leaves_nothing(on_spark: SparkEngine, tmp_path: Path) -> None:
    rows = made_rows(tmp_path / "rows")
    with pytest.raises(SparkhuError, match=r"shard 00001 \(2 series, 'c' to 'd', 10 rows\): an executor or its Python"):
        doubled_by(work.dying, rows, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def truncate(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def damage_values(file: Path) -> None:
    chunk = pq.ParquetFile(file).metadata.row_group(0).column(1)
    data = bytearray(file.read_bytes())
    data[chunk.data_page_offset : chunk.data_page_offset + chunk.total_compressed_size] = b"\xff" * (
        chunk.total_compressed_size
    )
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "held"), [(truncate, "2 series, 10 rows"), (damage_values, "2 series, 'c' to 'd', 10 rows")]
)
@pytest.mark.parametrize("where", ["local", "spark"])
def test_a_damaged_shard_is_named_with_its_series_and_leaves_nothing(
    where: str,
    damage: Callable[[Path], None],
    held: str,
    on_spark: SparkEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARKHU_ENGINE", where)
    rows = made_rows(tmp_path / "rows")
    damage(rows / "00001.parquet")
    with pytest.raises(SparkhuError) as raised:
        doubled_by(work.doubled, rows, tmp_path / "out")
    told = rf"shard 00001 of '{rows}' is damaged: .*Run the step that wrote it again\. It holds {held}\."
    assert re.fullmatch(told, str(raised.value))
    assert raised.value.exit_code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["rows"]


def test_a_missing_shard_says_where_it_was_looked_for(on_spark: SparkEngine, tmp_path: Path) -> None:
    rows = made_rows(tmp_path / "rows")
    (rows / "00002.parquet").unlink()
    with pytest.raises(SparkhuError, match=rf"shard 00002 of '{rows}' is missing on .*executors of Spark"):
        doubled_by(work.doubled, rows, tmp_path / "out")


def test_the_engine_is_a_setting_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(chosen_engine(), LocalEngine)
    monkeypatch.setenv("SPARKHU_ENGINE", "spark")
    monkeypatch.setenv("SPARKHU_SPARK_MASTER", "spark://head:7077")
    monkeypatch.setenv("SPARKHU_SPARK_CONF", '{"spark.executor.memory": "4g"}')
    engine = chosen_engine()
    assert isinstance(engine, SparkEngine)
    assert (engine.master, engine.conf) == ("spark://head:7077", {"spark.executor.memory": "4g"})
    monkeypatch.setenv("SPARKHU_ENGINE", "dask")
    with pytest.raises(InputError, match="SPARKHU_ENGINE=dask"):
        chosen_engine()


def test_the_library_loads_without_pyspark() -> None:
    code = "import sys, sparkhu.execution, sparkhu.engines.spark; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
