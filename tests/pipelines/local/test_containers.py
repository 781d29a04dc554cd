"""Tests of tasks as containers: of real images, by a real engine, on a folder and against a real S3 service."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import open_lake
from sparkhu_components.images import STEPS, TRAINING
from sparkhu_pipelines.local.containers import CODE, check_images, runner
from sparkhu_pipelines.local.ending import OWNER, RUN, engine, owner
from sparkhu_pipelines.local.running import run_locally
from tests.pipelines.conftest import HOURS, Finished, run, write_observations
from tests.services import S3Endpoint, conditional_s3_endpoint, docker_engine

__all__ = ["conditional_s3_endpoint", "docker_engine"]

HERE = str(Path(__file__).parent)
TIMES = {"created", "fitted_at", "run"}
real = [pytest.mark.containers, pytest.mark.xdist_group("containers"), pytest.mark.usefixtures("docker_engine")]


def marked(*marks: pytest.MarkDecorator) -> Any:
    def decorate(test: Any) -> Any:
        for mark in marks:
            test = mark(test)
        return test

    return decorate


with_images = marked(*real)


@pytest.fixture(autouse=True)
def _tiny_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([HERE, *sys.path]))


def tiny(folder: Path, pipeline: str, arguments: dict[str, Any], on_event: Any = lambda _: None) -> dict[str, Path]:
    root = folder / "root"
    root.mkdir()
    return run_locally(
        "tiny_pipeline", pipeline, arguments, root=root, log=folder / "run.log", on_event=on_event, runner="docker"
    )


def containers_of(root: Path) -> list[Any]:
    with closing(engine()) as client:
        return list(client.containers.list(all=True, filters={"label": f"{RUN}={root}"}))


def same_results(ours: Path, theirs: Path) -> set[str]:
    """Check that all files of two results folders but the histories, which hold times, are equal to the byte."""
    files = {path.name for path in ours.iterdir()} - {"history.json"}
    assert files == {path.name for path in theirs.iterdir()} - {"history.json"}
    assert [name for name in sorted(files) if (ours / name).read_bytes() != (theirs / name).read_bytes()] == []
    return files


@pytest.fixture(scope="module")
def contained(tmp_path_factory: pytest.TempPathFactory, docker_engine: Any) -> Finished:
    folder = tmp_path_factory.mktemp("contained")
    write_observations(folder / "observations.csv", hours=range(HOURS))
    arguments = {"source": str(folder / "observations.csv"), "horizon": 12, "input_size": 48, "model_name": "plant"}
    return run(folder, folder / "home", "forecast", arguments, runner="docker")


@with_images
def test_the_forecast_pipeline_gives_the_files_that_processes_give_byte_for_byte(
    contained: Finished, finished: Finished
) -> None:
    files = same_results(contained.results, finished.results)

    assert {"clean.parquet", "forecasts.parquet", "ledger.parquet", "metrics.json", "profile.parquet"} <= files
    assert sorted(contained.finished_steps()) == sorted(finished.finished_steps())


@with_images
def test_what_containers_write_is_the_callers(contained: Finished) -> None:
    written = [*contained.results.rglob("*"), *contained.home.rglob("*")]

    assert len(written) > 20
    assert {(path.stat().st_uid, path.stat().st_gid) for path in written} == {(os.getuid(), os.getgid())}


@with_images
def test_the_champion_of_containers_forecasts_in_containers_as_in_processes(
    contained: Finished, tmp_path: Path
) -> None:
    write_observations(tmp_path / "later.csv", hours=range(HOURS, HOURS + 200))
    arguments = {"source": str(tmp_path / "later.csv"), "model_name": "plant"}
    folders = {runner: tmp_path / runner for runner in ("docker", "subprocess")}
    for folder in folders.values():
        folder.mkdir()

    ours, theirs = (run(folders[each], contained.home, "predict", arguments, runner=each) for each in folders)

    assert "forecasts.parquet" in same_results(ours.results, theirs.results)


@pytest.fixture
def bucket(conditional_s3_endpoint: S3Endpoint, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in conditional_s3_endpoint.environment.items():
        monkeypatch.setenv(name, value)
    return "s3://plant/contained"


def sparkhu(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), env=with_home(home), capture_output=True, text=True, check=False)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", "from sparkhu_cli.main import main; main()", *arguments]


def with_home(home: Path) -> dict[str, str]:
    return {**os.environ, "SPARKHU_HOME": str(home)}


@with_images
def test_an_interval_of_a_lake_on_s3_is_published_as_processes_publish_it(tmp_path: Path, bucket: str) -> None:
    write_observations(tmp_path / "observations.csv", hours=range(HOURS))
    asked = ["--start", "2024-01-20", "--end", "2024-01-25", "--lookback", "15d", "--horizon", "12"]
    published = {}
    for kind in ("docker", "subprocess"):
        lake, home = f"{bucket}/{kind}", tmp_path / kind
        brought = sparkhu(home, "ingest", "--source", str(tmp_path / "observations.csv"), "--lake", lake)
        assert brought.returncode == 0, brought.stderr
        out = str(tmp_path / f"{kind}-out")
        ran = sparkhu(home, "run", "--lake", lake, *asked, "--runner", kind, "--out", out)
        assert ran.returncode == 0, ran.stderr
        version = open_lake(lake).version()
        published[kind] = {name: version.table(name).read() for name in ("clean", "forecasts", "profiles")}

    assert published["docker"]["clean"].height > 200
    for name, table in published["docker"].items():
        other = published["subprocess"][name]
        own = [column for column in table.columns if column not in TIMES]
        assert_frame_equal(table.select(own), other.select(own), check_exact=True)
    for name in ("clean", "forecasts", "ledger", "stats"):
        tables = [pl.read_parquet(tmp_path / f"{kind}-out" / f"{name}.parquet") for kind in published]
        assert_frame_equal(*tables, check_exact=True)


@with_images
def test_a_container_sees_what_the_run_names_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "read").mkdir()
    (tmp_path / "read/day.csv").touch()
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("UNRELATED_TOKEN", "not for steps")
    with socket.create_server(("127.0.0.1", 0)) as service:
        asked = {"read": str(tmp_path / "read"), "port": service.getsockname()[1]}
        outputs = tiny(tmp_path, "look", {"source": str(tmp_path / "read"), "asked": asked})

    seen = json.loads((outputs["seen"] / "seen.json").read_text())
    variables = seen.pop("variables")
    assert seen == {
        "write to the root": "OSError",
        "write to what is read": "OSError",
        "list what is read": "['day.csv']",
        "look beside what is read": "FileNotFoundError",
        "reach the service": "ConnectionRefusedError",
        "user": f"{os.getuid()}:{os.getgid()}",
        "rights": "0" * 16,
    }
    assert "SPARKHU_HOME" in variables
    assert "UNRELATED_TOKEN" not in variables


@with_images
def test_a_container_is_given_what_concerns_it_of_the_environment_and_the_files_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys, types = tmp_path / "keys", tmp_path / "types.csv"
    for file in (keys, types):
        file.touch()
    environment = {
        "AWS_SHARED_CREDENTIALS_FILE": str(keys),
        "PLANT_PASSWORD": "of the source",
        "SPARKHU_WORKERS": "2",
        "SPARKHU_KFP_TOKEN": "of another program",
        "OTHER_PASSWORD": "of another program",
    }
    arguments = {"source": "postgresql://ann:${PLANT_PASSWORD}@db/plant", "metadata": str(types), "horizon": 3}

    given = runner(arguments, tmp_path / "root", environment).container_run_args

    assert {name for name in given["environment"] if name in environment} == {
        "AWS_SHARED_CREDENTIALS_FILE",
        "PLANT_PASSWORD",
        "SPARKHU_WORKERS",
    }
    mounted = {mount["Target"]: mount["ReadOnly"] for mount in given["mounts"]}
    assert (mounted[str(keys)], mounted[str(types)], mounted[str(tmp_path / "root")]) == (True, True, False)
    assert given["network_mode"] == "host"


@with_images
def test_events_and_refusals_of_a_step_reach_the_caller_from_its_container(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []

    with pytest.raises(InputError, match=r"^behaviour cannot be 'refuse'; give 'work'\.$"):
        tiny(tmp_path, "tiny", {"behaviour": "refuse"}, events.append)

    assert [event["kind"] for event in events] == ["step_started", "note", "step_failed"]


def kill_container(folder: Path, step: str, given_up: threading.Event) -> None:
    """Kill the container of a step of a run in a folder, as soon as there is one."""
    with closing(engine()) as client:
        while not given_up.is_set():
            for container in client.containers.list(ignore_removed=True):
                if container.labels.get(RUN, "").startswith(f"{folder}{os.sep}") and step in container.attrs["Args"]:
                    container.kill()
                    return
            time.sleep(0.02)


@with_images
def test_a_step_whose_container_is_killed_is_named(tmp_path: Path) -> None:
    def on_event(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            kill_container(tmp_path, "produce", threading.Event())

    with pytest.raises(SparkhuError, match=r"^step produce was killed: it ended without a word, as when memory runs"):
        tiny(tmp_path, "tiny", {"behaviour": "sleep"}, on_event)


@pytest.fixture
def plant(tmp_path: Path) -> Path:
    """A folder with a lake of observations, and results of an earlier run in `out`."""
    write_observations(tmp_path / "observations.csv", hours=range(HOURS))
    brought = sparkhu(
        tmp_path / "home", "ingest", "--source", str(tmp_path / "observations.csv"), "--lake", str(tmp_path / "lake")
    )
    assert brought.returncode == 0, brought.stderr
    (tmp_path / "out").mkdir()
    (tmp_path / "out/run.json").write_text("of an earlier run")
    return tmp_path


def over_the_lake(folder: Path) -> list[str]:
    asked = ["--start", "2024-01-20", "--end", "2024-01-25", "--lookback", "15d", "--horizon", "12"]
    out = ["--runner", "docker", "--out", str(folder / "out")]
    return ["run", "--lake", str(folder / "lake"), *asked, *out]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@with_images
@pytest.mark.parametrize("step", ["ingest", "publish", "publish_interval"])
def test_a_container_killed_in_the_middle_leaves_nothing_half_written(plant: Path, step: str) -> None:
    before, version = contents(plant / "out"), open_lake(str(plant / "lake")).version().number
    process = subprocess.Popen(
        command(*over_the_lake(plant)), env=with_home(plant / "home"), stderr=subprocess.PIPE, text=True
    )
    given_up = threading.Event()
    watcher = threading.Thread(target=kill_container, args=(plant / "out", step, given_up))
    watcher.start()
    _, said = process.communicate(timeout=300)
    given_up.set()
    watcher.join()

    assert process.returncode == 1
    assert re.search(r"step \w+ was killed|the run ended before its last step", said)
    assert contents(plant / "out") == before
    assert open_lake(str(plant / "lake")).version().number == version
    again = sparkhu(plant / "home", *over_the_lake(plant))
    assert again.returncode == 0, again.stderr
    assert open_lake(str(plant / "lake")).version().table("clean").read().height > 200


@with_images
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_is_ended_ends_its_containers(tmp_path: Path, how: signal.Signals) -> None:
    script = (
        "import sys; from pathlib import Path; from sparkhu_pipelines.local.running import run_locally\n"
        "root = Path(sys.argv[1])\n"
        "run_locally('tiny_pipeline', 'tiny', {'behaviour': 'sleep'}, root=root, log=root / 'log',"
        " on_event=lambda event: print(event['kind'], flush=True), runner='docker')"
    )
    root = tmp_path / "root"
    root.mkdir()
    process = subprocess.Popen([sys.executable, "-c", script, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "step_started\n"
        assert len(containers_of(root)) == 1
        process.send_signal(how)
        process.wait(timeout=30)

    until = time.monotonic() + 20
    while containers_of(root):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert process.returncode != 0


@with_images
def test_containers_of_a_run_whose_folder_is_gone_are_ended_before_the_next_begins(
    docker_engine: Any, tmp_path: Path
) -> None:
    root = tmp_path / "gone"
    root.mkdir()
    labels = {RUN: str(root), OWNER: owner()}
    docker_engine.containers.run(
        STEPS, ["sleep", "120"], labels=labels, network_mode="none", detach=True, auto_remove=True
    )
    shutil.rmtree(root)

    left: list[int] = []
    tiny(tmp_path, "tiny", {"behaviour": "work"}, lambda _: left.append(len(containers_of(root))))

    assert set(left) == {0}


@with_images
def test_an_image_that_is_not_there_is_refused_by_name_and_not_looked_for_elsewhere(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^image 'sparkhu/elsewhere:0\.0\.9' is not on this machine\. Build it: make"):
        tiny(tmp_path, "nowhere", {})


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({CODE: "0.0.9+0123456789ab"}, r"holds sparkhu 0\.0\.9\+0123456789ab, here is 0\.\d+\.\d+\+[0-9a-f]{12}\."),
        ({}, "does not say which sparkhu it holds"),
    ],
)
@with_images
def test_an_image_of_another_version_is_refused_by_name(
    docker_engine: Any, tmp_path: Path, labels: dict[str, str], said: str
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    name = f"sparkhu/other:{len(labels)}"
    docker_engine.images.build(path=str(tmp_path), tag=name, labels=labels, nocache=True)
    try:
        with pytest.raises(InputError, match=rf"^image '{name}' {said}"):
            check_images([STEPS, name, TRAINING])
    finally:
        docker_engine.images.remove(name)


def test_an_engine_that_does_not_answer_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")

    with pytest.raises(InputError, match=r"no Docker engine answers at unix://.*/no\.sock .*leave --runner docker out"):
        tiny(tmp_path, "tiny", {"behaviour": "work"})
