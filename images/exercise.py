"""Run compiled pipelines in this process, each task by Kubeflow Pipelines' executor as its container would.

python exercise.py FOLDER PIPELINE.yaml [--until=TASK] [NAME=VALUE ...]

A build runs it once in an environment: what the steps import is then compiled, and what they cannot do without is
found to be there. Values are JSON, or text where they are none.
"""

import json
import os
import sys
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from unittest import mock

import yaml

os.environ["_KFP_RUNTIME"] = "true"
COMPONENT = 3
"""Where the source of a component stands in its container's command."""


def parameter(value: Any) -> Any:
    """Read an argument of the command line."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


class Run:
    """One run of a compiled pipeline of plain tasks; each task writes into a folder of its name."""

    def __init__(self, pipeline: dict[str, Any], folder: Path, given: dict[str, Any]) -> None:
        self.components, self.folder = pipeline["components"], folder
        self.executors = pipeline["deploymentSpec"]["executors"]
        self.tasks = pipeline["root"]["dag"]["tasks"]
        specs = pipeline["root"]["inputDefinitions"]["parameters"]
        self.given = {name: spec.get("defaultValue") for name, spec in specs.items()} | given
        self.made: dict[str, dict[str, Any]] = {}

    def order(self, until: str = "") -> list[str]:
        """Order the tasks, or those that one of them needs, so that none comes before one that it needs."""
        needs: dict[str, list[str]] = {}
        wanted = [until] if until else sorted(self.tasks)
        while wanted:
            name = wanted.pop()
            needs[name] = sorted(self.tasks[name].get("dependentTasks", []))
            wanted += [each for each in needs[name] if each not in needs]
        return list(TopologicalSorter(needs).static_order())

    def argument(self, source: dict[str, Any]) -> Any:
        """Look up what a task's parameter is given."""
        if "componentInputParameter" in source:
            return self.given[source["componentInputParameter"]]
        if "taskOutputParameter" in source:
            made = source["taskOutputParameter"]
            return self.made[made["producerTask"]]["parameterValues"][made["outputParameterKey"]]
        return source["runtimeValue"]["constant"]

    def artifact(self, source: dict[str, Any]) -> dict[str, Any]:
        """Look up which artifact a task reads."""
        made = source["taskOutputArtifact"]
        artifacts: dict[str, Any] = self.made[made["producerTask"]]["artifacts"]
        return dict(artifacts[made["outputArtifactKey"]])

    def executor_input(self, name: str) -> dict[str, Any]:
        """Write what the executor is told of a task: its arguments, its inputs and where its outputs belong."""
        task, folder = self.tasks[name], self.folder / name
        component = self.components[task["componentRef"]["name"]]
        inputs, outputs = component.get("inputDefinitions", {}), component.get("outputDefinitions", {})
        specs, given = inputs.get("parameters", {}), task.get("inputs", {})
        values = {key: spec["defaultValue"] for key, spec in specs.items() if "defaultValue" in spec}
        values |= {key: self.argument(source) for key, source in given.get("parameters", {}).items()}
        whole = [key for key in values if specs[key]["parameterType"] == "NUMBER_INTEGER"]
        values |= {key: int(values[key]) for key in whole}
        written = {
            key: {"artifacts": [{"name": key, "uri": str(folder / key), "type": spec["artifactType"], "metadata": {}}]}
            for key, spec in outputs.get("artifacts", {}).items()
        }
        return {
            "inputs": {
                "parameterValues": values,
                "artifacts": {key: self.artifact(source) for key, source in given.get("artifacts", {}).items()},
            },
            "outputs": {
                "artifacts": written,
                "parameters": {key: {"outputFile": str(folder / key)} for key in outputs.get("parameters", {})},
                "outputFile": str(folder / "executor_output.json"),
            },
        }

    def run(self, name: str) -> None:
        """Run one task."""
        from kfp.dsl.executor_main import executor_main

        label = self.components[self.tasks[name]["componentRef"]["name"]]["executorLabel"]
        container, told = self.executors[label]["container"], self.executor_input(name)
        folder = self.folder / name
        folder.mkdir(parents=True)
        source = folder / "ephemeral_component.py"
        source.write_text(container["command"][COMPONENT])
        arguments = [each if each != "{{$}}" else json.dumps(told) for each in container["args"]]
        with mock.patch.object(sys, "argv", ["executor", "--component_module_path", str(source), *arguments]):
            executor_main()
        self.made[name] = {"artifacts": told["outputs"]["artifacts"]}
        self.made[name] |= json.loads((folder / "executor_output.json").read_text())


def main(arguments: list[str]) -> None:
    """Run the pipeline, task after task, and say which one runs."""
    folder, pipeline, *given = arguments
    values = {name: parameter(value) for name, _, value in (each.partition("=") for each in given)}
    until = str(values.pop("--until", ""))
    run = Run(yaml.safe_load(Path(pipeline).read_text()), Path(folder).resolve(), values)
    for name in run.order(until):
        run.run(name)


if __name__ == "__main__":
    main(sys.argv[1:])
