"""Tuning as a step: searched once for the same question, and consumed by training."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.lineage import read_trail
from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.models.spaces import SPACES
from sparkhu.sections import Tuning
from sparkhu.stages.storing import map_buckets
from sparkhu.stages.training import load_models, train_linear
from sparkhu.stages.trial import main
from sparkhu.stages.tuned import read_tuned
from sparkhu.stages.tuning import _gram_of, tune
from sparkhu.stages.tuning_data import data_checksum, search_fingerprint
from sparkhu.stages.tuning_engines import run_search
from sparkhu.stages.tuning_search import check_tuning, search_of
from sparkhu.stages.tuning_trials import LinearTrials
from sparkhu.training.gram import merge
from sparkhu.training.gram_files import GramFile, read_gram, write_gram
from sparkhu.training.ridge import DEFAULTS, Ridge
from tests.katib_cluster import KatibCluster, served_cluster
from tests.sparkhu.stages.test_storing import NAMES, Made, stored
from tests.sparkhu.tuning.written_experiments import kubeconfig

pytestmark = pytest.mark.xdist_group("tuning")
FEW = Tuning(trials=12)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return stored(tmp_path_factory.mktemp("tuned"), NAMES)


@pytest.fixture(scope="module", autouse=True)
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What these tests store is found by no other test, and the other way round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def searched(made: Made) -> Path:
    tune(**made.data, out=made.folder / "tuned", settings=FEW)
    return made.folder / "tuned"


def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "tuning.json").read_text())


def gram(made: Made) -> GramFile:
    return GramFile(merge(map_buckets(_gram_of, made.open(), step="tune"))["1h/3"], 3)


def test_a_search_tries_the_space_and_takes_the_best_on_validation(made: Made, searched: Path) -> None:
    (group,) = document(searched)["groups"]
    trials = pl.read_parquet(searched / "trials.parquet")
    ridge = Ridge(*gram(made))
    assert (group["origin"], group["trials"], group["algorithm"]) == ("search", 12, "tpe")
    assert trials.height == 12
    assert trials["group"].unique().to_list() == ["1h/3"]
    for row in trials.iter_rows(named=True):
        tried = LinearSettings(row["param.strength"], row["param.look_back"], row["param.shrink_to"])
        assert row["objective"] == pytest.approx(ridge.validation_error(tried))
    assert group["best"]["objective"] == trials["objective"].min()
    default = ridge.validation_error(ridge.chosen(DEFAULTS))
    assert group["defaults"]["objective"] == pytest.approx(default)
    better = group["best"]["objective"] < default
    assert group["chosen"] == ("best" if better else "defaults")
    assert group["assignment"] == group["best" if better else "defaults"]["assignment"]


def test_the_defaults_stay_where_no_trial_is_better(made: Made, tmp_path: Path) -> None:
    tune(**made.data, out=tmp_path / "tuned", settings=Tuning(trials=1, algorithm="random"))
    (group,) = document(tmp_path / "tuned")["groups"]
    assert group["best"]["objective"] > group["defaults"]["objective"]
    assert (group["chosen"], group["assignment"]) == ("defaults", group["defaults"]["assignment"])
    assert "no trial was better" in read_trail([tmp_path / "tuned"]).history[-1].notes[0]


def test_the_same_question_is_answered_from_the_store_without_a_trial(
    made: Made, searched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> float:
        raise AssertionError("a trial ran")

    monkeypatch.setattr(LinearTrials, "objective", never)
    tune(**made.data, out=tmp_path / "again", settings=FEW)
    first, again = (document(folder)["groups"][0] for folder in (searched, tmp_path / "again"))
    assert again == {**first, "origin": "store"}
    assert pl.read_parquet(tmp_path / "again" / "trials.parquet").equals(pl.read_parquet(searched / "trials.parquet"))
    record = read_trail([tmp_path / "again"]).history[-1]
    assert (record.counts["trials"], record.counts["groups from the store"]) == (0, 1)
    assert "no trial was run" in record.notes[0]


def test_other_data_or_another_search_is_another_question(made: Made, searched: Path, tmp_path: Path) -> None:
    other = stored(tmp_path / "other", NAMES[:5])
    for name, data, settings in (("fewer", made.data, Tuning(trials=3)), ("data", other.data, FEW)):
        tune(**data, out=tmp_path / name, settings=settings)
        (group,) = document(tmp_path / name)["groups"]
        assert group["origin"] == "search"
        assert group["fingerprint"] != document(searched)["groups"][0]["fingerprint"]


def test_whatever_an_objective_is_made_from_is_part_of_the_question(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked() -> str:
        data = data_checksum(made.open())
        space = SPACES["linear"]
        return search_fingerprint(data=data, model="linear", group="g", space=space, search=search_of(FEW))

    before = asked()
    assert asked() == before
    lost = stored(tmp_path / "lost", NAMES, failed=NAMES[:1])
    assert data_checksum(lost.open()) != data_checksum(made.open())
    for name, other in (("code_fingerprint", lambda: "0.1.0+other"), ("version", lambda _: "0.0")):
        with monkeypatch.context() as patch:
            patch.setattr(f"sparkhu.stages.tuning_data.{name}", other)
            assert asked() != before


def test_training_fits_what_was_tuned(made: Made, searched: Path, tmp_path: Path) -> None:
    found = document(searched)
    given = {"strength": "0.0123", "look_back": "0.5", "shrink_to": "seasonal_naive"}
    found["groups"][0]["assignment"] = given
    tuned = shutil.copytree(searched, tmp_path / "tuned")
    (tuned / "tuning.json").write_text(json.dumps(found))
    train_linear(**made.data, tuned=tuned, out=tmp_path / "linear")
    model = load_models(tmp_path / "linear")["1h/3"]
    assert isinstance(model, Linear)
    assert model.settings == LinearSettings.of(read_tuned(tuned, "linear")["1h/3"]) == LinearSettings.of(given)
    wanted = Ridge(*gram(made)).fit(LinearSettings.of(given))
    assert (model.weights == wanted.weights).all()
    assert (model.weights[:2] == 0).all()
    assert "as tuned" in read_trail([tmp_path / "linear"]).history[-1].notes[0]


def test_without_trials_models_keep_their_defaults(made: Made, tmp_path: Path) -> None:
    tune(**made.data, out=tmp_path / "tuned", settings=Tuning(trials=0))
    assert document(tmp_path / "tuned")["groups"] == []
    for name, tuned in (("with", tmp_path / "tuned"), ("without", None)):
        train_linear(**made.data, tuned=tuned, out=tmp_path / name)
    one, other = (load_models(tmp_path / name)["1h/3"] for name in ("with", "without"))
    assert isinstance(one, Linear)
    assert isinstance(other, Linear)
    assert one.settings == other.settings
    assert (one.weights == other.weights).all()


def test_a_group_that_nothing_can_judge_keeps_its_defaults(made: Made, tmp_path: Path) -> None:
    windows = pl.read_parquet(made.data["windows"] / "00000.parquet")
    late = stored(tmp_path / "late", NAMES)
    windows.with_columns(
        valid=pl.col("valid") & (pl.col("targets_until") < pl.col("targets_until").min() + pl.duration(hours=60))
    ).write_parquet(late.data["windows"] / "00000.parquet")
    tune(**late.data, out=tmp_path / "tuned", settings=FEW)
    (group,) = document(tmp_path / "tuned")["groups"]
    assert (group["chosen"], group["trials"], group["best"], group["assignment"]) == ("defaults", 0, None, {})
    assert group["reason"] == "no validation window of the group has all its targets observed, so nothing can choose"
    assert read_tuned(tmp_path / "tuned", "linear") == {"1h/3": {}}


def test_a_trial_as_a_program_prints_the_objective_of_the_same_trial_here(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = gram(made)
    write_gram(str(tmp_path / "deep" / "data.safetensors"), data)
    values = ["--strength=0.25", "--look_back=0.5", "--shrink_to=seasonal_naive"]
    told = ["--model=linear", f"--data={tmp_path}/deep/data.safetensors", *values]
    done = subprocess.run(
        [sys.executable, "-m", "sparkhu.stages.trial", *told], check=True, capture_output=True, text=True
    )
    wanted = Ridge(*data).validation_error(LinearSettings(0.25, 0.5, "seasonal_naive"))
    assert done.stdout == f"validation_mse={wanted!r}\n"
    assert main([*told[:2], "--strength=-1", *values[1:]]) == 2
    assert capsys.readouterr().err == "strength must be positive, got -1.0\n"
    assert main(["--model=linear", f"--data={tmp_path}/none", *values]) == 1
    assert "the data of the trials cannot be read from" in capsys.readouterr().err
    (tmp_path / "broken").write_bytes(b"nothing")
    assert main(["--model=linear", f"--data={tmp_path}/broken", *values]) == 1
    assert "holds no data of trials that can be read" in capsys.readouterr().err
    assert main(["--model=linear", "--data=foo://bucket/data", *values]) == 1
    assert "foo" in capsys.readouterr().err


def test_data_of_trials_are_read_as_they_were_written(made: Made, tmp_path: Path) -> None:
    data = gram(made)
    write_gram(str(tmp_path / "data"), data)
    again = read_gram(str(tmp_path / "data"))
    assert again.season_length == 3
    for part in ("train", "choose", "rest"):
        one, other = getattr(data.gram, part), getattr(again.gram, part)
        assert (one.windows, one.input_size) == (other.windows, other.input_size)
        assert (one.matrix == other.matrix).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "annealing"}, "algorithm cannot be 'annealing' for the linear model: .*unknown.*tpe"),
        ({"algorithm": "darts"}, "algorithm cannot be 'darts' for the linear model"),
        ({"algorithm": "cmaes"}, "algorithm cannot be 'cmaes' for the linear model"),
        ({"engine": "katib"}, "storage is empty; give a URI that pods of the cluster can read"),
    ],
)
def test_a_search_that_would_be_refused_is_refused_before_anything_starts(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        check_tuning(Tuning.of(settings))


@pytest.mark.parametrize("algorithm", ["random", "tpe", "multivariate-tpe", "bayesianoptimization"])
def test_algorithms_that_take_the_space_of_the_linear_model(algorithm: str) -> None:
    check_tuning(Tuning(algorithm=algorithm))


TRIALS_IN_CLUSTER = Tuning(trials=5, engine="katib", namespace="team")


@contextmanager
def cluster_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibCluster]:
    """A cluster whose trials run the program of the experiment's template, as pods would."""
    monkeypatch.setattr("sparkhu.tuning.katib.POLL_SECONDS", 0.01)
    with served_cluster() as cluster:
        cluster.objective = lambda assignment: run_pod(next(iter(cluster.experiments.values())), assignment)
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(folder, cluster.url, "secret")))
        yield cluster


