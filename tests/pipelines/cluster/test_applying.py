"""Pipelines with the settings of a cluster: every task has them, in loops as well, and the graph stays as it is."""

from pathlib import Path

import pytest
import yaml
from kfp import compiler

from sparkhu.lineage import code_fingerprint
from sparkhu_components.validate import validate
from sparkhu_pipelines.cluster.settings import Cluster, cluster_settings
from sparkhu_pipelines.predict import predict_pipeline
from tests.pipelines.cluster.compiled import Compiled

SETTINGS = {
    "pipeline_root": "s3://sparkhu/runs",
    "registry": "registry.example.org:5000/team",
    "image_pull_policy": "Always",
    "image_pull_secrets": ["registry-login"],
    "environment": {"SPARKHU_TRACKING_URI": "http://mlflow:5000"},
    "secrets": {"object-store": {"accesskey": "AWS_ACCESS_KEY_ID"}},
    "defaults": {"timeout": "6h"},
    "components": {
        "train_linear": {"accelerator": "nvidia.com/gpu", "accelerators": 2, "retries": 7, "cpu_limit": "2500m"},
        "describe": {"cache": False},
    },
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    return Compiled(tmp_path_factory.mktemp("compiled"), "forecast", cluster_settings(SETTINGS), groups=2)


def test_every_task_is_given_them_also_inside_the_loop(compiled: Compiled) -> None:
    assert len(compiled.containers) == len(compiled.platform) == 49
    for name, container in compiled.containers.items():
        image = container["image"]
        assert image.startswith("registry.example.org:5000/team/sparkhu/")
        assert set(container["resources"]) >= {
            f"resource{what}" for what in ("CpuRequest", "CpuLimit", "MemoryRequest")
        }
        given = compiled.variables(name)
        assert given["SPARKHU_CODE_VERSION"] == code_fingerprint()
        assert (given["SPARKHU_IMAGE"], given["SPARKHU_TRACKING_URI"]) == (image, "http://mlflow:5000")
        on_kubernetes = compiled.platform[f"exec-{name}"]
        assert on_kubernetes["imagePullPolicy"] == "Always"
        assert on_kubernetes["imagePullSecret"][0]["secretName"] == "registry-login"
        assert on_kubernetes["secretAsEnv"][0]["keyToEnv"] == [
            {"envVar": "AWS_ACCESS_KEY_ID", "secretKey": "accesskey"}
        ]
        assert on_kubernetes["activeDeadlineSeconds"] == "21600"
    steps = {
        name: task for name, task in compiled.tasks.items() if "iteratorPolicy" not in task and "for-loop" not in name
    }
    assert len(steps) == 49
    assert [name for name, task in steps.items() if "retryPolicy" not in task] == ["promote"]
    assert compiled.pipeline["defaultPipelineRoot"] == "s3://sparkhu/runs"


def test_a_component_of_its_own_settings_has_them_and_no_other(compiled: Compiled) -> None:
    resources = compiled.containers["train-linear"]["resources"]
    assert resources["accelerator"]["resourceType"] == "nvidia.com/gpu"
    assert resources["accelerator"]["resourceCount"] == "2"
    assert "accelerator" not in compiled.containers["evaluate"]["resources"]
    policies = {name: compiled.tasks[name]["retryPolicy"]["maxRetryCount"] for name in ("train-linear", "evaluate")}
    assert policies == {"train-linear": 7, "evaluate": 2}
    assert "retryPolicy" not in compiled.tasks["promote"]


def test_a_task_works_with_as_many_processes_as_it_has_cores(compiled: Compiled) -> None:
    workers = {name: compiled.variables(name)["SPARKHU_WORKERS"] for name in ("train-linear", "describe")}
    assert workers == {"train-linear": "3", "describe": "4"}


def test_results_come_from_the_cache_only_where_they_follow_from_the_inputs(compiled: Compiled) -> None:
    cached = {name for name, task in compiled.tasks.items() if task.get("cachingOptions", {}).get("enableCache")}
    fresh = {"ingest", "sync-metadata", "detect-regularity", "gather-groups", "promote", "publish-interval"}
    assert cached.isdisjoint(fresh | {"store-features", "describe"})
    assert {"fill-mean", "train-linear", "publish"} <= cached


def test_the_cache_knows_the_code_that_a_result_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compiled: Compiled
) -> None:
    def keys(pipeline: Compiled) -> dict[str, list[str]]:
        """What Kubeflow Pipelines makes its key of, beside inputs and outputs."""
        return {name: [each["image"], *each["command"], *each["args"]] for name, each in pipeline.containers.items()}

    cluster = cluster_settings(SETTINGS)
    assert all(key[4].endswith(f"# Sparkhu {code_fingerprint()}\n") for key in keys(compiled).values())
    assert keys(Compiled(tmp_path, "forecast", cluster, groups=2)) == keys(compiled)
    monkeypatch.setattr("sparkhu.lineage.code_fingerprint", lambda: "0.1.0+0123456789ab")
    other = keys(Compiled(tmp_path, "forecast", cluster, groups=2))
    assert other.keys() == keys(compiled).keys()
    assert all(other[name] != key for name, key in keys(compiled).items())


def test_a_component_itself_stays_as_it_is(tmp_path: Path) -> None:
    before = validate.component_spec.implementation.container.command[-1]
    Compiled(tmp_path, "predict", Cluster())
    assert validate.component_spec.implementation.container.command[-1] == before
    assert "# Sparkhu" not in before


def test_the_graph_is_the_one_without_settings(tmp_path: Path) -> None:
    with_settings = Compiled(tmp_path, "predict", Cluster())
    compiler.Compiler().compile(predict_pipeline, package_path=str(tmp_path / "plain.yaml"))
    plain = yaml.safe_load((tmp_path / "plain.yaml").read_text())
    tasks = plain["root"]["dag"]["tasks"]
    for name, task in with_settings.tasks.items():
        own = {key: value for key, value in task.items() if key not in ("retryPolicy", "cachingOptions")}
        assert own == {key: value for key, value in tasks[name].items() if key != "cachingOptions"}
    assert set(with_settings.tasks) == set(tasks)
    assert with_settings.pipeline["root"]["inputDefinitions"] == plain["root"]["inputDefinitions"]
    assert with_settings.pipeline["root"]["outputDefinitions"] == plain["root"]["outputDefinitions"]
    assert with_settings.pipeline["pipelineInfo"] == plain["pipelineInfo"]
    assert with_settings.platform == {}


def test_on_spark_the_steps_run_in_the_image_that_holds_it(tmp_path: Path) -> None:
    engine = {"kind": "spark", "master": "sc://spark:15002", "conf": {"spark.executor.memory": "4g"}}
    compiled = Compiled(tmp_path, "predict", cluster_settings({"engine": engine}))
    assert compiled.containers["validate"]["image"].startswith("sparkhu/steps-spark:")
    given = compiled.variables("validate")
    assert (given["SPARKHU_ENGINE"], given["SPARKHU_SPARK_MASTER"]) == ("spark", "sc://spark:15002")
    assert given["SPARKHU_SPARK_CONF"] == '{"spark.executor.memory": "4g"}'
