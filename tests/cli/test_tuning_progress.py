"""Lines about trials: calm, with the digits they deserve, and the best so far."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sparkhu.tuning.reading import experiment_of, prepared
from sparkhu.tuning.trials import Status, Trial
from sparkhu_cli.terminal import Terminal
from sparkhu_cli.tuning_progress import TuningProgress
from tests.cli.test_terminal import Screen
from tests.sparkhu.tuning.specs import PARAMETERS, document

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)


def progress(stream: io.StringIO, **spec: Any) -> TuningProgress:
    experiment = prepared(experiment_of(document(parameters=PARAMETERS[:1], **spec)))
    return TuningProgress(experiment, Path("tuned"), Terminal(stream), clock=lambda: 0.0)


def trial(number: int, status: Status = "Succeeded", objective: float | None = None, message: str = "") -> Trial:
    begun = Trial(number, f"tuned-{number:04d}", {"lr": "0.0123456789"}, started=NOON)
    ended = NOON + timedelta(seconds=2.5)
    return replace(begun, status=status, objective=objective, ended=ended, message=message)


@pytest.mark.parametrize(
    ("ended", "line"),
    [
        (trial(1, objective=0.5), "✓ tuned-0001       0.500       2.5 s  lr=0.0123457  best so far"),
        (
            trial(1, "EarlyStopped", 0.5),
            "– tuned-0001       0.500       2.5 s  lr=0.0123457  stopped early  best so far",
        ),
        (trial(1, "Killed"), "– tuned-0001           –       2.5 s  lr=0.0123457  ended with the experiment"),
        (trial(1, "Failed", message="Exit code 1"), "✗ tuned-0001           –       2.5 s  Exit code 1"),
        (trial(1, "MetricsUnavailable", message="none"), "✗ tuned-0001           –       2.5 s  none"),
    ],
)
def test_a_trial_is_a_line(ended: Trial, line: str) -> None:
    stream = io.StringIO()
    progress(stream).on_trial(ended)
    assert stream.getvalue().splitlines()[1:] == [line]


def test_a_trial_that_is_no_better_is_not_said_to_be() -> None:
    stream = io.StringIO()
    seen = progress(stream)
    for number, objective in enumerate([0.5, 0.5, 0.4, 0.6]):
        seen.on_trial(trial(number, objective=objective))
    told = [line.endswith("best so far") for line in stream.getvalue().splitlines()[1:]]
    assert told == [True, False, True, False]


def test_a_terminal_shows_the_counts_and_the_best_while_trials_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Screen()
    seen = progress(stream)
    seen.on_trial(replace(trial(0), status="Running", ended=None))
    seen.on_trial(trial(0, objective=0.5))
    seen.on_trial(trial(1, "Failed"))
    assert "  0 of 6 trials, 1 under way" in stream.getvalue()
    assert stream.getvalue().endswith("  2 of 6 trials, 0 under way, 1 failed; best 0.500 (tuned-0000)")


def test_counts_and_the_best_include_the_trials_of_an_earlier_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Screen()
    seen = progress(stream)
    seen.on_resume([trial(0, objective=0.5), trial(1, "Failed"), trial(2, objective=0.7)])
    seen.on_trial(trial(3, objective=0.6))
    assert "best so far" not in stream.getvalue()
    assert stream.getvalue().endswith("  4 of 6 trials, 0 under way, 1 failed; best 0.500 (tuned-0000)")


def test_an_experiment_without_a_most_runs_until_it_ends() -> None:
    stream = io.StringIO()
    progress(stream, maxTrialCount=None)
    assert stream.getvalue() == "tuned: minimize loss over lr; random, trials until it ends, 2 at once\n"
