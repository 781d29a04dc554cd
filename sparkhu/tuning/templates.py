"""Placeholders in trial templates, and what is put in their place for a trial.

Follows Katib's `experiment/manifest/generator.go` (`applyParameters`) and its validator's rules for templates.
`${trialParameters.NAME}` stands for what the trial parameter of that name refers to: a parameter of the search space,
or what is known of the trial itself, such as `${trialSpec.Name}`.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from sparkhu.errors import InputError

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1ConfigMapSource, V1beta1TrialTemplate

PLACEHOLDER: Final = re.compile(r"\$\{trialParameters\.(.+?)\}")
META: Final = re.compile(r"\$\{trialSpec\.(.+?)\}")
_INDEXED: Final = re.compile(r"(.+)\[(.+)\]")
PLAIN: Final = ("Name", "Namespace", "Kind", "APIVersion")
INDEXED: Final = ("Labels", "Annotations")
_PATH: Final = "spec.trialTemplate"


def template_problems(template: "V1beta1TrialTemplate | None", parameters: Sequence[str]) -> Iterator[str]:
    """Find what Katib refuses in a trial template.

    Args:
        template: The template.
        parameters: Names of the parameters of the search space.
    """
    if template is None:
        yield f"{_PATH}: must be given."
        return
    if not template.primary_container_name:
        yield f"{_PATH}.primaryContainerName: must be given: the container that trains."
    if not template.success_condition or not template.failure_condition:
        yield f"{_PATH}: successCondition and failureCondition must be given for this kind."
    if template.trial_parameters is None:
        yield f"{_PATH}.trialParameters: must be given."
        return
    if (template.trial_spec is None) == (template.config_map is None):
        yield f"{_PATH}: one of trialSpec and configMap must be given."
        return
    yield from _reference_problems(template, parameters)
    if template.trial_spec is not None:
        yield from _spec_problems(template.trial_spec, [one.name for one in template.trial_parameters])
    elif not _is_whole(template.config_map):
        yield f"{_PATH}.configMap: configMapName, configMapNamespace and templatePath must be given."


def _is_whole(source: "V1beta1ConfigMapSource") -> bool:
    return bool(source.config_map_name and source.config_map_namespace and source.template_path)


def _reference_problems(template: "V1beta1TrialTemplate", parameters: Sequence[str]) -> Iterator[str]:
    names: set[str] = set()
    references: set[str] = set()
    for index, one in enumerate(template.trial_parameters):
        path = f"{_PATH}.trialParameters[{index}]"
        if not one.name or not one.reference or "{" in one.name or "}" in one.name:
            yield f"{path}: name and reference must be given, and the name holds no braces; got {one.name!r}."
            continue
        for kind, value, seen in (("name", one.name, names), ("reference", one.reference, references)):
            if value in seen:
                yield f"{path}.{kind}: '{value}' stands there twice. Leave one out."
            seen.add(value)
        if parameters and not META.search(one.reference) and one.reference not in parameters:
            told = f"'{one.reference}' is no parameter of spec.parameters ({', '.join(parameters)})"
            yield f"{path}.reference: {told}. Declare it there, or refer to one of them."
        elif META.search(one.reference) and template.trial_spec is not None:
            yield from _meta_problems(one.reference, template.trial_spec, f"{path}.reference")
    for name in parameters:
        if name not in references:
            told = f"parameter '{name}' of spec.parameters is not among them, and no trial would be given it"
            yield f"{_PATH}.trialParameters: {told}. Add one with the reference '{name}'."


def _meta_problems(reference: str, trial_spec: Mapping[str, Any], path: str) -> Iterator[str]:
    try:
        _known_of_trial(reference, trial_spec, name="", namespace="")
    except InputError as error:
        yield f"{path}: {error}"


def _spec_problems(trial_spec: Mapping[str, Any], names: Sequence[str]) -> Iterator[str]:
    path = f"{_PATH}.trialSpec"
    used = list(dict.fromkeys(PLACEHOLDER.findall(json.dumps(trial_spec, ensure_ascii=False, default=str))))
    for name in names:
        if name and name not in used:
            told = f"${{trialParameters.{name}}} stands nowhere in trialSpec"
            yield f"{_PATH}.trialParameters: {told}. Use it there, or leave the trial parameter out."
    for name in used:
        if name not in names:
            told = f"${{trialParameters.{name}}} is used, and no trial parameter of that name is declared"
            yield f"{path}: {told}. Add it to {_PATH}.trialParameters."
    yield from _head_problems(trial_spec, path)


def _head_problems(trial_spec: Mapping[str, Any], path: str) -> Iterator[str]:
    """Find what is wrong with what says which object it is."""
    metadata = trial_spec.get("metadata") or {}
    if not isinstance(metadata, dict):
        yield f"{path}.metadata: got {metadata!r}, must be a mapping."
        return
    for name in ("name", "namespace"):
        if metadata.get(name):
            yield f"{path}.metadata.{name}: got '{metadata[name]}'; every trial has its own. Leave it out."
    for name in ("apiVersion", "kind"):
        value = trial_spec.get(name)
        if not value:
            yield f"{path}.{name}: must be given."
        elif not isinstance(value, str):
            yield f"{path}.{name}: got {value!r}, must be a text."


def values_of_trial(
    template: "V1beta1TrialTemplate", assignment: Mapping[str, str], *, name: str, namespace: str
) -> dict[str, str]:
    """Give what stands in the place of each placeholder.

    Args:
        template: A checked template.
        assignment: The value of each parameter of the search space.
        name: Name of the trial.
        namespace: Namespace of the experiment.

    Returns:
        The values by the names of the trial parameters.
    """
    return {
        one.name: _known_of_trial(one.reference, template.trial_spec, name=name, namespace=namespace)
        if META.search(one.reference)
        else assignment[one.reference]
        for one in template.trial_parameters
    }


def fill(template: Any, values: Mapping[str, str]) -> Any:
    """Put values in the place of placeholders, in every text of a template.

    Katib replaces them in the template's JSON, so that a value with a quote breaks it; here it is a value.
    """
    if isinstance(template, str):
        return PLACEHOLDER.sub(lambda found: values.get(found.group(1), found.group()), template)
    if isinstance(template, Mapping):
        return {fill(name, values): fill(value, values) for name, value in template.items()}
    if isinstance(template, list | tuple):
        return [fill(one, values) for one in template]
    return template


def _known_of_trial(reference: str, trial_spec: Mapping[str, Any], *, name: str, namespace: str) -> str:
    """Resolve a reference to what is known of a trial.

    Raises:
        InputError: There is no such thing.
    """
    found = META.search(reference)
    key = found.group(1) if found else reference
    indexed = _INDEXED.fullmatch(key)
    if indexed and indexed.group(1) in INDEXED:
        kind, index = indexed.groups()
        metadata = trial_spec.get("metadata") or {}
        values = metadata.get(kind.lower()) if isinstance(metadata, dict) else None
        if isinstance(values, dict) and index in values:
            return str(values[index])
        raise InputError(f"'{reference}': the template's metadata.{kind.lower()} has no '{index}'. Add it there.")
    plain = {"Name": name, "Namespace": namespace, "Kind": trial_spec.get("kind")}
    plain["APIVersion"] = trial_spec.get("apiVersion")
    if key in plain:
        return str(plain[key])
    told = ", ".join((*PLAIN, *(f"{kind}[KEY]" for kind in INDEXED)))
    raise InputError(f"'{reference}' is nothing that is known of a trial. Known are: {told}.")
