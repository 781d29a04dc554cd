"""`sparkhu tune --engine katib`: what a person sees of an experiment that a cluster runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu
from tests.katib_cluster import KatibCluster, served_cluster
from tests.sparkhu.tuning.written_experiments import MPI_JOB, SECRET, kubeconfig, written


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KatibCluster]:
    monkeypatch.setattr("sparkhu.tuning.katib.POLL_SECONDS", 0.01)
    with served_cluster(token=SECRET) as server:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, server.url, SECRET)))
        yield server


def tune(folder: Path, *words: str, **spec: Any) -> Result:
    file = folder / "experiment.yaml"
    file.write_text(yaml.safe_dump(written(job=MPI_JOB, **spec)))
    return CliRunner().invoke(sparkhu, ["tune", str(file), "--engine", "katib", "--out", str(folder / "out"), *words])


def test_trials_are_told_and_results_are_written(cluster: KatibCluster, tmp_path: Path) -> None:
    result = tune(tmp_path, "--namespace", "team")
    assert result.exit_code == 0, result.output
    assert "search-0" in result.output
    assert "max trial count" in result.output or "5 trials" in result.output
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"experiment.yaml", "trials.parquet"}


def test_the_advice_to_go_on_is_given_where_katib_takes_it(cluster: KatibCluster, tmp_path: Path) -> None:
    advice = "a larger maxTrialCount goes on from here"
    assert advice not in tune(tmp_path, "--namespace", "team").output
    cluster.experiments.clear()
    cluster.trials.clear()
    assert advice in tune(tmp_path, "--namespace", "team", resumePolicy="LongRunning").output
    result = tune(tmp_path, "--namespace", "team", resumePolicy="LongRunning", maxTrialCount=7)
    assert (result.exit_code, result.output.splitlines()[0].count("7 trials")) == (0, 1), result.output


def test_ctrl_c_says_that_the_experiment_goes_on(
    cluster: KatibCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sparkhu.tuning.katib.time.sleep", interrupted)
    result = tune(tmp_path, "--namespace", "team")
    assert result.exit_code == 130
    told = " ".join(result.output.split())
    assert "the experiment 'search' goes on in the cluster; the same command follows it again" in told
    assert "were ended" not in told


def test_a_namespace_that_is_not_there_is_an_error_of_the_input(cluster: KatibCluster, tmp_path: Path) -> None:
    result = tune(tmp_path, "--namespace", "nowhere")
    assert result.exit_code == 2
    assert "the cluster has no namespace 'nowhere'" in " ".join(result.output.split())