def run_pod(experiment: dict[str, Any], assignment: Mapping[str, str]) -> float:
    pod = experiment["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]
    words = pod["containers"][0]["command"]
    for name, value in assignment.items():
        words = [word.replace(f"${{trialParameters.{name}}}", value) for word in words]
    done = subprocess.run([sys.executable, *words[1:]], check=True, capture_output=True, text=True)
    metric, _, value = done.stdout.strip().partition("=")
    assert metric == experiment["spec"]["objective"]["objectiveMetricName"]
    return float(value)


def test_pods_of_katib_find_what_trials_here_find(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = TRIALS_IN_CLUSTER.model_copy(update={"storage": f"file://{tmp_path}/share", "secret": "s3"})
    with cluster_of(tmp_path, monkeypatch) as cluster:
        tune(**made.data, out=tmp_path / "tuned", settings=settings)
    (group,), ridge = document(tmp_path / "tuned")["groups"], Ridge(*gram(made))
    trials = pl.read_parquet(tmp_path / "tuned" / "trials.parquet")
    assert (group["trials"], trials["status"].to_list()) == (5, ["Succeeded"] * 5)
    for row in trials.iter_rows(named=True):
        tried = LinearSettings(row["param.strength"], row["param.look_back"], row["param.shrink_to"])
        assert row["objective"] == ridge.validation_error(tried)
    (sent,) = cluster.experiments.values()
    (container,) = sent["spec"]["trialTemplate"]["trialSpec"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("sparkhu/training:")
    assert container["envFrom"] == [{"secretRef": {"name": "s3"}}]
    (data,) = (tmp_path / "share").iterdir()
    assert f"--data=file://{data}" in container["command"]


def test_another_setting_of_the_pods_makes_another_experiment_and_the_same_is_followed(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TRIALS_IN_CLUSTER.model_copy(update={"storage": f"file://{tmp_path}/share", "trials": 6})
    trials, names = LinearTrials(gram(made)), list[str]()
    with cluster_of(tmp_path, monkeypatch) as cluster:
        for change in ({}, {}, {"parallel": 2}, {"image": "team/training:2"}):
            told = settings.model_copy(update=change)
            result = run_search(
                "linear-1h-3", SPACES["linear"], search_of(told), trials=trials, settings=told, on_trial=lambda _: None
            )
            names.append(result.experiment.metadata.name)
        assert len(cluster.experiments) == 3
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_a_search_that_failed_leaves_the_defaults_and_is_asked_again(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = TRIALS_IN_CLUSTER.model_copy(update={"storage": f"file://{tmp_path}/share", "trials": 2})
    with cluster_of(tmp_path, monkeypatch) as cluster:
        for name, outcomes in (("failed", {0: "Failed", 1: "Failed"}), ("again", {})):
            cluster.outcomes = outcomes
            tune(**made.data, out=tmp_path / name, settings=settings)
    one, other = cluster.experiments
    assert other == f"{one}-2"
    failed, again = (document(tmp_path / name)["groups"][0] for name in ("failed", "again"))
    assert (failed["chosen"], failed["best"], failed["origin"]) == ("defaults", None, "search")
    assert failed["assignment"] == failed["defaults"]["assignment"]
    assert "the search failed (ExperimentFailed)" in read_trail([tmp_path / "failed"]).history[-1].notes[0]
    assert (again["origin"], again["fingerprint"]) == ("search", failed["fingerprint"])
    assert again["best"] is not None


def test_outside_a_pod_katib_needs_a_namespace(made: Made, tmp_path: Path) -> None:
    settings = Tuning(trials=7, engine="katib", storage=f"file://{tmp_path}/share")
    with pytest.raises(InputError, match=r"tuning.namespace is empty, and this is no pod; name the namespace\."):
        tune(**made.data, out=tmp_path / "tuned", settings=settings)
