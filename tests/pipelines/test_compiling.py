"""Tests of the compiled pipelines."""

from pathlib import Path

import pytest
import yaml

from sparkhu_components.images import VERSION
from sparkhu_pipelines.compiling import PIPELINES, compile_pipelines

KEPT = Path(__file__).parents[2] / "pipelines" / "compiled"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict]]:
    files = compile_pipelines(tmp_path_factory.mktemp("compiled"))
    return {file.name: list(yaml.safe_load_all(file.read_text())) for file in files}


@pytest.mark.parametrize("name", [f"{name}.yaml" for name in PIPELINES])
def test_the_compiled_pipeline_in_the_repository_is_current_to_the_letter(
    compiled: dict[str, list[dict]], tmp_path: Path, name: str
) -> None:
    kept = list(yaml.safe_load_all((KEPT / name).read_text()))
    assert kept == compiled[name], "stale: run `sparkhu compile --out pipelines/compiled`"
    compile_pipelines(tmp_path)
    assert (tmp_path / name).read_text() == (KEPT / name).read_text(), "stale: run `sparkhu compile`"


@pytest.mark.parametrize("name", [f"{name}.yaml" for name in PIPELINES])
def test_without_a_cluster_file_tasks_have_the_defaults_and_ask_for_this_version(
    compiled: dict[str, list[dict]], name: str
) -> None:
    (pipeline,) = compiled[name]  # one document: the defaults ask nothing of Kubernetes
    executors = pipeline["deploymentSpec"]["executors"].items()
    containers = {name.removeprefix("exec-"): executor["container"] for name, executor in executors}
    for container in containers.values():
        assert {"name": "SPARKHU_CODE_VERSION", "value": VERSION} in container["env"]
        assert container["command"][-1].endswith(f"\n# Sparkhu {VERSION}\n")
        assert "resourceMemoryLimit" in container["resources"]
    tasks = pipeline["root"]["dag"]["tasks"]
    cached = {name: task["cachingOptions"].get("enableCache", False) for name, task in tasks.items()}
    fresh = {"ingest", "sync-metadata", "load-champion", "detect-regularity", "promote", "publish-interval"}
    fresh |= {"evaluate", "learn-new"}
    assert {name for name in cached if not cached[name]} >= fresh & set(tasks)
    assert cached["validate"]
    once = {"promote", "learn-new"}
    assert all(task["retryPolicy"]["maxRetryCount"] == 2 for name, task in tasks.items() if name not in once)


def test_parallel_variants_are_tasks_of_their_own_and_the_split_has_both_ways(
    compiled: dict[str, list[dict]],
) -> None:
    tasks = compiled["forecast.yaml"][0]["root"]["dag"]["tasks"]
    names = {task["taskInfo"]["name"] for task in tasks.values()}

    assert {"fill-mean", "fill-median", "fill-last", "fill-next", "fill-linear"} <= set(tasks)
    assert {"flag-outliers-regular", "flag-outliers-irregular"} <= names
    after = {task: set(content.get("dependentTasks", [])) for task, content in tasks.items()}
    assert all("fill-mean" not in after[f"fill-{other}"] for other in ("median", "last", "next", "linear"))


@pytest.mark.parametrize("task", ["tune", "train-linear", "train-models", "evaluate"])
def test_tuning_training_and_evaluation_read_values_from_the_stored_table_alone(
    compiled: dict[str, list[dict]], task: str
) -> None:
    content = compiled["forecast.yaml"][0]["root"]["dag"]["tasks"][task]
    artifacts = content["inputs"]["artifacts"]
    producers = {name: given["taskOutputArtifact"]["producerTask"] for name, given in artifacts.items()}

    assert producers.pop("table") == "store-sequences"
    models = {"linear": "train-linear", "seasonal_naive": "train-seasonal-naive", "further": "train-models"}
    trained = {"train-linear": {"tuned": "tune"}, "train-models": {"tuned": "tune"}, "evaluate": models}.get(task, {})
    about_series = {"plan": "index-windows", "windows": "index-windows", "scalers": "fit-scalers"}
    assert producers == about_series | trained
    assert set(content["dependentTasks"]).isdisjoint({"join-series", "choose-cleaning"})


def test_artifacts_are_typed(compiled: dict[str, list[dict]]) -> None:
    outputs = compiled["forecast.yaml"][0]["root"]["outputDefinitions"]["artifacts"]

    assert {name: output["artifactType"]["schemaTitle"] for name, output in outputs.items()} == {
        "results": "system.Dataset",
        "champion": "system.Model",
        "scores": "system.Metrics",
        "card": "system.Markdown",
        "report": "system.HTML",
        "published": "system.Dataset",
    }
