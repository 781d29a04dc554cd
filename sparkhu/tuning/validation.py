"""What Katib's webhook refuses (`webhook/v1beta1/experiment/validator/validator.go`), each named by its field.

Beside its rules stand those of its algorithm services that hold for every algorithm: a range is not reversed, a number
is a number, a list is not empty.
"""

import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from sparkhu.errors import InputError
from sparkhu.tuning.defaults import PARALLEL
from sparkhu.tuning.job_fields import JOB, job_problems
from sparkhu.tuning.strategies import finite_number
from sparkhu.tuning.templates import template_problems

if TYPE_CHECKING:
    from kubeflow_katib_api.models import (
        V1beta1Experiment,
        V1beta1ExperimentSpec,
        V1beta1FeasibleSpace,
        V1beta1MetricsCollectorSpec,
        V1beta1ObjectiveSpec,
        V1beta1ParameterSpec,
        V1beta1TrialTemplate,
    )

Problems = Iterator[str]
NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
LONGEST_NAME: Final = 40
DISTRIBUTIONS: Final = ("uniform", "logUniform", "normal", "logNormal")
RESUME_POLICIES: Final = ("Never", "LongRunning", "FromVolume")
STRATEGIES: Final = ("min", "max", "latest")
COLLECTORS: Final = ("StdOut", "File", "TensorFlowEvent", "PrometheusMetric", "Custom", "Push")
_TWO_GROUPS: Final = re.compile(r".*\(.*\).*\(.*\).*")


def check_experiment(experiment: "V1beta1Experiment", *, template: bool = True) -> None:
    """Check an experiment whose defaults are filled in.

    Args:
        experiment: The experiment.
        template: Whether it must have a trial template.

    Raises:
        InputError: A field cannot be used; the message names every such field, its value and the way out.
    """
    found = list(dict.fromkeys(_problems(experiment, template=template)))
    if len(found) == 1:
        raise InputError(found[0])
    if found:
        raise InputError("\n".join([f"{len(found)} fields cannot be used.", *(f"  {problem}" for problem in found)]))


def _problems(experiment: "V1beta1Experiment", *, template: bool) -> Problems:
    metadata = experiment.metadata
    name = metadata and (metadata.name or (metadata.generate_name or "").rstrip("-"))
    if not name or not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        told = f"must be lower-case letters, digits and '-', begin with a letter and have {LONGEST_NAME} at most"
        yield f"metadata.name: got {name!r}; it {told}."
    spec = experiment.spec
    if spec is None:
        yield "spec: must be given."
        return
    yield from _count_problems(spec)
    yield from _objective_problems(spec.objective)
    yield from _algorithm_problems(spec)
    if spec.resume_policy not in RESUME_POLICIES:
        yield f"spec.resumePolicy: got '{spec.resume_policy}', must be {_either(RESUME_POLICIES)}."
    if not spec.parameters and spec.nas_config is None:
        yield "spec: parameters or nasConfig must be given."
    if spec.parameters and spec.nas_config is not None:
        yield "spec: only one of parameters and nasConfig can be given. Leave one out."
    yield from _parameters_problems(spec.parameters or [])
    if template or spec.trial_template is not None:
        names = [parameter.name for parameter in spec.parameters or [] if parameter.name]
        yield from template_problems(spec.trial_template, names)
    if template:
        yield from _job_problems(spec.trial_template)
    yield from _collector_problems(spec.metrics_collector_spec)


def _count_problems(spec: "V1beta1ExperimentSpec") -> Problems:
    failed, most, parallel = spec.max_failed_trial_count, spec.max_trial_count, spec.parallel_trial_count
    if failed is not None and failed < 0:
        yield f"spec.maxFailedTrialCount: got {failed}, must be 0 or more."
    if most is not None and most <= 0:
        yield f"spec.maxTrialCount: got {most}, must be 1 or more."
    if parallel <= 0:
        yield f"spec.parallelTrialCount: got {parallel}, must be 1 or more."
    for name, value in (("maxFailedTrialCount", failed), ("parallelTrialCount", parallel)):
        if value is not None and most is not None and value > most:
            default = " (also Katib's default)" if name == "parallelTrialCount" and value == PARALLEL else ""
            yield f"spec.{name}: got {value}{default}, must be {most} (spec.maxTrialCount) at most."


def _objective_problems(objective: "V1beta1ObjectiveSpec | None") -> Problems:
    if objective is None:
        yield "spec.objective: must be given."
        return
    if objective.type not in {"minimize", "maximize"}:
        yield f"spec.objective.type: got '{objective.type}', must be minimize or maximize."
    if objective.goal is not None and not math.isfinite(objective.goal):
        yield f"spec.objective.goal: got {objective.goal}, must be a finite number."
    if not objective.objective_metric_name:
        yield "spec.objective.objectiveMetricName: must be given."
    if objective.objective_metric_name in (objective.additional_metric_names or ()):
        told = f"must not contain '{objective.objective_metric_name}', the objective. Leave it out there"
        yield f"spec.objective.additionalMetricNames: {told}."
    for index, strategy in enumerate(objective.metric_strategies or []):
        if strategy.value not in STRATEGIES:
            told = f"got '{strategy.value}' for '{strategy.name}', must be {_either(STRATEGIES)}"
            yield f"spec.objective.metricStrategies[{index}].value: {told}."


def _algorithm_problems(spec: "V1beta1ExperimentSpec") -> Problems:
    if spec.algorithm is None or not spec.algorithm.algorithm_name:
        yield "spec.algorithm.algorithmName: must be given."
    if spec.early_stopping is not None and not spec.early_stopping.algorithm_name:
        yield "spec.earlyStopping.algorithmName: must be given."


