"""Katib's objects in a cluster, through the Kubernetes API, asked again after a lost connection."""

import logging
import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.katib_refusals import passes, refusal, told

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Document = dict[str, Any]
KIND: Final = ("kubeflow.org", "v1beta1")
OF_EXPERIMENT: Final = "katib.kubeflow.org/experiment"
"""The label by which Katib marks the trials of an experiment."""
SECONDS: Final = (10, 60)
"""To connect, and to wait for an answer."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 15.0

logger = logging.getLogger(__name__)


def connect() -> "ApiClient":
    """Connect as `kubectl` does: inside a pod by its service account, elsewhere by the kubeconfig.

    Raises:
        InputError: There is neither, or it cannot be read.
    """
    from kubernetes import client, config
    from kubernetes.config import ConfigException

    configuration = client.Configuration()
    configuration.retries = False  # calls are repeated in `KatibApi`, with a word about it
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


class KatibApi:
    """Experiments and trials of one namespace.

    Args:
        namespace: Where they are.
        client: The connection; None: as `connect` gives it.
        patience: Seconds for which a server that cannot be reached is asked again.
    """

    def __init__(self, namespace: str, client: "ApiClient | None" = None, *, patience: float) -> None:
        from kubernetes.client import CustomObjectsApi

        self.namespace = namespace
        self._patience = patience
        self._api = CustomObjectsApi(client or connect())
        self._server = _address(str(self._api.api_client.configuration.host))

    def create(self, experiment: Document) -> Document:
        """Create an experiment.

        Raises:
            TakenError: There is one of this name; also where an earlier attempt created it and its answer was lost.
            InputError: Katib refuses it.
            SparkhuError: It cannot be created.
        """
        create, name = self._api.create_namespaced_custom_object, experiment["metadata"]["name"]
        place = (*KIND, self.namespace, "experiments")
        return self._asked(
            f"create the experiment '{name}'", lambda: create(*place, experiment, _request_timeout=SECONDS)
        )

    def experiment(self, name: str) -> Document:
        """Read an experiment.

        Raises:
            MissingError: There is none.
            SparkhuError: It cannot be read.
        """
        read, place = self._api.get_namespaced_custom_object, (*KIND, self.namespace, "experiments")
        return self._asked(f"read the experiment '{name}'", lambda: read(*place, name, _request_timeout=SECONDS))

    def edit(self, name: str, spec: Document) -> Document:
        """Change fields of an experiment's specification; None takes a field out.

        Raises:
            InputError: Katib refuses it.
            SparkhuError: It cannot be changed.
        """
        edit, place = self._api.patch_namespaced_custom_object, (*KIND, self.namespace, "experiments")
        body = {"spec": spec}
        return self._asked(f"edit the experiment '{name}'", lambda: edit(*place, name, body, _request_timeout=SECONDS))

    def trials(self, experiment: str) -> list[Document]:
        """Read the trials of an experiment.

        Raises:
            SparkhuError: They cannot be read.
        """
        read, place = self._api.list_namespaced_custom_object, (*KIND, self.namespace, "trials")
        label = f"{OF_EXPERIMENT}={experiment}"
        found = self._asked(
            f"read the trials of '{experiment}'",
            lambda: read(*place, label_selector=label, _request_timeout=SECONDS),
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
                    "same command then goes on with the same experiment."
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
                raise refusal(doing, refused, server=self._server, namespace=self.namespace) from None
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
