"""A step as a container: it needs no network, no place to write but its outputs, no user of a name."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml
from polars.testing import assert_frame_equal

from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from tests.images.conftest import DOCKER, HARDENED, TEMPORARY, Image
from tests.pipelines.conftest import write_observations

COMPILED = Path(__file__).parents[2] / "pipelines" / "compiled" / "forecast.yaml"
pytestmark = pytest.mark.containers
Find = Callable[[str], Image]


def ingested(folder: Path) -> pl.DataFrame:
    shards = sorted(folder.glob("**/*.parquet"))
    frames = [pl.read_parquet(each) for each in shards if each.name not in ("ledger.parquet",)]
    return pl.concat([frame for frame in frames if "ds" in frame.columns])


def ingest_input(folder: Path) -> str:
    """What Kubeflow Pipelines tells the executor of a task that ingests."""
    component = yaml.safe_load(COMPILED.read_text())["components"]["comp-ingest"]
    specs = component["inputDefinitions"]["parameters"]
    values = {name: spec["defaultValue"] for name, spec in specs.items() if "defaultValue" in spec}
    values["source"] = str(folder / "observations.csv")
    outputs = {
        name: {"artifacts": [{"name": name, "uri": str(folder / "made" / name), "type": spec["artifactType"]}]}
        for name, spec in component["outputDefinitions"]["artifacts"].items()
    }
    parameters = {
        name: {"outputFile": str(folder / "made" / name)} for name in component["outputDefinitions"]["parameters"]
    }
    written = {"artifacts": outputs, "parameters": parameters, "outputFile": str(folder / "made" / "output.json")}
    return json.dumps({"inputs": {"parameterValues": values}, "outputs": written})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_observations(tmp_path / "observations.csv", hours=range(100))
    (tmp_path / "made").mkdir()
    return tmp_path


@pytest.mark.parametrize("user", ["10001:10001", "4711:815"])
def test_a_step_runs_as_its_container_would_and_gives_what_it_gives_here(image: Find, folder: Path, user: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    steps = image("steps")
    owner, _, group = user.partition(":")
    for path in (folder, *folder.rglob("*")):
        os.chown(path, int(owner), int(group))
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and str(parent).startswith("/tmp/"):
            parent.chmod(parent.stat().st_mode | 0o111)
    container = yaml.safe_load(COMPILED.read_text())["deploymentSpec"]["executors"]["exec-ingest"]["container"]
    told = [each if each != "{{$}}" else ingest_input(folder) for each in container["args"]]
    mount = ("--mount", f"type=bind,source={folder},target={folder}")
    command = [DOCKER, "run", "--rm", *HARDENED, *TEMPORARY, *mount, "--user", user, steps.name]
    done = subprocess.run([*command, *container["command"], *told], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    here = folder / "here"
    here.mkdir()
    places = {"out": here / "raw", "history": here / "history", "versions": here / "versions"}
    ingest_source(str(folder / "observations.csv"), SourceOptions(), **places)
    assert_frame_equal(ingested(folder / "made" / "raw"), ingested(here / "raw"))
    assert {each.stat().st_uid for each in (folder / "made" / "raw").rglob("*")} == {int(owner)}


STEP = """
import sys
from sparkhu.execution import run_step
from sparkhu.steps.deduplication import drop_duplicates
raw, unique, duplicates = sys.argv[1:]
outputs = {"observations": (unique, "rows"), "duplicates": (duplicates, "series")}
run_step(drop_duplicates, name="drop_duplicates", inputs={"observations": raw}, outputs=outputs)
"""


@pytest.mark.parametrize("master", ["local[1]", "none-such"])
def test_a_step_maps_its_shards_on_spark_in_the_image_that_has_it(image: Find, folder: Path, master: str) -> None:
    steps, places = image("steps-spark"), [str(folder / name) for name in ("raw", "unique", "duplicates")]
    ingest_source(
        str(folder / "observations.csv"),
        SourceOptions(),
        out=folder / "raw",
        history=folder / "history",
        versions=folder / "versions",
    )
    folder.chmod(0o777)
    mount = ("--mount", f"type=bind,source={folder},target={folder}")
    engine = ("--env", "SPARKHU_ENGINE=spark", "--env", f"SPARKHU_SPARK_MASTER={master}")
    command = [DOCKER, "run", "--rm", *HARDENED, *TEMPORARY, *mount, *engine, steps.name, "python3", "-c", STEP]

    done = subprocess.run([*command, *places], capture_output=True, text=True, check=False)

    if master == "none-such":
        assert "none-such" in done.stderr
        assert not (folder / "unique").exists()
    else:
        assert done.returncode == 0, done.stderr[-2000:]
        assert ingested(folder / "unique").height == ingested(folder / "raw").height - 1


def test_what_steps_import_is_compiled_in_the_image(image: Find) -> None:
    libraries = ("numpy", "polars", "pyarrow", "numba", "feast", "sparkhu_features.offline", "sparkhu.kernels.stl")
    code = f"""
import importlib, importlib.util, sys
from pathlib import Path
for name in {libraries}: importlib.import_module(name)
site = "/usr/local/sparkhu/lib"
files = [m.__spec__.cached for m in list(sys.modules.values()) if (s := getattr(m, "__spec__", None)) and s.cached
         and str(s.origin).startswith(site)]
print(sum(not Path(each).exists() for each in files), len(files))
"""
    missing, imported = map(int, image("steps").run("python3", "-c", code).split())
    assert imported > 500
    assert missing <= imported * 0.02
