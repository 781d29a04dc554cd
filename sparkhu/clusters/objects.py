"""Objects of one kind in a cluster, through the Kubernetes API, asked again after a lost connection."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sparkhu.clusters.refusals import Resource, passes, refusal, told
from sparkhu.errors import InputError, SparkhuError

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Document = dict[str, Any]
SECONDS: Final = (10, 60)
"""To connect, and to wait for an answer."""
OF_POD: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where Kubernetes tells a pod its namespace."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0

logger = logging.getLogger(__name__)


def namespace_of(given: str, setting: str) -> str:
    """Give the namespace of objects: the one that is set, else that of the pod that this runs in.

    Args:
        given: The one that is set; empty: none.
        setting: What sets it, for messages.

    Raises:
        InputError: Neither is there.
    """
    if given:
        return given
    try:
        return OF_POD.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputError(f"{setting} is empty, and this is no pod; name the namespace.") from error


def connect() -> "ApiClient":
    """Connect as `kubectl` does: inside a pod by its service account, elsewhere by the kubeconfig.

    Raises:
        InputError: There is neither, or it cannot be read.
    """
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    configuration = client.Configuration()
    configuration.retries = False  # calls are repeated in `ClusterObjects`, with a word about it
    try:
        try:
            config.load_incluster_config(client_configuration=configuration)
        except ConfigException:
            config.load_kube_config(
                os.environ.get("KUBECONFIG"), client_configuration=configuration, persist_config=False
            )
    except (ConfigException, OSError) as problem:
        raise InputError(
            f"no cluster can be reached from here: {problem} Set KUBECONFIG to a file with a context of your cluster; "
            "'kubectl config view' shows what there is."
        ) from problem
    return client.ApiClient(configuration)


class ClusterObjects:
    """Objects of one kind in one namespace.

    Args:
        resource: Their kind.
        namespace: Where they are.
        client: The connection; None: as `connect` gives it.
        patience: Seconds for which a server that cannot be reached is asked again.
    """

    def __init__(
        self, resource: Resource, namespace: str, client: "ApiClient | None" = None, *, patience: float
    ) -> None:
        from kubernetes.client import CustomObjectsApi

        self.resource, self.namespace = resource, namespace
        self._patience = patience
        self._api = CustomObjectsApi(client or connect())
        self._server = _address(str(self._api.api_client.configuration.host))
        self._place = (resource.group, resource.version, namespace, resource.plural)

    def create(self, document: Document) -> Document:
        """Create an object.

        Raises:
            TakenError: There is one of this name; also where an earlier attempt created it and its answer was lost.
            InputError: The cluster refuses it.
            SparkhuError: It cannot be created.
        """
        create, name = self._api.create_namespaced_custom_object, document["metadata"]["name"]
        return self._asked(
            f"create the {self.resource.noun} '{name}'",
            lambda: create(*self._place, document, _request_timeout=SECONDS),
        )

    def read(self, name: str) -> Document:
        """Read an object.

        Raises:
            MissingError: There is none.
            SparkhuError: It cannot be read.
        """
        read = self._api.get_namespaced_custom_object
        return self._asked(
            f"read the {self.resource.noun} '{name}'", lambda: read(*self._place, name, _request_timeout=SECONDS)
        )

    def edit(self, name: str, spec: Document) -> Document:
        """Change fields of an object's specification; None takes a field out.

        Raises:
            InputError: The cluster refuses it.
            SparkhuError: It cannot be changed.
        """
        edit, body = self._api.patch_namespaced_custom_object, {"spec": spec}
        return self._asked(
            f"edit the {self.resource.noun} '{name}'",
            lambda: edit(*self._place, name, body, _request_timeout=SECONDS),
        )

    def labelled(self, label: str, value: str) -> list[Document]:
        """Read the objects whose label has a value.

        Raises:
            SparkhuError: They cannot be read.
        """
        read = self._api.list_namespaced_custom_object
        found = self._asked(
            f"read the {self.resource.plural} of '{value}'",
            lambda: read(*self._place, label_selector=f"{label}={value}", _request_timeout=SECONDS),
        )
        return list(found.get("items") or [])

    def _asked(self, doing: str, ask: Callable[[], Any]) -> Document:
        """Ask until there is an answer, or patience is at its end."""
        started, pause = time.monotonic(), FIRST_PAUSE
        while isinstance(answer := self._answer(doing, ask), str):
            waited = time.monotonic() - started
            if waited + pause > self._patience:
                raise SparkhuError(
                    f"cannot {doing}: {answer}, for {waited:.0f} s by now. See 'kubectl cluster-info'; the "
                    f"same command then goes on with the same {self.resource.noun}."
                )
            logger.warning("cannot %s yet: %s; asking again in %.1f s", doing, answer, pause)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return answer

    def _answer(self, doing: str, ask: Callable[[], Any]) -> Document | str:
        """Give the answer, or as a text why there is none by now."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer = ask()
        except ApiException as refused:
            if not passes(refused):
                place, resource = self.namespace, self.resource
                raise refusal(doing, refused, server=self._server, namespace=place, resource=resource) from None
            return f"the server at {self._server} answers {refused.status} ({told(refused)})"
        except HTTPError as lost:
            return f"the server at {self._server} cannot be reached ({type(lost).__name__})"
        if not isinstance(answer, dict):
            raise SparkhuError(
                f"cannot {doing}: {self._server} answers with something else than an object. Is it the address of the "
                "Kubernetes API? See 'kubectl config view'."
            )
        return answer


def _address(url: str) -> str:
    """Give the address of a server without a password that may stand in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