def _parameters_problems(parameters: "list[V1beta1ParameterSpec]") -> Problems:
    names: set[str] = set()
    for index, parameter in enumerate(parameters):
        path = f"spec.parameters[{index}]"
        if not parameter.name or parameter.name in names:
            yield f"{path}.name: got {parameter.name!r}; every parameter needs a name of its own."
        names.add(parameter.name)
        space = parameter.feasible_space
        if space is None or not (space.min or space.max or space.step or space.list):
            yield f"{path}.feasibleSpace: must be given for parameter '{parameter.name}'."
        elif parameter.parameter_type in {"int", "double"}:
            yield from _range_problems(space, parameter.parameter_type, f"{path}.feasibleSpace")
        elif parameter.parameter_type in {"discrete", "categorical"}:
            yield from _list_problems(space, parameter.parameter_type, f"{path}.feasibleSpace")
        else:
            told = f"got '{parameter.parameter_type}', must be int, double, discrete or categorical"
            yield f"{path}.parameterType: {told}."


def _range_problems(space: "V1beta1FeasibleSpace", kind: str, path: str) -> Problems:
    if space.list:
        yield f"{path}.list: got {space.list}; a parameter of type {kind} has min and max instead."
    if space.distribution not in DISTRIBUTIONS:
        yield f"{path}.distribution: got '{space.distribution}', must be {_either(DISTRIBUTIONS)}."
    numbers: dict[str, float] = {}
    for name in ("min", "max", "step"):
        text = getattr(space, name)
        if not text:
            if name != "step":
                yield f"{path}.{name}: must be given for a parameter of type {kind}."
            continue
        number = finite_number(text)
        if number is None or (kind == "int" and not re.fullmatch(r"[+-]?\d+", text, re.ASCII)):
            yield f"{path}.{name}: got '{text}', must be {'a whole number' if kind == 'int' else 'a number'}."
        else:
            numbers[name] = number
    if {"min", "max"} <= numbers.keys() and numbers["min"] > numbers["max"]:
        yield f"{path}.min: got '{space.min}', which is larger than max '{space.max}'. Swap them."
    if numbers.get("step", 1) <= 0:
        yield f"{path}.step: got '{space.step}', must be larger than 0."
    if space.distribution in {"logUniform", "logNormal"} and numbers.get("min", 1) <= 0:
        yield f"{path}.min: got '{space.min}', must be larger than 0 for the distribution {space.distribution}."


def _list_problems(space: "V1beta1FeasibleSpace", kind: str, path: str) -> Problems:
    if space.min or space.max or space.step:
        yield f"{path}: a parameter of type {kind} has a list, and no min, max or step. Leave them out."
    if not space.list:
        yield f"{path}.list: must be given for a parameter of type {kind}."
    doubled = sorted({value for value in space.list or [] if space.list.count(value) > 1})
    if doubled:
        yield f"{path}.list: names '{doubled[0]}' more than once. Leave one out."
    if kind == "discrete":
        for value in space.list or []:
            if finite_number(value) is None:
                yield f"{path}.list: got '{value}', must be a number. Texts are of the type categorical."


def _job_problems(template: "V1beta1TrialTemplate | None") -> Problems:
    """Look into a Job; trials that are calls of a function do without the client that knows its fields."""
    job = template.trial_spec if template is not None else None
    if job is not None and (job.get("apiVersion"), job.get("kind")) == JOB:
        yield from job_problems(job, "spec.trialTemplate.trialSpec")


def _collector_problems(collector: "V1beta1MetricsCollectorSpec") -> Problems:
    kind, path = collector.collector.kind, "spec.metricsCollectorSpec"
    if kind not in COLLECTORS:
        yield f"{path}.collector.kind: got '{kind}', must be {_either(COLLECTORS)}."
    source = collector.source
    if kind == "File":
        yield from _file_problems(source.file_system_path, f"{path}.source.fileSystemPath")
        if source.file_system_path.format == "JSON" and source.filter is not None:
            yield f"{path}.source.filter: a JSON file has no filter. Leave it out."
    elif kind == "TensorFlowEvent":
        place = source.file_system_path
        if place.kind != "Directory" or not place.path.startswith("/"):
            yield f"{path}.source.fileSystemPath: must be of the kind Directory with an absolute path."
    elif kind == "Custom" and collector.collector.custom_collector is None:
        yield f"{path}.collector.customCollector: must be given for the kind Custom."
    yield from _filter_problems(source, f"{path}.source.filter.metricsFormat")


def _file_problems(place: Any, path: str) -> Problems:
    if place.kind != "File":
        yield f"{path}.kind: got '{place.kind}', must be File."
    if not place.path.startswith("/"):
        yield f"{path}.path: got '{place.path}', must be an absolute path."
    if place.format not in {"TEXT", "JSON"}:
        yield f"{path}.format: got '{place.format}', must be TEXT or JSON."


def _filter_problems(source: Any, path: str) -> Problems:
    import re2

    formats = source.filter.metrics_format if source is not None and source.filter is not None else None
    options = re2.Options()
    options.log_errors = False
    for index, text in enumerate(formats or []):
        try:
            groups = re2.compile(text, options).groups
        except re2.error as error:
            why = error.args[0].decode() if isinstance(error.args[0], bytes) else error
            yield f"{path}[{index}]: got '{text}', which RE2 cannot read: {why}."
            continue
        if groups < 2 or not _TWO_GROUPS.match(text):
            yield f"{path}[{index}]: got '{text}'; it needs two groups: the name of the metric, and its value."


def _either(values: tuple[str, ...]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"
