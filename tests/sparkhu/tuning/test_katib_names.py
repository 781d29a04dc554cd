from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkhu.models.linear import SPACE
from sparkhu.tuning.declaring import Search, TrialProgram, declare_experiment
from sparkhu.tuning.katib import run_on_katib
from sparkhu.tuning.katib_names import free_name
from tests.katib_cluster import NAME, KatibCluster, served_cluster
from tests.sparkhu.tuning.written_experiments import kubeconfig


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibCluster]:
    monkeypatch.setattr("sparkhu.tuning.katib.POLL_SECONDS", 0.01)
    with served_cluster() as server:
        server.objective = lambda assignment: float(assignment["look_back"])
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.url, "secret")))
        yield server


def declared(image: str = "training:1") -> Any:
    return declare_experiment("linear", SPACE, Search("loss", trials=2), TrialProgram(image, ("train",)))


def named(base: str, experiment: Any) -> str:
    return free_name(base, experiment, namespace="team")


def test_equal_specifications_have_equal_names_that_katib_allows(cluster: KatibCluster) -> None:
    name = named("linear-1h-24", declared())
    assert name == named("linear-1h-24", declared())
    assert name.startswith("linear-1h-24-")
    assert name != named("linear-1h-24", declared("training:2"))
    long = named("linear-" + "1228629493us-" * 5, declared())
    assert NAME.fullmatch(long)
    assert len(f"{long}-99") <= 40


def test_what_runs_or_succeeded_keeps_its_name_and_what_failed_gives_the_next(
    cluster: KatibCluster, tmp_path: Path
) -> None:
    names = []
    for outcomes in ({}, {0: "Failed", 1: "Failed"}, {}):
        cluster.outcomes = {cluster.begun + at: how for at, how in outcomes.items()}
        experiment = declared("training:1" if not outcomes and not names else "training:2")
        experiment.metadata.name = named("linear", experiment)
        names.append(run_on_katib(experiment, namespace="team", out=tmp_path).experiment.metadata.name)
    assert named("linear", declared("training:1")) == names[0]
    assert names[2] == f"{names[1]}-2"
    assert named("linear", declared("training:2")) == names[2]
