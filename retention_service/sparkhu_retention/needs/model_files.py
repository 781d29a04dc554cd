"""Where the files of registered models lie, which plain files or objects may have among them."""

import re
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from sparkhu.registry.store import registry
from sparkhu_retention.needs.places import ANYWHERE

OF_RUN: Final = re.compile(r"runs:/+(?P<run>[^/]+)(?P<rest>/.*)?", re.DOTALL)
OF_LOGGED: Final = re.compile(r"models:/+(?P<model>m-[0-9a-f]{32})(?P<rest>/.*)?", re.DOTALL)
OF_MLFLOW: Final = ("runs", "models")
BEHIND_A_SERVER: Final = ("mlflow-artifacts", "http", "https")
OWN: Final = re.compile(r"(?:^|/)((?:m-)?[0-9a-f]{32}(?:/.*)?)$", re.DOTALL)
"""The id of a run or of a logged model in a path, with what follows: no other place has it."""
GONE: Final = "RESOURCE_DOES_NOT_EXIST"


def places_of_version(name: str, number: str) -> tuple[str, ...]:
    """Find where the files of a version lie: the model's own, and those of the run that made it.

    Args:
        name: Name of the registered model.
        number: The version's.

    Returns:
        Folders of this machine, or URIs; of places that MLflow's server alone knows the way to, what their path ends
        with, behind `ANYWHERE`. What is no longer there is left out.

    Raises:
        SparkhuError: The registry fails.
    """
    with registry() as (client, _):
        version = client.get_model_version(name, number)
        named = [str(version.source or ""), str(client.get_model_version_download_uri(name, number) or "")]
        if version.run_id:
            named.append(f"runs:/{version.run_id}")
        found = [_reached(_resolved(client, each)) for each in named if each]
    return tuple(dict.fromkeys(each for each in found if each))


def _resolved(client: Any, place: str) -> str:
    """Give the place that one within a run or a logged model stands for; empty where that is gone."""
    from mlflow.exceptions import MlflowException

    try:
        if said := OF_RUN.fullmatch(place):
            return f"{client.get_run(said['run']).info.artifact_uri}{said['rest'] or ''}"
        if said := OF_LOGGED.fullmatch(place):
            return f"{client.get_logged_model(said['model']).artifact_location}{said['rest'] or ''}"
    except MlflowException as error:
        if error.error_code != GONE:
            raise
        return ""
    return place


def _reached(place: str) -> str:
    """Write a place as storages are named; empty where no storage can have it."""
    parts = urlsplit(place)
    path = unquote(parts.path)
    if parts.scheme in OF_MLFLOW:
        return ""
    if parts.scheme in BEHIND_A_SERVER:
        own = OWN.search(path.rstrip("/"))
        end = own[1] if own else path.strip("/")
        return f"{ANYWHERE}{end}" if end else ""
    return path if parts.scheme == "file" else place
