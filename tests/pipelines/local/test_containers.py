"""Tests of tasks as containers of real images, by a real engine: what they see, how they end, which images will do."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu_components.images import STEPS, TRAINING
from sparkhu_pipelines.local.containers import CODE, check_images, runner
from sparkhu_pipelines.local.ending import OWNER, RUN, end_orphans, owner
from tests.pipelines.local.contained import containers_of, kill_container, tiny, with_images
from tests.services import docker_engine

__all__ = ["docker_engine"]


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
def test_the_home_of_containers_is_that_of_the_caller_though_no_variable_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARKHU_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    given = runner({"source": str(tmp_path)}, tmp_path / "root", {}).container_run_args

    assert given["environment"]["SPARKHU_HOME"] == str(tmp_path / "data/sparkhu")
    assert {mount["Target"]: mount["ReadOnly"] for mount in given["mounts"]}[str(tmp_path / "data/sparkhu")] is False


@with_images
def test_compiled_loops_that_processes_load_are_out_of_reach(tmp_path: Path) -> None:
    given = runner({}, tmp_path / "root", {"NUMBA_CACHE_DIR": str(tmp_path / "loops")}).container_run_args

    written = {mount["Target"] for mount in given["mounts"] if not mount["ReadOnly"]}
    assert written & {str(tmp_path / "loops"), str(tmp_path / "loops/containers")} == {
        str(tmp_path / "loops/containers")
    }


@with_images
def test_what_lies_in_the_folder_of_scratch_is_not_hidden_by_it(tmp_path: Path) -> None:
    assert runner({"source": "/tmp/*.csv"}, tmp_path / "root", {}).container_run_args["tmpfs"] == {}
    assert list(runner({"source": "/srv"}, tmp_path / "root", {}).container_run_args["tmpfs"]) == ["/tmp"]


@with_images
@pytest.mark.parametrize(("source", "place"), [("/*.csv", "/"), ("{here}/a:b", "{here}/a:b")])
def test_what_docker_cannot_mount_is_refused_by_name(tmp_path: Path, source: str, place: str) -> None:
    (tmp_path / "a:b").mkdir()

    with pytest.raises(InputError, match=rf"would have to show '{place.format(here=tmp_path)}' to containers: D"):
        runner({"source": source.format(here=tmp_path)}, tmp_path / "root", {})


@with_images
def test_events_and_refusals_of_a_step_reach_the_caller_from_its_container(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []

    with pytest.raises(InputError, match=r"^behaviour cannot be 'refuse'; give 'work'\.$"):
        tiny(tmp_path, "tiny", {"behaviour": "refuse"}, events.append)

    assert [event["kind"] for event in events] == ["step_started", "note", "step_failed"]


@with_images
def test_a_step_whose_container_is_killed_is_named(tmp_path: Path) -> None:
    def on_event(event: dict[str, Any]) -> None:
        if event["kind"] == "note":
            kill_container(tmp_path, "produce", threading.Event())

    with pytest.raises(SparkhuError, match=r"^step produce was killed: it ended without a word, as when memory runs"):
        tiny(tmp_path, "tiny", {"behaviour": "sleep"}, on_event)


@with_images
def test_a_task_that_is_killed_before_its_step_begins_did_not_end_well(tmp_path: Path) -> None:
    for trial in range(4):  # the engine may have forgotten the container before it is asked how it ended
        (tmp_path / str(trial)).mkdir()
        with pytest.raises(SparkhuError, match=r"(die-at-once was killed|task die-at-once was ended)"):
            tiny(tmp_path / str(trial), "dying", {})


@with_images
def test_a_refusal_before_the_step_begins_is_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^behaviour cannot be 'refuse at once'; give 'work'\.$"):
        tiny(tmp_path, "tiny", {"behaviour": "refuse at once"})


@with_images
@pytest.mark.parametrize("how", [[signal.SIGINT], [signal.SIGKILL], [signal.SIGINT, signal.SIGINT]])
def test_a_run_that_is_ended_ends_its_containers(tmp_path: Path, how: list[signal.Signals]) -> None:
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
        for sent in how:
            process.send_signal(sent)
            time.sleep(0.3)
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
def test_orphans_are_looked_for_while_containers_come_and_go(docker_engine: Any, tmp_path: Path) -> None:
    labels = {RUN: str(tmp_path), OWNER: owner()}
    ended = {"network_mode": "none", "detach": True, "auto_remove": True}
    until = time.monotonic() + 4

    def come_and_go() -> None:
        while time.monotonic() < until:
            docker_engine.containers.run(STEPS, ["true"], labels=labels, **ended)

    threads = [threading.Thread(target=come_and_go) for _ in range(2)]
    for thread in threads:
        thread.start()
    looks = 0
    while time.monotonic() < until:
        end_orphans()
        looks += 1
    for thread in threads:
        thread.join()

    assert looks > 5


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
    # The folder that a Docker engine would else make for artifacts, as its own.
    assert (tmp_path / "root/artifacts").is_dir()
