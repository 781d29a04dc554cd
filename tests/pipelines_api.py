"""A server on loopback that speaks the API of Kubeflow Pipelines, v2beta1: it keeps state, checks bodies and can fail.

Bodies are checked against the types that the API publishes (those of `kfp_server_api`), pipelines against the protobuf
messages of the pipeline spec, parameters against what the pipeline declares, as the real server does it.
"""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import kfp_server_api
from google.protobuf import json_format
from kfp.kubernetes.kubernetes_executor_config_pb2 import KubernetesExecutorConfig
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec, PlatformSpec

PREFIX = "/apis/v2beta1/"
PLAIN = {"str": str, "int": int, "bool": bool, "datetime": str, "object": dict}
TYPES = {"STRING": str, "BOOLEAN": bool, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": (int, float), "STRUCT": dict}
LONGS = ("recurringruns.max_concurrency",)
MODELS = {"runs": "V2beta1Run", "recurringruns": "V2beta1RecurringRun", "experiments": "V2beta1Experiment"}
IDS = {"runs": "run_id", "recurringruns": "recurring_run_id", "experiments": "experiment_id"}
LISTS = {"runs": "runs", "recurringruns": "recurringRuns", "experiments": "experiments"}


class Fault(NamedTuple):
    """What goes wrong with the next requests of a kind."""

    on: str
    """Such as `POST runs`, the beginning of a request."""
    status: int = 0
    """Answer this; 0: close the connection."""
    done: bool = False
    """Do what was asked before answering wrongly."""
    content: Any = None
    """A mapping is sent as JSON, a text as a page."""
    seconds: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


class Request(NamedTuple):
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any] | None


class RefusedError(Exception):
    """The API's own refusal."""


