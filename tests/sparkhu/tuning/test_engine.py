"""Experiments whose trials are calls of a function end as Katib would end them."""

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from sparkhu.errors import InputError
from sparkhu.tuning.algorithms.choosing import ALGORITHMS
from sparkhu.tuning.engine import Pruned, Report, run_experiment
from sparkhu.tuning.reading import experiment_of, read_experiment
from sparkhu.tuning.result import Interrupted, Result
from sparkhu.tuning.store import JOURNAL
from sparkhu.tuning.trials import Trial
from tests.sparkhu.tuning.specs import PARAMETERS, STEPPED, document


def run(call: Callable[..., float], out: Path | None = None, /, on_trial: Any = None, **spec: Any) -> Result:
    return run_experiment(experiment_of(document(**spec)), call, out=out, on_trial=on_trial)


def loss(assignment: Mapping[str, str], _report: Report) -> float:
    return (float(assignment["lr"]) - 0.02) ** 2 + int(assignment["layers"])


def parabola(assignment: Mapping[str, str], _report: Report) -> float:
    return (float(assignment["x"]) - 0.5) ** 2 + (int(assignment["n"]) - 3) ** 2


def fails(assignment: Mapping[str, str], _report: Report) -> float:
    raise RuntimeError(f"no luck with {assignment['optimizer']}")


@pytest.mark.parametrize("parallel", [1, 2])
def test_an_experiment_ends_at_its_most_trials_with_the_best_of_them(parallel: int) -> None:
    result = run(loss, parallelTrialCount=parallel, maxTrialCount=8)
    assert (result.succeeded, result.reason) == (True, "ExperimentMaxTrialsReached")
    assert [trial.number for trial in result.trials] == list(range(8))
    assert result.best is not None
    assert result.best.objective == min(loss(trial.assignment, lambda _: None) for trial in result.trials)
    assert result.experiment.status.current_optimal_trial.best_trial_name == result.best.name


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name not in {"grid", "hyperband"}])
def test_every_algorithm_runs_to_its_most_trials(name: str) -> None:
    numbers = PARAMETERS[:2] if name == "cmaes" else PARAMETERS
    result = run(loss, parameters=numbers, algorithm={"algorithmName": name}, maxTrialCount=6)
    assert (result.reason, len(result.trials)) == ("ExperimentMaxTrialsReached", 6)
    assert {trial.status for trial in result.trials} == {"Succeeded"}


def test_hyperband_runs_its_brackets_to_their_end() -> None:
    resource = {"name": "epochs", "parameterType": "int", "feasibleSpace": {"min": "1", "max": "9"}}
    values = {"resource_name": "epochs", "r_l": "9", "eta": "3"}
    settings = [{"name": name, "value": value} for name, value in values.items()]
    algorithm = {"algorithmName": "hyperband", "algorithmSettings": settings}
    spec = {"parameters": [*PARAMETERS[:2], resource], "algorithm": algorithm, "maxTrialCount": 100}
    result = run(loss, **spec, parallelTrialCount=9)
    assert result.succeeded
    assert {trial.assignment["epochs"] for trial in result.trials} == {"1", "3", "9"}


def test_a_grid_that_is_exhausted_succeeds_with_its_optimum() -> None:
    spec = {"parameters": STEPPED, "algorithm": {"algorithmName": "grid"}, "maxTrialCount": None}
    result = run(parabola, **spec)
    assert (result.succeeded, result.reason) == (True, "ExperimentSuggestionEndReached")
    assert len(result.trials) == 15
    assert result.best is not None
    assert (float(result.best.assignment["x"]), result.best.assignment["n"], result.best.objective) == (0.5, "3", 0)


def test_the_goal_ends_the_experiment() -> None:
    objective = {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.5}
    values = iter([3.0, 0.6, 0.5, 0.1])
    result = run(lambda *_: next(values), objective=objective, parallelTrialCount=1)
    assert (result.succeeded, result.reason, len(result.trials)) == (True, "ExperimentGoalReached", 3)
    assert result.best == result.trials[-1]


def test_a_goal_that_is_to_be_exceeded_is_reached_from_below() -> None:
    objective = {"type": "maximize", "objectiveMetricName": "accuracy", "goal": 3.5}
    values = iter([1.0, 3.0, 3.5, 9.0])
    result = run(lambda *_: next(values), objective=objective, parallelTrialCount=1)
    assert (result.reason, len(result.trials)) == ("ExperimentGoalReached", 3)


