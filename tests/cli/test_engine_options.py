"""Facts about the options that choose the engine of a run."""

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkhu.errors import InputError, SparkhuError
from sparkhu_cli.engine_options import engine_of, runner_of
from sparkhu_cli.main import sparkhu
from sparkhu_cli.session import Session


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "source.csv"
    lines = [f"2026-01-{day:02d}T{hour:02d}:00:00Z,{day + hour}" for day in range(1, 10) for hour in range(24)]
    file.write_text("\n".join(["time,value", *lines]) + "\n")
    return file


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(sparkhu, [str(argument) for argument in arguments])


def variables(session: Session, tmp_path: Path) -> dict[str, str]:
    with engine_of(session, log=tmp_path / "log") as found:
        return found


def test_steps_run_here_unless_told_otherwise(tmp_path: Path) -> None:
    assert variables(Session(), tmp_path)["SPARKHU_ENGINE"] == "local"


def test_a_server_of_spark_connect_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_SPARK_CONF", '{"spark.sql.shuffle.partitions": "3"}')
    with socket.create_server(("127.0.0.1", 0)) as server:
        master = f"sc://127.0.0.1:{server.getsockname()[1]}"
        found = variables(Session(engine={"engine": "spark", "spark_master": master}), tmp_path)
    assert (found["SPARKHU_ENGINE"], found["SPARKHU_SPARK_MASTER"]) == ("spark", master)
    assert json.loads(found["SPARKHU_SPARK_CONF"]) == {"spark.sql.shuffle.partitions": "3"}


def test_a_master_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Spark's master 'head' is no address"):
        variables(Session(engine={"engine": "spark", "spark_master": "head"}), tmp_path)


def test_a_master_that_would_not_be_asked_is_refused(tmp_path: Path, source: Path) -> None:
    asked = ("--engine", "local", "--spark-master", "spark://head:7077", "--out", tmp_path / "out")
    for found in (call("run", "--source", source, *asked), call("step", "ingest", "--set", f"source={source}", *asked)):
        assert found.exit_code == 2
        assert "--spark-master and --spark-conf are for --engine spark, got --engine local" in found.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("scheme", ["sc", "spark"])
def test_a_run_whose_spark_cannot_be_reached_ends_with_1_and_leaves_nothing(
    scheme: str, free_port: int, source: Path, tmp_path: Path
) -> None:
    # Who says where Spark is need not say that Spark is wanted.
    found = call(
        "run", "--source", source, "--out", tmp_path / "out", "--spark-master", f"{scheme}://127.0.0.1:{free_port}"
    )
    assert found.exit_code == 1
    assert f"nobody answers at 127.0.0.1:{free_port}" in found.stderr
    assert not (tmp_path / "out").exists()


def test_a_step_takes_the_engine_too(tmp_path: Path, free_port: int) -> None:
    address = f"spark://127.0.0.1:{free_port}"
    found = call("step", "ingest", "--set", "source=none.csv", "--out", tmp_path / "out", "--engine", "dask")
    assert found.exit_code == 2
    assert "'local', 'spark'" in found.stderr
    arguments = ("--engine", "spark", "--spark-master", address, "--spark-conf", "memory=4g")
    found = call("step", "ingest", "--set", "source=none.csv", "--out", tmp_path / "out", *arguments)
    assert found.exit_code == 2
    assert "takes NAME=VALUE with a name that begins with 'spark.'" in found.stderr


def test_a_java_that_does_not_start_spark_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\nexit 1\n")
    java.chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "java"))
    with pytest.raises(SparkhuError, match=r"Java ended before Spark had started: .*older than 17.*tmp.*/java"):
        variables(Session(engine={"engine": "spark", "spark_master": "local[1]"}), tmp_path)


def test_tasks_are_processes_unless_told_otherwise_and_the_option_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    assert runner_of(Session()) == "subprocess"
    monkeypatch.setenv("SPARKHU_RUNNER", "docker")
    assert runner_of(Session()) == "docker"
    assert runner_of(Session(engine={"runner": "subprocess"})) == "subprocess"


@pytest.mark.parametrize("command", ["run", "forecast"])
def test_containers_with_spark_are_refused_before_anything_is_written(
    tmp_path: Path, source: Path, command: str
) -> None:
    out = tmp_path / "out"

    called = call(command, "--source", source, "--runner", "docker", "--engine", "spark", "--out", out)

    assert called.exit_code == 2
    assert "--runner docker runs steps in an image without Spark; got --engine spark" in called.stderr
    assert not out.exists()


def test_a_run_in_containers_without_an_engine_says_so_and_leaves_nothing(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    out = tmp_path / "out"

    called = call("run", "--source", source, "--runner", "docker", "--out", out)

    assert called.exit_code == 2
    assert "no Docker engine answers" in called.stderr
    assert not out.exists()
