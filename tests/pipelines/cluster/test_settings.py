"""Settings of a cluster: what they take, what they refuse, and the default of each component."""

from pathlib import Path
from pkgutil import iter_modules

import pytest

import sparkhu_components
from sparkhu.errors import InputError
from sparkhu_pipelines.cluster.needs import NEEDS
from sparkhu_pipelines.cluster.quantities import cores, megabytes
from sparkhu_pipelines.cluster.settings import Cluster, cluster_settings, load_cluster

EXAMPLE = Path(__file__).parents[3] / "docs" / "cluster.md"


def test_every_component_has_its_needs_and_nothing_else_has() -> None:
    names = {module.name for module in iter_modules(sparkhu_components.__path__)} - {"images"}
    assert set(NEEDS) == names


def test_whatever_looks_outside_or_writes_there_is_never_taken_from_the_cache() -> None:
    fresh = {name for name in NEEDS if not Cluster().task(name).cache}
    assert fresh == {
        *("ingest", "sync_metadata", "load_champion", "detect_regularity", "gather_groups"),
        *("tune", "evaluate", "promote", "learn_new", "publish_interval", "store_features"),
    }
    assert all(NEEDS[name].why for name in fresh)


def test_a_narrower_setting_wins_over_a_wider_one() -> None:
    cluster = cluster_settings(
        {
            "defaults": {"memory": "900Mi", "retries": 5, "backoff": "1m"},
            "sizes": {"training": {"memory": "5Gi"}},
            "components": {"train_linear": {"memory": "6Gi"}},
        }
    )
    assert [cluster.task(name).memory for name in ("describe", "evaluate", "train_linear")] == ["900Mi", "5Gi", "6Gi"]
    assert (cluster.task("train_linear").retries, cluster.task("train_linear").backoff) == (5, 60)
    assert cluster.task("train_linear").cpu == "2"


def test_what_would_register_models_again_is_not_tried_again_unless_it_is_asked_for_by_name() -> None:
    cluster = cluster_settings({"defaults": {"retries": 5}, "sizes": {"training": {"retries": 4}}})
    assert [cluster.task(name).retries for name in ("ingest", "evaluate", "promote")] == [5, 4, 0]
    assert {name for name, need in NEEDS.items() if need.once} == {"promote", "learn_new"}
    assert cluster_settings({"components": {"promote": {"retries": 1}}}).task("promote").retries == 1


def test_caching_is_switched_off_for_all_and_on_for_what_reads_something_that_never_changes() -> None:
    off = cluster_settings({"defaults": {"cache": False}})
    assert not any(off.task(name).cache for name in NEEDS)
    assert cluster_settings({"defaults": {"cache": True}}).task("ingest").cache is False
    assert cluster_settings({"components": {"ingest": {"cache": True}}}).task("ingest").cache is True


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), (90, 90), ("30s", 30), ("2m", 120), ("6h", 21600), ("1d", 86400)]
)
def test_durations_are_read(text: str | int, seconds: int) -> None:
    assert cluster_settings({"defaults": {"timeout": text}}).task("ingest").timeout == seconds


