"""What an experiment ends with, whichever engine ran it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment


@dataclass(frozen=True)
class Result:
    """What an experiment ends with.

    Attributes:
        experiment: The experiment with its status.
        trials: Every trial, in the order of their numbers.
        best: The trial with the best objective; None where no trial has one.
        succeeded: Whether its condition is `Succeeded`.
        reason: The reason of its condition, such as `ExperimentMaxTrialsReached`.
    """

    experiment: "V1beta1Experiment"
    trials: tuple[Trial, ...]
    best: Trial | None
    succeeded: bool
    reason: str


class Interrupted(KeyboardInterrupt):
    """Somebody pressed Ctrl-C: the trials under way are ended, and what was found is written.

    Attributes:
        result: What there was by then; the experiment is still running, and goes on from its folder.
        note: What becomes of the experiment, where it goes on without us; empty where it does not.
    """

    def __init__(self, result: Result, note: str = "") -> None:
        super().__init__("interrupted")
        self.result = result
        self.note = note
