"""Jobs as trials: what the primary container of a trial runs, and what of a Job cannot be run here.

A trial is what its container would be: command and arguments with `$(NAME)` expanded as Kubernetes does it, the literal
values of its environment, `KATIB_TRIAL_NAME`. Volumes that it mounts, init containers and what comes from secrets
belong to a cluster; they are refused by name rather than left out. Sidecars do not run.
"""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sparkhu.errors import InputError
from sparkhu.tuning.job_refusals import primary_container, refuse_foreign, refuse_parts
from sparkhu.tuning.templates import PLACEHOLDER, fill, values_of_trial
from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

TRIAL_NAME: Final = "KATIB_TRIAL_NAME"
_VARIABLE: Final = re.compile(r"\$(\$|\(([^)]*)\))")


@dataclass(frozen=True)
class Work:
    """What a trial runs.

    Attributes:
        command: Words that take the place of the image's entry point; empty: that of the image.
        arguments: Words behind it.
        environment: Variables.
        image: Image of the container.
        folder: Working folder; None: that of the caller, or of the image.
        seconds: How long it may take; None: as long as it takes.
    """

    command: tuple[str, ...]
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    image: str = ""
    folder: str | None = None
    seconds: float | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Command and arguments."""
        return self.command + self.arguments

    def elsewhere(self, path: str, instead: str) -> "Work":
        """Write another path wherever a path stands in a word or in a variable."""
        mention = mention_of(path)

        def moved(text: str) -> str:
            return mention.sub(lambda _: instead, text)

        return replace(
            self,
            command=tuple(map(moved, self.command)),
            arguments=tuple(map(moved, self.arguments)),
            environment={name: moved(value) for name, value in self.environment.items()},
        )


class Jobs:
    """Reads the job of an experiment.

    Args:
        experiment: A checked experiment.
        command: Words that take the place of the container's command and arguments; None: those of the container.

    Attributes:
        image: Image of the primary container, placeholders included.
        template: What a trial runs, placeholders included.

    Raises:
        InputError: The experiment cannot be run here; the message names the field and the way out.
    """

    def __init__(self, experiment: "V1beta1Experiment", command: str | None) -> None:
        refuse_foreign(experiment)
        self._template = experiment.spec.trial_template
        self._namespace = experiment.metadata.namespace or "default"
        self._given = None if command is None else tuple(_split(command))
        self._job = self._template.trial_spec
        _check_placeholders(self._given or (), [one.name for one in self._template.trial_parameters])
        container = primary_container(self._job, self._template.primary_container_name)
        refuse_parts(self._job["spec"], container, replaced=command is not None)
        self.template = self._work(self._job, {}, {})
        self.image = self.template.image

    def work(self, trial: Trial) -> Work:
        """Say what a trial runs."""
        values = values_of_trial(self._template, trial.assignment, name=trial.name, namespace=self._namespace)
        return self._work(fill(self._job, values), values, {TRIAL_NAME: trial.name})

    def _work(self, job: Mapping[str, Any], values: Mapping[str, str], injected: Mapping[str, str]) -> Work:
        container = primary_container(job, self._template.primary_container_name)
        environment = dict(injected)
        for variable in container.get("env") or []:
            environment[variable["name"]] = _expanded(variable.get("value") or "", environment)
        environment |= injected
        words = [[_expanded(word, environment) for word in container.get(name) or []] for name in ("command", "args")]
        seconds = job["spec"].get("activeDeadlineSeconds")
        work = Work(
            (*words[0],), (*words[1],), environment, container.get("image", ""), container.get("workingDir"), seconds
        )
        if self._given is None:
            return work
        return replace(work, command=tuple(fill(self._given, values)), arguments=(), folder=None)


def mention_of(path: str) -> re.Pattern[str]:
    """Find a file by its path in a text; longer paths that begin with it are other files."""
    return re.compile(rf"{re.escape(path)}(?![\w@%+~/-]|\.\w)")


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise InputError(f"--command: got '{command}', which cannot be split into words: {error}.") from None
    if not words:
        raise InputError("--command: names no command.")
    return words


def _check_placeholders(words: Sequence[str], known: Sequence[str]) -> None:
    for name in PLACEHOLDER.findall(" ".join(words)):
        if name not in known:
            told = f"no trial parameter is called '{name}'; there are {', '.join(known)}"
            raise InputError(f"--command: ${{trialParameters.{name}}}: {told}.")


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """Put variables in the place of `$(NAME)`; `$$` is a dollar, and what is not known stays as it stands."""
    return _VARIABLE.sub(lambda f: "$" if f.group(1) == "$" else variables.get(f.group(2), f.group()), text)