def test_quantities_are_those_of_kubernetes() -> None:
    assert [cores(each) for each in ("2", "0.5", "500m")] == [2, 0.5, 0.5]
    assert [megabytes(each) for each in ("1000000", "1M", "1Mi", "1G", "1Gi")] == [1, 1, 1.048576, 1000, 1073.741824]
    assert [megabytes(each) for each in ("1000k", "1000Ki")] == [1, 1.024]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"registri": "x"}, "cluster setting 'registri' is unknown; did you mean registry?"),
        (
            {"components": {"train_linaer": {}}},
            "'components.train_linaer' is of no component; did you mean train_linear",
        ),
        ({"components": {"zzz": {}}}, "'components.zzz' is of no component; docs/reference/components.md lists them"),
        (
            {"components": {"train_linear": {"memry": "1Gi"}}},
            "'components.train_linear.memry' is unknown; did you mean memory?",
        ),
        ({"sizes": {"light": {"cpus": 1}}}, "'sizes.light.cpus' is unknown; did you mean cpu?"),
        (
            {"defaults": {"memory": "4GB"}},
            "'defaults.memory' cannot be '4GB': write a whole number and a unit, such as 512Mi",
        ),
        ({"defaults": {"memory": "1.5Gi"}}, "'defaults.memory' cannot be '1.5Gi'"),
        ({"defaults": {"memory": "512K"}}, "'defaults.memory' cannot be '512K'"),
        ({"defaults": {"memory": "512ki"}}, "'defaults.memory' cannot be '512ki'"),
        ({"defaults": {"memory": "0Gi"}}, "'defaults.memory' cannot be '0Gi'"),
        ({"defaults": {"cpu": "2 cores"}}, "'defaults.cpu' cannot be '2 cores': write cores or thousandths of one"),
        ({"defaults": {"cpu": 0}}, "'defaults.cpu' cannot be"),
        ({"defaults": {"cpu": True}}, "'defaults.cpu' cannot be True"),
        (
            {"defaults": {"timeout": "soon"}},
            "'defaults.timeout' cannot be 'soon': write a whole number and s, m, h or d",
        ),
        ({"defaults": {"retries": -1}}, "'defaults.retries' cannot be -1"),
        (
            {"components": {"ingest": {"memory": "32Gi"}}},
            "'memory' of components.ingest is 32Gi, which is more than memory_limit",
        ),
        (
            {"components": {"evaluate": {"accelerators": 2}}},
            "'accelerators' of components.evaluate needs 'accelerator'",
        ),
        ({"sizes": {"light": {"cpu": 2}}}, "'cpu' of sizes.light is 2, which is more than cpu_limit, 1"),
        (
            {"components": {"promote": {"cache": True}}},
            "'components.promote.cache' cannot be true: promote writes models",
        ),
        ({"pipeline_root": "/data/runs"}, "'pipeline_root' cannot be '/data/runs': write s3://BUCKET/PREFIX"),
        (
            {"registry": "https://registry.example.org"},
            "'registry' cannot be 'https://registry.example.org': write HOST",
        ),
        ({"image_pull_policy": "Sometimes"}, "'image_pull_policy' cannot be 'Sometimes'"),
        ({"image_pull_secrets": ["My_Login"]}, "names in Kubernetes are of small letters"),
        ({"environment": {"A-B": "x"}}, "names of variables are of letters"),
        ({"environment": {"SPARKHU_CODE_VERSION": "1"}}, "'environment.SPARKHU_CODE_VERSION' is not yours to set"),
        (
            {"environment": {"X": "1"}, "secrets": {"s": {"k": "X"}}},
            "variable X is set twice, by environment and secrets.s",
        ),
        ({"engine": {"kind": "spark"}}, "kind: spark and a master belong together"),
    ],
)
def test_what_cannot_be_is_refused_by_name_with_the_way_out(settings: dict, message: str) -> None:
    with pytest.raises(InputError) as refused:
        cluster_settings(settings)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"environment": {"SPARKHU_TRACKING_URI": "http://ann:pea@mlflow:5000"}},
        {"pipeline_root": "s3://bucket/runs?secret_key=pea"},
        {"environment": {"AWS_SECRET_ACCESS_KEY": "pea"}},
    ],
)
def test_a_password_in_the_file_is_refused_and_not_repeated(settings: dict) -> None:
    with pytest.raises(InputError, match="into a Kubernetes secret") as refused:
        cluster_settings(settings)
    assert "pea" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "must map names to values"),
        ("{a: [", "is no YAML"),
        ("registry: 'A B'", r"cannot be 'A B'.* It stands in '.*cluster.yaml'"),
        ("1: 2", "cluster settings are named by text"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        load_cluster(file)


def test_without_a_file_or_with_an_empty_one_the_defaults_hold(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert load_cluster(None) == load_cluster(tmp_path / "empty.yaml") == Cluster()
    with pytest.raises(InputError, match="cannot be read"):
        load_cluster(tmp_path / "none.yaml")


def test_the_example_in_the_docs_is_a_file_of_settings(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "cluster.yaml").write_text(text)
    cluster = load_cluster(tmp_path / "cluster.yaml")
    assert cluster.pipeline_root
    assert {"SPARKHU_TRACKING_URI", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} <= cluster.variables
