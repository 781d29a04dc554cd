"""A server on loopback that speaks the Kubernetes API for Katib's objects: it checks them, runs trials and can fail.

Objects are checked as Katib does it: fields and their types by the models that it publishes (`kubeflow_katib_api`), the
rest by the rules of its webhook. The schemas of its custom resources allow every field. An experiment takes one step
whenever it is read: trials that run end, others begin.
"""

import json
import re
import ssl
import threading
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from kubeflow_katib_api import models
from pydantic import BaseModel, ValidationError

PREFIX = "/apis/kubeflow.org/v1beta1/namespaces/"
STARTED = "2026-01-01T10:00:00Z"
NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
Document = dict[str, Any]


class Fault(NamedTuple):
    """What goes wrong with the next requests of a kind, such as `POST experiments`."""

    on: str
    status: int = 0
    """Answer this; 0: close the connection."""
    done: bool = False
    """Do what was asked before answering wrongly."""
    content: Any = "upstream connect error"


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Document | None


class RefusedError(Exception):
    """The API's own refusal: a code, a reason and a message."""


@dataclass
class KatibCluster:
    """The state of the cluster."""

    url: str = ""
    token: str = ""
    installed: bool = True
    namespaces: tuple[str, ...] = ("team",)
    outcomes: Mapping[int, str] = field(default_factory=dict)
    """How trials end, by number; those that are not named succeed."""
    objective: Callable[[Mapping[str, str]], float] = lambda assignment: float(assignment["rate"])
    begun: int = 0
    """How many trials there have been."""
    experiments: dict[str, Document] = field(default_factory=dict)
    trials: dict[str, Document] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    """Experiments that were edited, which the controller has not seen yet."""

    def answer(self, request: Request) -> tuple[int, Any]:
        """Do what is asked: a status, and what the API answers."""
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, status(401, "Unauthorized", "Unauthorized")
        address = urlsplit(request.path)
        if not self.installed or not address.path.startswith(PREFIX):
            return 404, "404 page not found\n"
        namespace, kind, *name = address.path.removeprefix(PREFIX).split("/")
        try:
            if request.method == "POST":
                return 201, self.create(request.body or {}, namespace)
            if kind == "trials":
                [selector] = parse_qs(address.query)["labelSelector"]
                return 200, {"kind": "TrialList", "items": self.selected(selector)}
            return 200, self.edit(name[0], request) if request.method == "PATCH" else self.read(name[0])
        except RefusedError as refused:
            code, reason, message = refused.args
            return code, status(code, reason, message)

    def create(self, body: Document, namespace: str) -> Document:
        if namespace not in self.namespaces:
            raise RefusedError(404, "NotFound", f'namespaces "{namespace}" not found')
        if body["metadata"].get("namespace", namespace) != namespace:
            told = "the namespace of the provided object does not match the namespace sent on the request"
            raise RefusedError(400, "BadRequest", told)
        name = body["metadata"]["name"]
        check_experiment(body)
        if name in self.experiments:
            raise RefusedError(409, "AlreadyExists", f'experiments.kubeflow.org "{name}" already exists')
        kept = json.loads(json.dumps(body))
        kept["metadata"] |= {"creationTimestamp": STARTED, "uid": "0-1", "resourceVersion": "7", "generation": 1}
        kept["metadata"]["managedFields"] = [{"manager": "tests", "fieldsV1": {"f:spec": {}}}]
        kept["spec"].setdefault("resumePolicy", "Never")
        kept["spec"]["trialTemplate"].pop("retain", None)  # the API leaves out what is false
        self.experiments[name] = kept
        return kept

    def edit(self, name: str, request: Request) -> Document:
        """Merge a change into an experiment, by the rules of Katib's webhook; its controller sees it a moment later."""
        assert request.headers["content-type"] == "application/merge-patch+json"
        assert request.body is not None
        old: Document = self.experiments[name]
        merged = {**old["spec"], **request.body["spec"]}
        spec = {field: value for field, value in merged.items() if value is not None}
        if {*request.body["spec"]} - {"parallelTrialCount", "maxTrialCount", "maxFailedTrialCount"}:
            raise_webhook("only counts of trials are editable")
        if condition(old, "Failed") or (condition(old, "Succeeded") and spec["resumePolicy"] == "Never"):
            raise_webhook("Experiment can be restarted if it is in succeeded state by reaching max trials")
        if spec["maxTrialCount"] <= old["status"]["trials"]:
            raise_webhook("spec.maxTrialCount must be greater than status.trials count")
        old["spec"] = spec
        old["metadata"]["generation"] += 1
        self.unseen.add(name)
        return old

    def read(self, name: str) -> Document:
        if name not in self.experiments:
            raise RefusedError(404, "NotFound", f'experiments.kubeflow.org "{name}" not found')
        if name in self.unseen:
            self.unseen.remove(name)
        else:
            self.step(self.experiments[name])
        return self.experiments[name]

    def selected(self, selector: str) -> list[Document]:
        label, _, value = selector.partition("=")
        return [each for each in self.trials.values() if each["metadata"]["labels"].get(label) == value]

    def step(self, experiment: Document) -> None:
        """End the trials that run, begin others, and say how far the experiment is."""
        spec, name = experiment["spec"], experiment["metadata"]["name"]
        ours = self.selected(f"katib.kubeflow.org/experiment={name}")
        for trial in ours:
            if condition(trial, "Running"):
                self.end(trial, spec)
        done, most = sum(not condition(trial, "Running") for trial in ours), spec["maxTrialCount"]
        if done < most:
            if condition(experiment, "Succeeded"):
                del experiment["status"]["completionTime"]
                experiment["status"]["conditions"] = []
            for _ in range(min(most - done, spec["parallelTrialCount"])):
                trial = begin(experiment, self.begun)
                self.trials[trial["metadata"]["name"]] = trial
                self.begun += 1
        self.conclude(experiment, ours, ended=done == most)

    def end(self, trial: Document, spec: Document) -> None:
        number = int(trial["metadata"]["name"].rsplit("-", 1)[1])
        outcome = self.outcomes.get(number, "Succeeded")
        metric = spec["objective"]["objectiveMetricName"]
        set_condition(trial, outcome, f"Trial has {outcome.lower()}")
        trial["status"]["completionTime"] = f"2026-01-01T10:01:{number:02}Z"
        if outcome in ("Succeeded", "EarlyStopped"):
            given = {each["name"]: each["value"] for each in trial["spec"]["parameterAssignments"]}
            value = str(self.objective(given))
            found = {"name": metric, "latest": value, "min": value, "max": value}
            trial["status"]["observation"] = {"metrics": [found]}

    def conclude(self, experiment: Document, ours: list[Document], *, ended: bool) -> None:
        experiment.setdefault("status", {"startTime": STARTED, "conditions": []})
        set_condition(experiment, "Running", "Experiment is running")
        experiment["status"]["trials"] = len(ours)
        scored = [trial for trial in ours if "observation" in trial["status"]]
        if scored:
            least = min(scored, key=lambda trial: float(trial["status"]["observation"]["metrics"][0]["min"]))
            experiment["status"]["currentOptimalTrial"] = {
                "bestTrialName": least["metadata"]["name"],
                "observation": least["status"]["observation"],
                "parameterAssignments": least["spec"]["parameterAssignments"],
            }
        if ended:
            failed = not scored
            reason = "ExperimentFailed" if failed else "ExperimentMaxTrialsReached"
            set_condition(experiment, "Failed" if failed else "Succeeded", "Experiment has ended", reason)
            experiment["status"]["completionTime"] = f"2026-01-01T10:05:{experiment['metadata']['generation']:02}Z"


