"""Where runs and models are registered: an MLflow server, or SQLite and a folder on this machine."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sparkhu.errors import RegistryAwayError, SparkhuError
from sparkhu.settings import Settings
from sparkhu.sources.secrets import redacted

EXPERIMENT = "sparkhu"

# Read by MLflow when it is imported or used. What a user has set himself stands.
MLFLOW_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # Else `uv.lock` and `pyproject.toml` of the working directory would be copied into every model.
    "MLFLOW_UV_AUTO_DETECT": "false",
    # Else a server is asked once more for every run that ends, to print where it is seen; a study has many runs.
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # Else a server that is away is asked eight times, for four minutes where it refuses; what it lacks is kept on disk.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
}


def tracking_uri() -> str:
    """Name the MLflow store in use: `SPARKHU_TRACKING_URI`, else `mlflow.db` in Sparkhu's home folder.

    Example:
        >>> import mlflow                                                  # doctest: +SKIP
        >>> mlflow.set_tracking_uri(tracking_uri())                        # doctest: +SKIP
        >>> model = mlflow.pyfunc.load_model("models:/sparkhu@champion")   # doctest: +SKIP
    """
    settings = Settings()
    return settings.tracking_uri or f"sqlite:///{settings.home.absolute() / 'mlflow.db'}"


def is_empty() -> bool:
    """Say whether nothing can have been registered yet: there is no server, and no store on this machine."""
    settings = Settings()
    return settings.tracking_uri is None and not (settings.home.absolute() / "mlflow.db").exists()


@contextmanager
def registry() -> Iterator[tuple[Any, str]]:
    """Open the store, making it where there is none; a failure of MLflow in the block becomes a `RegistryAwayError`.

    Importing MLflow takes three to five seconds and a new SQLite store one more, so this is called only by what
    logs or loads a model.

    Yields:
        MLflow's client and the id of the experiment that holds Sparkhu's runs.

    Raises:
        RegistryAwayError: The store cannot be used.
        SparkhuError: MLflow is not installed.
    """
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)  # it tells of every new store
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise SparkhuError(f"the registry needs MLflow ({error}). Run: pip install 'sparkhu[registry]'") from error
    uri = tracking_uri()
    try:
        with alone():
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            experiment = _experiment(client)
        yield client, experiment
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryAwayError(f"the model registry at '{redacted(uri)}' failed: {error}") from error


@contextmanager
def alone() -> Iterator[None]:
    """Let one process at a time use the store of this machine; a server of `SPARKHU_TRACKING_URI` is not locked.

    Two that migrate a new SQLite file at once break it, and two that read an alias and then set it overtake each other.
    """
    settings = Settings()
    if settings.tracking_uri is not None:
        yield
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    with (settings.home / ".mlflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _experiment(client: Any) -> str:
    from mlflow.exceptions import MlflowException

    settings = Settings()
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        local = None if settings.tracking_uri else (settings.home.absolute() / "mlflow-artifacts").as_uri()
        try:
            return str(client.create_experiment(EXPERIMENT, artifact_location=local))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(EXPERIMENT)
    return str(found.experiment_id)
