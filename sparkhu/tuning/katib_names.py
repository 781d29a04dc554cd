"""Names of experiments that are made from a declaration: an equal one is followed, one that failed is made anew."""

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from sparkhu.clusters.refusals import MissingError
from sparkhu.tuning.katib_api import KatibApi

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

LONGEST: Final = 28
"""Letters of what is given, so that the whole is no longer than the 40 that Katib allows."""
PATIENCE: Final = 300.0


def free_name(base: str, experiment: "V1beta1Experiment", *, namespace: str) -> str:
    """Find a name under which an experiment of this very specification can be created, or is there and did not fail.

    Args:
        base: What the name begins with.
        experiment: The experiment; its name does not count.
        namespace: Where it is to run.

    Raises:
        InputError: No cluster can be reached from here.
        SparkhuError: The cluster refuses, or does not answer.
    """
    text = json.dumps(experiment.to_dict()["spec"], sort_keys=True)
    plain = f"{base[:LONGEST].strip('-')}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    api, name, attempt = KatibApi(namespace, patience=PATIENCE), plain, 1
    while _failed(api, name):
        attempt += 1
        name = f"{plain}-{attempt}"
    return name


def _failed(api: KatibApi, name: str) -> bool:
    try:
        document: dict[str, Any] = api.experiment(name)
    except MissingError:
        return False
    conditions = document.get("status", {}).get("conditions", [])
    return any(each.get("type") == "Failed" and each.get("status") == "True" for each in conditions)
