"""Facts about the session of a process: whose it is, which settings it takes, and who can read them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparkhu.engines.spark.launching import properties
from sparkhu.engines.spark.serving import served
from sparkhu.engines.spark.sessions import open_session
from sparkhu.errors import InputError
from tests.sparkhu.engines.spark_data import stop_connect

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("spark")]
SECRET = 'pea=: \\soup #"é\U0001f331'
SAYS = """
import glob
def lines():
    for file in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            yield open(file, "rb").read().decode(errors="replace")
        except OSError:
            pass
mark = sys.argv[2]
ours = [line for line in lines() if mark in line and "java" in line.split("\\0")[0]]
"""
TELLS = f"""
import sys
from sparkhu.engines.spark import SparkEngine
from pyspark import SparkContext
secret = {SECRET!r}
conf = {{"spark.hadoop.fs.s3a.secret.key": secret, "spark.executor.extraJavaOptions": "-Dmark=" + sys.argv[2],
        "spark.driver.memory": "600m", "spark.driver.extraJavaOptions": "-Dmark=" + sys.argv[2],
        "spark.executor.memory": "512m"}}
list(SparkEngine(sys.argv[1], conf).map(len, ["a", "b"]))
list(SparkEngine(sys.argv[1], conf).map(len, ["a", "b"]))
{SAYS}
found = SparkContext._active_spark_context
heap = found._jvm.Runtime.getRuntime().maxMemory() >> 20
assert found.getConf().get("spark.hadoop.fs.s3a.secret.key") == secret
assert found._jsc.hadoopConfiguration().get("fs.s3a.secret.key") == secret
print(len(ours), any("soup" in line for line in ours), 400 < heap < 620, sum("CoarseGrained" in line for line in ours))
"""
ANOTHERS = """
import sys
from pyspark.sql import SparkSession
from sparkhu.engines.spark import SparkEngine
from sparkhu.errors import InputError
own = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").getOrCreate()
before = own.conf.get("spark.sql.leafNodeDefaultParallelism", None)
try:
    list(SparkEngine("local[2]").map(len, ["a"]))
except InputError as error:
    print(error)
try:
    list(SparkEngine("local[1]", {"spark.executor.memory": "3g", "spark.sql.shuffle.partitions": "7"}).map(len, ["a"]))
except InputError as error:
    print(error)
print(list(SparkEngine("local[1]", {"spark.sql.shuffle.partitions": "7"}).map(len, ["abc", "d"])))
assert own.conf.get("spark.sql.leafNodeDefaultParallelism", None) == before
assert own.conf.get("spark.sql.shuffle.partitions") == "200"
assert SparkSession.getActiveSession() is own
"""
CONNECTED = """
import os, sys
from pathlib import Path
from pyspark.sql import SparkSession
from sparkhu.engines.spark import SparkEngine
from sparkhu.errors import InputError
own = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
try:
    list(SparkEngine("local[1]").map(len, ["a"]))
except InputError as error:
    print(error)
print(list(SparkEngine(sys.argv[1]).map(len, ["abc", "d"])))
assert SparkSession.getActiveSession() is own
own.stop()
"""


def said(script: str, *arguments: str) -> list[str]:
    """Run a script in a process of its own, and give the lines that it prints."""
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    call = [sys.executable, "-c", script, *arguments]
    ran = subprocess.run(call, env=variables, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    conf = {"spark.hadoop.fs.s3a.secret.key": SECRET, "spark.executor.memory": "700m"}
    with (
        pytest.MonkeyPatch.context() as patch,
        served("local[1]", conf, tmp_path_factory.mktemp("log") / "log") as found,
    ):
        for name, value in found.items():
            patch.setenv(name, value)
        yield found["SPARKHU_SPARK_MASTER"]


@pytest.mark.parametrize(
    ("master", "executors"),
    [("local[1]", 0), ("local-cluster[1,1,512]", 1)],
)
def test_no_command_line_shows_a_setting(master: str, executors: int, tmp_path: Path) -> None:
    # Java runs with the memory that is told it, so the settings arrived; those that are told Java itself are the mark.
    told = said(TELLS, master, f"mark{os.getpid()}{tmp_path.name}")
    assert told[-1].split() == [str(1 + executors), "False", "True", str(executors)]


def test_no_command_line_of_a_server_shows_a_setting(server: str) -> None:
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().decode(errors="replace"))
        except OSError:
            continue
    # Tests beside this one may have the word in a script of theirs.
    of_java = [line for line in lines if line.partition("\0")[0].endswith("java")]
    assert any("spark.properties" in line for line in of_java)
    assert not any("soup" in line for line in of_java)


def test_settings_are_written_as_java_reads_them() -> None:
    assert properties({"spark.a-b": "1g", "spark.c": "=: \\\n\U0001f331"}) == (
        "spark.a-b=1g\nspark.c=\\u003d\\u003a\\u0020\\u005c\\u000a\\ud83c\\udf31\n"
    )


def test_a_setting_that_can_take_no_effect_through_connect_is_refused(server: str) -> None:
    wanted = {"spark.executor.memory": "4g", "spark.sql.shuffle.partitions": "3", "spark.hadoop.fs.s3a.secret.key": "x"}
    with pytest.raises(
        InputError,
        match=r"'sc://localhost:\d+' takes settings of a session alone, and not spark\.executor\.memory, "
        r"spark\.hadoop\.fs\.s3a\.secret\.key: .* Set it where that Spark is started, and leave it out here",
    ):
        open_session(server, wanted)
    session = open_session(server, {"spark.sql.shuffle.partitions": "3", "spark.executor.memory": "700m"})
    assert session.conf.get("spark.sql.shuffle.partitions") == "3"
    stop_connect(server)


def test_a_session_of_somebody_else_is_left_as_it_is_and_must_be_of_the_same_master() -> None:
    other, fixed, found = said(ANOTHERS)
    assert other.startswith("this process has a Spark at 'local[1]' already, and can have no other at 'local[2]'")
    assert "not spark.executor.memory: too late" in fixed
    assert found == "[3, 1]"


def test_a_connect_session_of_somebody_else_is_not_taken_for_ours(server: str) -> None:
    classic, found = said(CONNECTED, server)
    assert classic.startswith("this process has a session of Spark Connect, and PySpark starts no Spark at 'local[1]'")
    assert found == "[3, 1]"