def begin(experiment: Document, number: int) -> Document:
    """Make a trial, its parameters in the middle of their spaces and up."""
    name, spec = experiment["metadata"]["name"], experiment["spec"]
    assigned = []
    for parameter in spec["parameters"]:
        space = parameter["feasibleSpace"]
        if "list" in space:
            value = space["list"][number % len(space["list"])]
        else:
            low, high = float(space["min"]), float(space["max"])
            value = repr(low + (high - low) * (number + 1) / (spec["maxTrialCount"] + 1))
            value = str(int(float(value))) if parameter["parameterType"] == "int" else value
        assigned.append({"name": parameter["name"], "value": value})
    trial: Document = {
        "metadata": {
            "name": f"{name}-{number}",
            "creationTimestamp": f"2026-01-01T10:00:{number:02}Z",
            "labels": {"katib.kubeflow.org/experiment": name},
        },
        "spec": {"parameterAssignments": assigned, "objective": spec["objective"]},
        "status": {"startTime": f"2026-01-01T10:00:{number:02}Z", "conditions": []},
    }
    set_condition(trial, "Running", "Trial is running")
    return trial


def condition(document: Document, kind: str) -> bool:
    conditions = document.get("status", {}).get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in conditions)


def set_condition(document: Document, kind: str, message: str, reason: str = "") -> None:
    """Add a condition that holds; what ended is not running any more."""
    conditions = [each for each in document["status"]["conditions"] if each["type"] != kind]
    if kind != "Running":
        conditions = [each | {"status": "False"} if each["type"] == "Running" else each for each in conditions]
    elif conditions:
        return
    at = {"lastUpdateTime": STARTED, "lastTransitionTime": STARTED}
    made = {"type": kind, "status": "True", "reason": reason or kind, "message": message} | at
    document["status"]["conditions"] = [*conditions, made]


