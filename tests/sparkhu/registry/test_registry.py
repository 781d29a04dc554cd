"""The registry against a real MLflow on SQLite."""

import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.registry import (
    Candidate,
    Comparison,
    Decision,
    Incumbent,
    Reach,
    load_champion,
    log_model,
    promote,
    tracking_uri,
)
from sparkhu.registry.store import registry
from tests.sparkhu.window_inputs import inputs

Make = Callable[..., Path]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with registry() as (client, _):
        yield client


def test_a_champion_comes_back_as_its_bundle(bundle: Make, tmp_path: Path) -> None:
    version = log_model(bundle(), name="returns", metrics={"mse": 0.5})
    promote("returns", [Candidate(version, 0.5)], Comparison("mse"))
    loaded, found = load_champion("returns", tmp_path / "loaded")
    assert found == version
    assert (loaded.flavor, loaded.code, loaded.params) == ("linear", "0.1.0+abc", {"horizon": 24})
    assert loaded.folder.is_relative_to(tmp_path / "loaded")
    assert loaded.models["linear"]["1h/24"].predict(inputs(np.arange(48.0)[None])).tolist() == [list(range(24, 48))]


def test_the_run_tells_parameters_metrics_and_fingerprints(bundle: Make, client: Any) -> None:
    sources = ({"uri": "file:///data/x.csv", "sha256": "ab" * 32},)
    version = log_model(
        bundle(sources=sources),
        name="tells",
        metrics={"mse": 0.5, "mase": math.nan},
        params={"strength": 0.1},
        tags={"site": "A"},
        parents=["p1", "p2"],
    )
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"horizon": "24", "strength": "0.1"}
    assert run.data.metrics == {"mse": 0.5}
    fingerprint = hashlib.sha256(json.dumps(list(sources), sort_keys=True).encode()).hexdigest()
    facts = {
        "sparkhu.flavor": "linear",
        "sparkhu.code": "0.1.0+abc",
        "sparkhu.sources": fingerprint,
        "sparkhu.parents": "p1,p2",
        "site": "A",
    }
    assert facts.items() <= run.data.tags.items()
    assert client.get_model_version("tells", version.version).tags == facts
    assert [item.dataset.name for item in run.inputs.dataset_inputs] == ["file:///data/x.csv"]
    lineage = json.loads(Path(client.download_artifacts(version.run_id, "lineage.json")).read_text())
    assert lineage == {"sources": list(sources), "code": "0.1.0+abc", "params": {"horizon": 24}}


def test_more_parameters_than_mlflow_takes_at_once_are_logged(bundle: Make, client: Any) -> None:
    params = {f"step{number}.width": number for number in range(250)}
    version = log_model(bundle(), name="many", metrics={}, params=params)
    assert len(client.get_run(version.run_id).data.params) == 251