def test_too_many_failed_trials_fail_the_experiment(caplog: pytest.LogCaptureFixture) -> None:
    result = run(fails, parallelTrialCount=1)
    assert (result.succeeded, result.reason) == (False, "ExperimentFailed")
    assert [trial.status for trial in result.trials] == ["Failed"] * 3
    assert result.trials[0].message.startswith("Trial has failed. RuntimeError: no luck with ")
    assert result.best is None
    conditions = result.experiment.status.conditions
    assert (conditions[-1].type, conditions[-1].message) == (
        "Failed",
        "Experiment has failed because max failed count has reached",
    )
    assert "Traceback" in caplog.text


def test_failed_trials_below_the_limit_count_as_completed() -> None:
    values = iter([RuntimeError("once"), 1.0, 2.0, 3.0])

    def sometimes(*_: object) -> float:
        value = next(values)
        if isinstance(value, Exception):
            raise value
        return value

    result = run(sometimes, parallelTrialCount=1, maxTrialCount=4)
    assert [trial.status for trial in result.trials] == ["Failed", *["Succeeded"] * 3]
    assert result.reason == "ExperimentMaxTrialsReached"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_objective_that_is_no_finite_number_is_unavailable_and_counts_as_failed(value: float) -> None:
    result = run(lambda *_: value, parallelTrialCount=1)
    assert {trial.status for trial in result.trials} == {"MetricsUnavailable"}
    assert result.trials[0].message == f"Metrics are not available: 'loss' is '{value}', no finite number"
    assert (result.reason, result.experiment.status.trial_metrics_unavailable) == ("ExperimentFailed", 3)


def test_intermediate_values_count_by_the_strategy_of_the_objective() -> None:
    def improving_then_worse(_assignment: object, report: Report) -> float:
        for value in (3.0, 1.0, 2.0):
            report(value)
        return 5.0

    assert [trial.objective for trial in run(improving_then_worse, maxTrialCount=2).trials] == [1.0, 1.0]
    latest = {"type": "minimize", "objectiveMetricName": "loss"}
    strategies = [{"name": "loss", "value": "latest"}]
    result = run(improving_then_worse, maxTrialCount=2, objective={**latest, "metricStrategies": strategies})
    assert [trial.objective for trial in result.trials] == [5.0, 5.0]
    assert [one.value for one in result.trials[0].measurements] == ["3.0", "1.0", "2.0", "5.0"]


def test_a_trial_that_is_worse_than_the_others_is_stopped_early_and_counts_as_completed() -> None:
    begun: list[int] = []

    def by_number(_assignment: object, report: Report) -> float:
        begun.append(len(begun))
        value = 1.0 if len(begun) < 4 else 9.0
        for step in range(4):
            report(value)
            if value == 9.0:
                begun.append(step)
        return value

    settings = [{"name": "min_trials_required", "value": "3"}, {"name": "start_step", "value": "2"}]
    stopping = {"algorithmName": "medianstop", "algorithmSettings": settings}
    result = run(by_number, earlyStopping=stopping, parallelTrialCount=1, maxTrialCount=4)
    assert [trial.status for trial in result.trials] == [*["Succeeded"] * 3, "EarlyStopped"]
    assert result.reason == "ExperimentMaxTrialsReached"
    assert len(result.trials[3].measurements) == 2
    assert result.trials[3].objective == 9.0
    assert result.experiment.status.trials_early_stopped == 1


def test_a_value_that_is_no_number_takes_no_part_in_early_stopping() -> None:
    def nan_first(_assignment: object, report: Report) -> float:
        report(float("nan"))
        return 1.0

    settings = [{"name": "min_trials_required", "value": "1"}, {"name": "start_step", "value": "2"}]
    stopping = {"algorithmName": "medianstop", "algorithmSettings": settings}
    result = run(nan_first, earlyStopping=stopping, parallelTrialCount=1)
    assert {trial.status for trial in result.trials} == {"Succeeded"}
    values = iter([1.0, 9.0])

    def twice(_assignment: object, report: Report) -> float:
        report(float("nan"))
        value = next(values)
        report(value)
        return value

    mixed = run(twice, earlyStopping=stopping, parallelTrialCount=1, maxTrialCount=2)
    assert [trial.status for trial in mixed.trials] == ["Succeeded", "EarlyStopped"]


