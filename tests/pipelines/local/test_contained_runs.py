"""Tests of whole pipelines in containers: on a folder and against a real S3 service, and killed in the middle."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.lake import open_lake
from tests import result_files
from tests.pipelines.conftest import HOURS, Finished, run, write_observations
from tests.pipelines.local.contained import kill_container, with_images
from tests.services import S3Endpoint, conditional_s3_endpoint, docker_engine

__all__ = ["conditional_s3_endpoint", "docker_engine"]

TIMES = {"created", "fitted_at", "run"}


def same_results(ours: Path, theirs: Path) -> set[str]:
    """Check that all files of two results folders are equal to the byte, but for the times in some of them."""
    one, other = result_files.contents(ours), result_files.contents(theirs)
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []
    return set(one)


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