def test_a_logged_model_holds_no_pickle_and_no_file_of_the_working_directory(
    bundle: Make, client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "uv.lock").write_text("version = 1\n")
    (project / "pyproject.toml").write_text("[project]\nname = 'mine'\n")
    monkeypatch.chdir(project)
    version = log_model(bundle(), name="plain", metrics={})
    found = client.get_model_version("plain", version.version)
    root = Path(found.source.removeprefix("file://"))
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    environment = {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt"}
    tables = ("profile", "source_profile", "scalers", "stats", "choices", "cleaning", "intervals")
    bundled = {"bundle.json", *(f"{table}.parquet" for table in tables)}
    folders = ("models/linear-00-1h_24", "models/last_value-00-1h_24")
    model = {f"{folder}/{file}" for folder in folders for file in ("model.json", "arrays.safetensors")}
    assert files == environment | {f"data/bundle-linear/{file}" for file in bundled | model}
    assert (root / "requirements.txt").read_text().split()[-1] == "sparkhu"


def test_a_decision_is_kept_with_its_evidence(bundle: Make, client: Any) -> None:
    first = log_model(bundle("naive"), name="decides", metrics={"mse": 1.0})
    second = log_model(bundle(), name="decides", metrics={"mse": 0.5})
    before = promote("decides", [Candidate(first, 1.0)], Comparison("mse", window="2020"))
    after = promote(
        "decides",
        [Candidate(first, 1.0), Candidate(second, 0.5)],
        Comparison("mse", minimum_improvement=0.01, window="2020"),
    )
    assert (before.champion, before.previous) == ("1", None)
    assert (after.champion, after.previous, after.scores) == ("2", "1", {"1": 1.0, "2": 0.5})
    assert str(client.get_model_version_by_alias("decides", "champion").version) == "2"
    evidence = json.loads(Path(client.download_artifacts(second.run_id, "promotion.json")).read_text())
    assert evidence == json.loads(client.get_model_version("decides", "1").tags["sparkhu.promotion"])
    assert evidence["reason"] == "version 2 is better: 0.5 against 1 of champion 1"
    assert (evidence["metric"], evidence["window"], evidence["minimum_improvement"]) == ("mse", "2020", 0.01)


def test_a_model_of_older_data_takes_no_champions_place(bundle: Make, client: Any) -> None:
    table, december = "s3://plant/lake observations", datetime(2024, 12, 1, tzinfo=UTC)
    reigning = log_model(bundle("naive"), name="ages", metrics={})
    promote("ages", [Candidate(reigning, 1.0)], Comparison("mse"), reach=Reach(table, december))
    folder = bundle()
    older = log_model(folder, name="ages", metrics={})
    january = datetime(2024, 1, 1, tzinfo=UTC)
    kept = promote("ages", [Candidate(older, 0.25)], Comparison("mse"), reach=Reach(table, january))
    assert (kept.best, kept.champion, kept.previous) == ("2", "1", "1")
    assert kept.reason == (
        "champion 1 knows 's3://plant/lake observations' until 2024-12-01T00:00:00+00:00 and stays, version 2 until "
        "2024-01-01T00:00:00+00:00"
    )
    assert str(client.get_model_version_by_alias("ages", "champion").version) == "1"
    equal = log_model(folder, name="ages", metrics={})
    assert promote("ages", [Candidate(equal, 0.25)], Comparison("mse"), reach=Reach(table, december)).champion == "3"


def test_a_trial_on_other_data_takes_no_champions_place(bundle: Make, client: Any) -> None:
    table, december = "s3://plant/lake observations", datetime(2024, 12, 1, tzinfo=UTC)
    folder = bundle()
    of_a_file = log_model(folder, name="trials", metrics={})
    assert promote("trials", [Candidate(of_a_file, 0.5)], Comparison("mse")).champion == "1"
    of_a_lake = log_model(folder, name="trials", metrics={})
    first = promote("trials", [Candidate(of_a_lake, 1.0)], Comparison("mse"), reach=Reach(table, december))
    assert first.champion == "2", "what no lake made gives way"
    for reach in (Reach("lake observations", december), None):
        other = log_model(folder, name="trials", metrics={})
        kept = promote("trials", [Candidate(other, 0.25)], Comparison("mse"), reach=reach)
        assert (kept.best, kept.champion) == (other.version, "2")
        assert kept.reason == (
            "champion 2 was made from 's3://plant/lake observations' and stays; give models of other data a name of "
            "their own (--model NAME)"
        )


def test_a_champion_that_the_run_did_not_compare_stays_unless_it_could_not_do_the_work(
    bundle: Make, client: Any
) -> None:
    folder = bundle()
    scored = iter([0.5, 0.25, 0.25, 0.25, 0.25])

    def challenge(incumbent: Incumbent | None) -> Decision:
        version = log_model(folder, name="stands", metrics={})
        return promote("stands", [Candidate(version, next(scored))], Comparison("mae"), incumbent=incumbent)

    assert challenge(Incumbent(None)).champion == "1"
    late = challenge(Incumbent(None))
    assert late.champion == "1"
    assert late.reason.startswith("champion 1 came after this run had looked for one, was not compared and stays; ")
    seen = challenge(Incumbent("1", told="it was trained on every window", gives_way=False))
    assert (seen.champion, seen.best) == ("1", "3")
    better = challenge(Incumbent("1", 0.125, "it can forecast 1 of 1 series"))
    assert (better.champion, better.scores) == ("1", {"4": 0.25, "1": 0.125})
    assert json.loads(client.get_model_version("stands", "1").tags["sparkhu.promotion"])["scores"]["1"] == 0.125
    gone = challenge(Incumbent("1", told="its bundle cannot be read: damaged"))
    assert gone.champion == "5"
    assert gone.reason.startswith("champion 1 gives way: its bundle cannot be read: damaged; version 5 scores best")


def test_what_could_not_be_scored_takes_no_champions_place(bundle: Make, client: Any) -> None:
    folder = bundle()
    first = promote(
        "unscored", [Candidate(log_model(folder, name="unscored", metrics={}), math.nan)], Comparison("mse")
    )
    assert first.champion == "1"
    again = promote(
        "unscored", [Candidate(log_model(folder, name="unscored", metrics={}), math.inf)], Comparison("mse")
    )
    assert (again.best, again.champion) == ("2", "1")
    assert again.reason == "no candidate could be scored; champion 1 stays"
    assert str(client.get_model_version_by_alias("unscored", "champion").version) == "1"


def test_evidence_is_json_where_a_score_is_undefined(bundle: Make, client: Any) -> None:
    first = log_model(bundle("naive"), name="undefined", metrics={})
    second = log_model(bundle(), name="undefined", metrics={})
    promote("undefined", [Candidate(first, math.nan), Candidate(second, 1.0)], Comparison("mse"))
    text = client.get_model_version("undefined", "2").tags["sparkhu.promotion"]
    assert json.loads(text, parse_constant=pytest.fail)["scores"] == {"1": None, "2": 1.0}


def test_a_model_without_champion_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model 'nobody' has no version under the alias 'champion'.*Train one first"):
        load_champion("nobody", tmp_path)


def test_a_registered_model_without_the_alias_is_refused(bundle: Make, tmp_path: Path) -> None:
    log_model(bundle(), name="unpromoted", metrics={})
    with pytest.raises(InputError, match="model 'unpromoted' has no version under the alias 'champion'"):
        load_champion("unpromoted", tmp_path)


def test_a_champion_of_another_schema_is_refused(bundle: Make, client: Any, tmp_path: Path) -> None:
    version = log_model(bundle(), name="older", metrics={})
    promote("older", [Candidate(version, 1.0)], Comparison("mse"))
    root = Path(client.get_model_version("older", "1").source.removeprefix("file://"))
    manifest = root / "data" / "bundle-linear" / "bundle.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 0}))
    with pytest.raises(InputError, match="bundle schema 0, this version of Sparkhu reads 3"):
        load_champion("older", tmp_path / "loaded")


def test_a_run_that_cannot_be_logged_is_marked_as_failed_and_registers_nothing(bundle: Make, client: Any) -> None:
    with pytest.raises(SparkhuError, match=r'Invalid value "mse!"'):
        log_model(bundle(), name="failing", metrics={"mse!": 1.0})
    experiment = client.get_experiment_by_name("sparkhu").experiment_id
    runs = client.search_runs([experiment], "attributes.run_name = 'failing linear'")
    assert [run.info.status for run in runs] == ["FAILED"]
    assert client.search_model_versions("name = 'failing'") == []


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a@b"])
def test_a_name_that_no_model_can_have_is_refused(bundle: Make, name: str) -> None:
    with pytest.raises(InputError, match=rf"model name must be a word without '/', ':' or '@', got '{name}'"):
        log_model(bundle(), name=name, metrics={})


def test_the_store_lies_in_the_home_folder_unless_a_server_is_named(
    sparkhu_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert tracking_uri() == f"sqlite:///{sparkhu_home}/mlflow.db"
    monkeypatch.setenv("SPARKHU_TRACKING_URI", "http://mlflow:5000")
    assert tracking_uri() == "http://mlflow:5000"


def test_a_store_that_cannot_be_opened_is_an_error_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path))
    said = r"the model registry at 'sqlite:///.*' failed: .*not a database"
    with pytest.raises(SparkhuError, match=said), registry():
        pass


def test_two_processes_may_make_the_store_at_once_and_neither_prints_nor_sends_telemetry(tmp_path: Path) -> None:
    code = (
        "from sparkhu.registry.store import registry\n"
        "with registry() as (_, experiment):\n"
        "    from mlflow.telemetry.client import get_telemetry_client; print(experiment, get_telemetry_client())"
    )
    # MLflow is silent under a test runner: the processes must not look like one.
    ci = ("PYTEST_CURRENT_TEST", "PYTEST_VERSION", "CI", "GITHUB_ACTIONS", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY")
    environment = {name: value for name, value in os.environ.items() if name not in ci}
    environment["SPARKHU_HOME"] = str(tmp_path / "new")
    command, pipe = [sys.executable, "-c", code], subprocess.PIPE
    both = [subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers == [("1 None\n", ""), ("1 None\n", "")]


def test_importing_the_registry_leaves_mlflow_out() -> None:
    code = "import sys, sparkhu.registry; print('mlflow' in sys.modules, 'pandas' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["False", "False"]