def check_experiment(body: Document) -> None:
    """Refuse what the API or Katib's webhook refuses."""
    if (body.get("apiVersion"), body.get("kind")) != ("kubeflow.org/v1beta1", "Experiment"):
        raise RefusedError(400, "BadRequest", "the object provided is unrecognized")
    name, spec = body["metadata"]["name"], body["spec"]
    if not NAME.fullmatch(name) or len(name) > 40:
        raise RefusedError(422, "Invalid", f'Experiment "{name}" is invalid: metadata.name')
    if "status" in body:
        raise RefusedError(422, "Invalid", "the status is a resource of its own")
    check_model(spec, models.V1beta1ExperimentSpec, "spec")
    template, parameters = spec["trialTemplate"], {each["name"] for each in spec["parameters"]}
    for problem, holds in {
        "spec.maxTrialCount must be greater than 0": spec["maxTrialCount"] < 1,
        "spec.parallelTrialCount must be less than spec.maxTrialCount": spec["parallelTrialCount"]
        > spec["maxTrialCount"],
        "spec.objective.type must be minimize or maximize": spec["objective"]["type"] not in ("minimize", "maximize"),
        "metadata.name of trialSpec must be omitted": "name" in template["trialSpec"].get("metadata", {}),
        "trialParameters must refer to parameters": {each["reference"] for each in template["trialParameters"]}
        != parameters,
    }.items():
        if holds:
            raise_webhook(problem)
    written = json.dumps(template["trialSpec"])
    for each in template["trialParameters"]:
        if f"${{trialParameters.{each['name']}}}" not in written:
            raise_webhook(f"parameter {each['name']} isn't used in trialSpec")
    if template["trialSpec"]["kind"] == "MPIJob":
        check_mpi_job(template)


def check_mpi_job(template: Document) -> None:
    """Refuse an MPIJob of v2beta1 without a launcher, workers or the primary container."""
    job = template["trialSpec"]
    replicas = job["spec"].get("mpiReplicaSpecs", {})
    if job["apiVersion"] != "kubeflow.org/v2beta1" or replicas.keys() != {"Launcher", "Worker"}:
        raise_webhook("MPIJob needs a Launcher and Workers of kubeflow.org/v2beta1")
    containers = [each["name"] for each in replicas["Launcher"]["template"]["spec"]["containers"]]
    if template["primaryContainerName"] not in containers:
        raise_webhook("no primary container")


def raise_webhook(problem: str) -> None:
    told = f'admission webhook "validator.experiment.katib.kubeflow.org" denied the request: {problem}'
    raise RefusedError(400, "BadRequest", told)


def check_model(content: Any, model: type[BaseModel], path: str) -> None:
    """Refuse fields that a model does not have, and values of other types than it wants."""
    fields = {each.alias or name: each for name, each in model.model_fields.items()}
    unknown = content.keys() - fields.keys()
    if unknown:
        raise_webhook(f"json: unknown field {path}.{sorted(unknown)[0]}")
    for name, value in content.items():
        inner = model_in(fields[name].annotation)
        for each in value if inner and isinstance(value, list) else [value] if inner else []:
            check_model(each, typing.cast("type[BaseModel]", inner), f"{path}.{name}")
    try:
        model.model_validate(content)
    except ValidationError as problem:
        raise_webhook(f"json: cannot unmarshal {path}: {problem.errors()[0]['loc']}")


def model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for each in typing.get_args(annotation) if (found := model_in(each))), None)


def status(code: int, reason: str, message: str) -> Document:
    """Give the API's form of a refusal."""
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


class Answering(Protocol):
    """A cluster that answers requests."""

    url: str
    requests: list[Request]
    faults: list[Fault]

    def answer(self, request: Request) -> tuple[int, Any]:
        """Do what is asked: a status, and what the API answers."""


Served = TypeVar("Served", bound=Answering)


class _Handler(BaseHTTPRequestHandler):
    cluster: Answering

    def _serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, json.loads(raw) if raw else None)
        self.cluster.requests.append(request)
        asked = f"{self.command} {urlsplit(self.path).path.removeprefix(PREFIX).partition('/')[2]}"
        fault = next((each for each in self.cluster.faults if asked.startswith(each.on)), None)
        if fault is None:
            return self._send(*self.cluster.answer(request))
        self.cluster.faults.remove(fault)
        if fault.done:
            assert self.cluster.answer(request)[0] in (200, 201)
        if fault.status:
            return self._send(fault.status, fault.content)
        self.close_connection = True
        return None

    do_GET = do_POST = do_PATCH = _serve  # noqa: N815 - the names are the library's

    def _send(self, code: int, content: Any) -> None:
        body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def served_cluster(certificate: Path | None = None, **about: Any) -> Iterator[KatibCluster]:
    """Run a server of its own for a while, over TLS where a file with its certificate and key is given."""
    with serving(KatibCluster(**about), certificate) as cluster:
        yield cluster


@contextmanager
def serving(cluster: Served, certificate: Path | None = None) -> Iterator[Served]:
    """Serve a cluster for a while."""
    handler = type("Handler", (_Handler,), {"cluster": cluster})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        cluster.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
        try:
            yield cluster
        finally:
            server.shutdown()
