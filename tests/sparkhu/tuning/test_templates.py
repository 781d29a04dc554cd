"""Placeholders stand for what Katib puts in their place, and a template that misses one is refused."""

from datetime import date
from typing import Any

import pytest

from sparkhu.errors import InputError
from sparkhu.tuning.reading import experiment_of, prepared
from sparkhu.tuning.templates import fill, values_of_trial
from tests.sparkhu.tuning.specs import document


def with_reference(reference: str) -> dict[str, Any]:
    """Give an experiment with one more trial parameter, `me`, that refers to something."""
    whole = document()
    template = whole["spec"]["trialTemplate"]
    template["trialParameters"].append({"name": "me", "reference": reference})
    job = template["trialSpec"]
    job["metadata"] = {"labels": {"app.kubernetes.io/part": "search"}, "annotations": {"note": "a b"}}
    job["spec"]["template"]["spec"]["containers"][0]["args"].append("${trialParameters.me}")
    return whole


@pytest.mark.parametrize(
    ("reference", "value"),
    [
        ("${trialSpec.Name}", "tuned-0001"),
        ("${trialSpec.Namespace}", "kubeflow"),
        ("${trialSpec.Kind}", "Job"),
        ("${trialSpec.APIVersion}", "batch/v1"),
        ("${trialSpec.Labels[app.kubernetes.io/part]}", "search"),
        ("${trialSpec.Annotations[note]}", "a b"),
    ],
)
def test_what_is_known_of_a_trial_can_be_handed_to_it(reference: str, value: str) -> None:
    template = prepared(experiment_of(with_reference(reference))).spec.trial_template
    assignment = {"lr": "0.02", "layers": "3", "batch": "32", "optimizer": "adam"}
    values = values_of_trial(template, assignment, name="tuned-0001", namespace="kubeflow")
    assert values == {**assignment, "me": value}


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("${trialSpec.Labels[other]}", "metadata.labels has no 'other'"),
        ("${trialSpec.Owner}", "'${trialSpec.Owner}' is nothing that is known of a trial. Known are: Name, Namespace"),
        ("momentum", "'momentum' is no parameter of spec.parameters (lr, layers, batch, optimizer)"),
        ("lr", "reference: 'lr' stands there twice"),
    ],
)
def test_a_reference_to_nothing_is_refused(reference: str, told: str) -> None:
    with pytest.raises(InputError) as raised:
        prepared(experiment_of(with_reference(reference)))
    assert told in str(raised.value)
    assert "spec.trialTemplate.trialParameters[4].reference" in str(raised.value)


def test_values_are_put_into_every_text_and_no_other_place() -> None:
    template = {"args": ["--lr=${trialParameters.lr}", 3, None], "${trialParameters.lr}": {"a": "${trialParameters.x}"}}
    filled = {"args": ["--lr=0.1", 3, None], "0.1": {"a": "${trialParameters.x}"}}
    assert fill(template, {"lr": "0.1"}) == filled


def test_a_value_with_quotes_or_a_placeholder_in_it_is_a_value() -> None:
    assert fill(["${trialParameters.a}"], {"a": '"${trialParameters.b}"', "b": "no"}) == ['"${trialParameters.b}"']


def broken(change: Any) -> str:
    whole = document()
    change(whole["spec"]["trialTemplate"])
    with pytest.raises(InputError) as raised:
        prepared(experiment_of(whole))
    return str(raised.value)


def undeclared(template: dict[str, Any]) -> None:
    template["trialParameters"].pop()


def unused(template: dict[str, Any]) -> None:
    template["trialSpec"]["spec"]["template"]["spec"]["containers"][0]["args"].pop()


def named(template: dict[str, Any]) -> None:
    template["trialSpec"]["metadata"] = {"name": "mine"}


def with_a_list(template: dict[str, Any]) -> None:
    template["trialSpec"]["metadata"] = ["a"]


def without_kind(template: dict[str, Any]) -> None:
    del template["trialSpec"]["kind"]
    template |= {"successCondition": "a", "failureCondition": "b"}


def without_primary(template: dict[str, Any]) -> None:
    del template["primaryContainerName"]


def of_another_kind(template: dict[str, Any]) -> None:
    template["trialSpec"]["kind"] = "Workflow"


def without_source(template: dict[str, Any]) -> None:
    del template["trialSpec"]


def with_two_sources(template: dict[str, Any]) -> None:
    template["configMap"] = {"configMapName": "a", "configMapNamespace": "b", "templatePath": "c"}


def braced(template: dict[str, Any]) -> None:
    template["trialParameters"][0]["name"] = "l{r}"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (undeclared, "trialSpec: ${trialParameters.optimizer} is used, and no trial parameter of that name"),
        (undeclared, "parameter 'optimizer' of spec.parameters is not among them, and no trial would be given it"),
        (unused, "${trialParameters.optimizer} stands nowhere in trialSpec"),
        (named, "trialSpec.metadata.name: got 'mine'; every trial has its own. Leave it out"),
        (with_a_list, "trialSpec.metadata: got ['a'], must be a mapping"),
        (without_kind, "trialSpec.kind: must be given"),
        (without_primary, "spec.trialTemplate.primaryContainerName: must be given"),
        (of_another_kind, "successCondition and failureCondition must be given for this kind"),
        (without_source, "one of trialSpec and configMap must be given"),
        (with_two_sources, "one of trialSpec and configMap must be given"),
        (braced, "the name holds no braces; got 'l{r}'"),
    ],
)
def test_a_template_that_katib_refuses_is_refused(change: Any, told: str) -> None:
    assert told in broken(change)


def test_a_template_in_a_config_map_is_a_template_of_katib() -> None:
    whole = document()
    template = whole["spec"]["trialTemplate"]
    del template["trialSpec"]
    template |= {"successCondition": "a", "failureCondition": "b"}
    template["configMap"] = {"configMapName": "a", "configMapNamespace": "b", "templatePath": "c"}
    prepared(experiment_of(whole))
    del template["configMap"]["templatePath"]
    with pytest.raises(InputError, match="configMapName, configMapNamespace and templatePath must be given"):
        prepared(experiment_of(whole))


def test_a_template_with_a_date_in_it_can_be_checked() -> None:
    whole = document()
    whole["spec"]["trialTemplate"]["trialSpec"]["metadata"] = {"annotations": {"since": date(2024, 5, 1)}}
    prepared(experiment_of(whole))