@dataclass
class PipelinesApi:
    """The state of the server."""

    url: str = ""
    multi_user: bool = False
    page_size: int = 2
    token: str = ""
    """Asked for as a bearer token, where it is not empty."""
    states: list[dict[str, Any]] = field(default_factory=lambda: [{"state": "SUCCEEDED"}])
    """What a run is found to be, one look after the other; the last stays."""
    kept: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {kind: {} for kind in MODELS})
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def runs(self) -> list[dict[str, Any]]:
        return list(self.kept["runs"].values())

    @property
    def schedules(self) -> list[dict[str, Any]]:
        return list(self.kept["recurringruns"].values())

    def fail(self, fault: Fault, times: int = 1) -> None:
        self.faults += [fault] * times

    def said(self, start: str) -> list[Request]:
        return [each for each in self.requests if f"{each.method} {each.path.removeprefix(PREFIX)}".startswith(start)]

    def next_fault(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if f"{method} {path.removeprefix(PREFIX)}".startswith(fault.on):
                self.faults.remove(fault)
                return fault
        return None

    def answer(self, request: Request) -> tuple[int, Any]:
        """Do what is asked: a status, and what the API answers."""
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return 401, error(16, "Request header error: there is no user identity header.")
        address = urlsplit(request.path)
        if not address.path.startswith(PREFIX):
            return 404, "<html>404 page not found</html>"
        kind, _, key = address.path.removeprefix(PREFIX).partition("/")
        if kind == "healthz":
            return 200, {"multi_user": self.multi_user}
        if kind not in MODELS:
            return 404, error(5, "Not Found")
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        try:
            return self._of(kind, key, request, asked)
        except RefusedError as refused:
            return 400, error(3, f"Invalid input error: {refused}")

    def _of(self, kind: str, key: str, request: Request, asked: dict[str, str]) -> tuple[int, Any]:
        if request.method == "POST" and not key:
            return 200, self._create(kind, request.body or {})
        if request.method == "GET" and not key:
            return 200, self._list(kind, asked)
        if key not in self.kept[kind]:
            return 404, error(5, f"{kind} {key} not found")
        if request.method == "DELETE":
            del self.kept[kind][key]
            return 200, {}
        state = (self.states.pop(0) if len(self.states) > 1 else self.states[0]) if kind == "runs" else {}
        return 200, self.kept[kind][key] | state

    def _create(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        check_type(body, MODELS[kind], kind)
        if not body.get("display_name"):
            raise RefusedError("The name is empty. Please specify a valid name.")
        if kind != "experiments":
            if body.get("experiment_id") not in self.kept["experiments"]:
                raise RefusedError("The experiment is not known.")
            check_pipeline(body["pipeline_spec"], body["runtime_config"].get("parameters", {}))
        made = body | {IDS[kind]: str(uuid4())}
        self.kept[kind][made[IDS[kind]]] = made
        return made

    def _list(self, kind: str, asked: dict[str, str]) -> dict[str, Any]:
        found = list(self.kept[kind].values())
        for predicate in json.loads(asked.get("filter", "{}")).get("predicates", []):
            assert predicate["operation"] in ("EQUALS", 1), predicate
            found = [each for each in found if each.get(predicate["key"]) == predicate["stringValue"]]
        for name in ("experiment_id", "namespace"):
            if name in asked:
                found = [each for each in found if each.get(name) == asked[name]]
        start = int(asked.get("page_token") or 0)
        page = {LISTS[kind]: found[start : start + self.page_size], "total_size": len(found)}
        more = start + self.page_size < len(found)
        return page | ({"next_page_token": str(start + self.page_size)} if more else {})


def check_type(content: Any, kind: str, place: str) -> None:
    """Refuse what is not of a published type of the API: `str`, `list[V2beta1Run]`, `V2beta1Run`."""
    if kind.startswith("list["):
        for each in content:
            check_type(each, kind[5:-1], place)
    elif kind.startswith("dict("):
        check_type(content, "object", place)
    elif kind in PLAIN:
        # A whole number of 64 bits is a text in the API's JSON, and may be a number.
        if not isinstance(content, int if place in LONGS and not isinstance(content, str) else PLAIN[kind]):
            raise RefusedError(f"{place} is no {kind}: {content!r}")
    else:
        model = getattr(kfp_server_api, kind)
        if not model.openapi_types:
            known = [value for name, value in vars(model).items() if name.isupper()]
            if content not in known:
                raise RefusedError(f"{place} is none of {known}: {content!r}")
            return
        types = {model.attribute_map[name]: each for name, each in model.openapi_types.items()}
        for name, value in content.items():
            if name not in types:
                raise RefusedError(f"{place} has no {name}")
            check_type(value, types[name], f"{place}.{name}")


def check_pipeline(package: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Refuse a pipeline that is none, and parameters that it does not declare or that are of another type."""
    try:
        spec = json_format.ParseDict(package.get("pipeline_spec", package), PipelineSpec())
        platform = json_format.ParseDict(package.get("platform_spec", {}), PlatformSpec())
        for config in platform.platforms["kubernetes"].deployment_spec.executors.values():
            json_format.ParseDict(json_format.MessageToDict(config), KubernetesExecutorConfig())
    except json_format.ParseError as problem:
        raise RefusedError(str(problem)) from problem
    declared = spec.root.input_definitions.parameters
    for name, value in parameters.items():
        if name not in declared:
            raise RefusedError(f"unknown parameter {name}")
        kind = PARAMETER_TYPES[declared[name].parameter_type]
        if not isinstance(value, TYPES[kind]):
            raise RefusedError(f"parameter {name} is no {kind}: {value!r}")


PARAMETER_TYPES = {4: "BOOLEAN", 1: "NUMBER_DOUBLE", 2: "NUMBER_INTEGER", 3: "STRING", 5: "LIST", 6: "STRUCT"}


def error(code: int, message: str) -> dict[str, Any]:
    """Give the API's form of an error."""
    return {"error": message, "code": code, "message": message, "details": []}


class _Handler(BaseHTTPRequestHandler):
    api: PipelinesApi

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, json.loads(raw) if raw else None)
        self.api.requests.append(request)
        fault = self.api.next_fault(self.command, self.path)
        if fault is None:
            return self._send(*self.api.answer(request))
        if fault.done:
            answered = self.api.answer(request)
            assert answered[0] == 200, answered
        time.sleep(fault.seconds)
        if fault.status:
            return self._send(fault.status, fault.content or error(14, "upstream connect error"), fault.headers)
        self.close_connection = True
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{")
        return None

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names are the library's

    def _send(self, status: int, content: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        page = isinstance(content, str)
        body = content.encode() if page else json.dumps(content).encode()
        self.send_response(status)
        kind = "text/html" if page else "application/json"
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that did not wait for a slow answer is none of our trouble."""


@contextmanager
def served_api(certificate: Path | None = None, **about: Any) -> Iterator[PipelinesApi]:
    """Run a server of its own for a while, over TLS where a file with its certificate and key is given."""
    api = PipelinesApi(**about)
    handler = type("Handler", (_Handler,), {"api": api})
    with _Server(("127.0.0.1", 0), handler) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        api.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}"
        try:
            yield api
        finally:
            server.shutdown()