def test_trials_under_way_are_ended_when_the_goal_is_reached() -> None:
    begun, order = threading.Barrier(2, timeout=10), iter(["finds it", "goes on"])

    def one_finds_it(_assignment: object, report: Report) -> float:
        part = next(order)
        begun.wait()
        until = time.monotonic() + 10
        while part == "goes on" and time.monotonic() < until:
            time.sleep(0.01)
            report(1.0)
        return 0.0

    objective = {"type": "minimize", "objectiveMetricName": "loss", "goal": 0.5}
    result = run(one_finds_it, objective=objective, parallelTrialCount=2)
    assert result.reason == "ExperimentGoalReached"
    assert sorted(trial.status for trial in result.trials) == ["Killed", "Succeeded"]


def test_a_pruned_trial_passes_guards_against_failures() -> None:
    assert not issubclass(Pruned, Exception)


def test_who_follows_is_told_of_every_beginning_and_end() -> None:
    told: list[Trial] = []
    result = run(loss, on_trial=told.append, parallelTrialCount=1, maxTrialCount=2)
    assert [(trial.number, trial.status) for trial in told] == [
        (0, "Running"),
        (0, "Succeeded"),
        (1, "Running"),
        (1, "Succeeded"),
    ]
    assert [told[1], told[3]] == list(result.trials)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"algorithm": {"algorithmName": "annealing"}}, r"spec.algorithm: .*'annealing'.*random"),
        ({"algorithm": {"algorithmName": "enas"}}, r"spec.algorithm: .*enas"),
        ({"earlyStopping": {"algorithmName": "hope"}}, r"spec.earlyStopping: .*'hope'.*medianstop"),
    ],
)
def test_an_algorithm_that_is_not_there_is_refused_before_the_first_trial(
    tmp_path: Path, spec: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        run(loss, tmp_path / "study", **spec)
    assert not (tmp_path / "study").exists()


def test_a_name_that_is_to_be_made_is_the_one_it_is_to_begin_with() -> None:
    whole = document()
    whole["metadata"] = {"generateName": "tuned-"}
    result = run_experiment(experiment_of(whole), loss)
    assert (result.experiment.metadata.name, result.trials[0].name) == ("tuned", "tuned-0000")


def test_no_trial_template_is_needed() -> None:
    assert run(loss, trialTemplate=None).succeeded


def test_the_folder_holds_the_finished_experiment_and_its_trials(tmp_path: Path) -> None:
    result = run(loss, tmp_path / "study")
    experiment = yaml.safe_load((tmp_path / "study" / "experiment.yaml").read_text())
    assert experiment["status"]["trialsSucceeded"] == 6
    assert experiment["status"]["conditions"][-1]["reason"] == "ExperimentMaxTrialsReached"
    assert experiment["status"]["completionTime"].endswith("Z")
    assert read_experiment(tmp_path / "study" / "experiment.yaml").spec == result.experiment.spec
    table = pl.read_parquet(tmp_path / "study" / "trials.parquet")
    assert table["objective"].to_list() == [trial.objective for trial in result.trials]


def test_ctrl_c_gives_what_was_found_and_the_study_goes_on_from_there(tmp_path: Path) -> None:
    calls: list[Mapping[str, str]] = []

    def interrupted(assignment: Mapping[str, str], report: Report) -> float:
        calls.append(assignment)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return loss(assignment, report)

    with pytest.raises(Interrupted) as raised:
        run(interrupted, tmp_path, parallelTrialCount=1)
    found = raised.value.result
    assert [trial.status for trial in found.trials] == ["Succeeded", "Succeeded", "Killed"]
    assert (found.reason, found.experiment.status.completion_time) == ("ExperimentRunning", None)
    assert pl.read_parquet(tmp_path / "trials.parquet")["status"].to_list()[-1] == "Killed"
    result = run(interrupted, tmp_path, parallelTrialCount=1)
    assert calls[3] == calls[2]
    assert len(calls) == 7
    assert [trial.number for trial in result.trials] == list(range(6))
    assert {trial.status for trial in result.trials} == {"Succeeded"}


def never(*_: object) -> float:
    raise AssertionError("nothing is left to do")


def test_a_finished_study_does_no_trial(tmp_path: Path) -> None:
    first = run(loss, tmp_path)
    again = run(never, tmp_path)
    assert (again.trials, again.best, again.experiment) == (first.trials, first.best, first.experiment)


def test_a_study_goes_on_after_every_ctrl_c(tmp_path: Path) -> None:
    calls: list[Mapping[str, str]] = []

    def interrupted(assignment: Mapping[str, str], report: Report) -> float:
        calls.append(assignment)
        if len(calls) in {2, 3, 5}:
            raise KeyboardInterrupt
        return loss(assignment, report)

    for _ in range(3):
        with pytest.raises(Interrupted):
            run(interrupted, tmp_path, parallelTrialCount=1)
    result = run(interrupted, tmp_path, parallelTrialCount=1)
    assert [{trial.status for trial in result.trials}, len(result.trials)] == [{"Succeeded"}, 6]
    assert calls[1] == calls[2] == calls[3]
    assert run(never, tmp_path, parallelTrialCount=1).trials == result.trials


@pytest.mark.parametrize("parallel", [1, 2])
def test_a_study_that_is_cut_again_and_again_goes_on(tmp_path: Path, parallel: int) -> None:
    spec = {"parameters": PARAMETERS[:2], "parallelTrialCount": parallel, "maxTrialCount": 3, "maxFailedTrialCount": 1}
    run(loss, tmp_path, **spec)
    journal = tmp_path / JOURNAL
    whole = journal.read_bytes().splitlines(keepends=True)
    for first in range(2, len(whole)):
        journal.write_bytes(b"".join(whole[:first]))
        run(loss, tmp_path, **spec)
        resumed = journal.read_bytes().splitlines(keepends=True)
        for second in range(first, len(resumed)):
            journal.write_bytes(b"".join(resumed[:second]))
            result = run(loss, tmp_path, **spec)
            assert [(trial.number, trial.status) for trial in result.trials] == [(n, "Succeeded") for n in range(3)]
            assert run(never, tmp_path, **spec).trials == result.trials


@pytest.mark.parametrize("name", ["random", "grid", "sobol"])
def test_a_study_that_is_cut_anywhere_goes_on_to_the_same_trials(tmp_path: Path, name: str) -> None:
    grid = [{"name": "lr", "parameterType": "double", "feasibleSpace": {"min": "0", "max": "1", "step": "0.1"}}]
    numbers = grid if name == "grid" else PARAMETERS[:2]
    spec = {"algorithm": {"algorithmName": name}, "parameters": numbers, "parallelTrialCount": 1, "maxTrialCount": 4}
    if name != "sobol":  # whose sequence is one and the same
        spec["algorithm"] = {"algorithmName": name, "algorithmSettings": [{"name": "random_state", "value": "7"}]}
    whole = run(lambda given, _: float(given["lr"]), tmp_path / "whole", **spec)
    lines = (tmp_path / "whole" / JOURNAL).read_bytes().splitlines(keepends=True)
    for count in range(1, len(lines)):
        cut = tmp_path / str(count)
        cut.mkdir()
        (cut / JOURNAL).write_bytes(b"".join(lines[:count]) + lines[count][:9])
        result = run(lambda given, _: float(given["lr"]), cut, **spec)
        assert [trial.assignment for trial in result.trials] == [trial.assignment for trial in whole.trials]
        assert (result.reason, result.best and result.best.name) == (whole.reason, whole.best and whole.best.name)


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"algorithm": {"algorithmName": "sobol"}}, 'its spec.algorithm.algorithmName is "random", here it is "sobol"'),
        ({"parameters": PARAMETERS[:2]}, "its spec.parameters is ["),
        ({"code": "print()"}, 'containers[0].args[0] is "print(\'loss=0.5\')", here it is "print()"'),
    ],
)
def test_another_experiment_in_the_same_folder_is_refused_by_what_differs(
    tmp_path: Path, spec: dict[str, Any], told: str
) -> None:
    run(loss, tmp_path)
    with pytest.raises(InputError) as raised:
        run(loss, tmp_path, **spec)
    assert told in str(raised.value)


def test_more_trials_are_done_where_the_policy_allows_it(tmp_path: Path) -> None:
    first = run(loss, tmp_path)
    with pytest.raises(InputError, match=r"spec\.maxTrialCount: got 8, but the experiment ended with 6 trials"):
        run(loss, tmp_path, maxTrialCount=8)
    more = run(loss, tmp_path, maxTrialCount=8, resumePolicy="LongRunning")
    assert more.trials[:6] == first.trials
    assert len(more.trials) == 8
