"""Log a trained bundle as a run and a registered model version, and load a registered one again."""

import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from sparkhu.errors import InputError
from sparkhu.models.bundle import MANIFEST, Bundle, DamagedBundleError, read_bundle
from sparkhu.registry.store import is_empty, registry

CHAMPION = "champion"
GREW_OUT_OF = "sparkhu.grew_out_of"
"""Tag of a version that learnt: the number of the one before it."""
LOADER = "sparkhu.models.serving"
MOST_PARAMS = 100  # that MLflow takes at once


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model: its name, its number, the run that made it."""

    name: str
    version: str
    run_id: str

    @property
    def uri(self) -> str:
        """How MLflow addresses it, such as `models:/sparkhu/3`."""
        return f"models:/{self.name}/{self.version}"


def check_name(name: str) -> None:
    """Check that a model can be registered, and addressed as `models:/NAME@champion`, under this name.

    Raises:
        InputError: It is empty or holds a character of the address.
    """
    if not name.strip() or set(name) & set("/:@"):
        raise InputError(f"model name must be a word without '/', ':' or '@', got '{name}'")


def log_model(
    folder: Path,
    *,
    name: str,
    metrics: Mapping[str, float],
    params: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    parents: Sequence[str] = (),
) -> ModelVersion:
    """Log one run (parameters, metrics, fingerprints of inputs and code) and register its model.

    The artifact holds the bundle as it is, and no pickle: MLflow loads it through `sparkhu.models.serving`.

    Args:
        folder: The bundle (`sparkhu.models.bundle.write_bundle`); its flavour, sources and code go into the run.
        name: Name of the registered model, made where there is none.
        metrics: Scores by name; those that are not finite are left out.
        params: Parameters of the run, beside those of the bundle.
        tags: Further tags of the run and of the version.
        parents: Ids of the runs that it stands on.

    Returns:
        The new version.

    Raises:
        InputError: `name` cannot name a model, or `folder` holds no bundle that can be read.
        SparkhuError: The registry cannot be used.
    """
    check_name(name)
    bundle = read_bundle(folder)
    facts = {**_facts(bundle, parents), **(tags or {})}
    with registry() as (client, experiment), _run(client, experiment, f"{name} {bundle.flavor}", facts) as run:
        logged = client.create_logged_model(
            experiment, name=bundle.flavor, source_run_id=run, tags=facts, model_type="forecaster"
        )
        _log_values(client, run, logged.model_id, metrics, {**bundle.params, **(params or {})})
        _log_lineage(client, run, logged.model_id, bundle)
        with tempfile.TemporaryDirectory() as scratch:
            _save(bundle, Path(scratch) / "model", logged.model_id)
            client.log_model_artifacts(logged.model_id, str(Path(scratch) / "model"))
        client.finalize_logged_model(logged.model_id, "READY")
        return _register(client, name, logged, run, facts)


def load_champion(name: str, folder: Path, *, alias: str = CHAMPION) -> tuple[Bundle, ModelVersion]:
    """Bring the version that an alias of a registered model points to into a folder.

    Args:
        name: Name of the registered model.
        folder: Where to put its files; made if it is not there.
        alias: The alias.

    Returns:
        The bundle, verified, and the version it is of.

    Raises:
        InputError: There is no such model or alias, or its bundle has a schema that this library does not read.
        RegistryAwayError: The registry cannot be used.
        DamagedBundleError: A file of the model is damaged.
    """
    check_name(name)
    with registry() as (client, _):
        from mlflow.artifacts import download_artifacts

        uri = client.tracking_uri
        found = version_by_alias(client, name, alias)
        if found is None:
            raise InputError(
                f"model '{name}' has no version under the alias '{alias}' in the registry at '{uri}'. "
                f"Train one first (sparkhu run), or name another model."
            )
        _check_here(str(found.source))
        folder.mkdir(parents=True, exist_ok=True)
        place = Path(download_artifacts(artifact_uri=found.source, dst_path=str(folder), tracking_uri=uri))
        data = _data_of(place)
    return read_bundle(data), ModelVersion(name, str(found.version), found.run_id)


def _check_here(source: str) -> None:
    """Check that a folder of a file system is there; where it is not, MLflow would say that no such artifact exists."""
    parts = urlparse(source)
    if parts.scheme in {"", "file"} and not Path(unquote(parts.path)).exists():
        raise FileNotFoundError(f"'{source}' is not on this machine")


def _data_of(place: Path) -> Path:
    """Find the bundle in what MLflow keeps of a version."""
    import yaml
    from mlflow.models import Model

    try:
        data = place / str(Model.load(str(place)).flavors["python_function"]["data"])
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBundleError(f"'{place / 'MLmodel'}' describes no model of Sparkhu: {error}") from error
    if not (data / MANIFEST).is_file():
        raise DamagedBundleError(f"'{data / MANIFEST}' is missing. Register the model again.")
    return data


def champion_of(name: str) -> ModelVersion | None:
    """Find the champion of a registered model; None where model or champion do not exist.

    Raises:
        InputError: `name` cannot name a model.
        RegistryAwayError: The registry cannot be used.
    """
    check_name(name)
    if is_empty():
        return None
    with registry() as (client, _):
        found = version_by_alias(client, name, CHAMPION)
        return None if found is None else ModelVersion(name, str(found.version), found.run_id)


def version_by_alias(client: Any, name: str, alias: str) -> Any | None:
    """Find MLflow's record of the version that an alias points to; None where model or alias do not exist."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        if error.error_code in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
            return None
        raise


def registered_models(client: Any) -> list[Any]:
    """Give MLflow's records of all registered models, page after page."""
    return list(_pages(client.search_registered_models))


def versions_of(client: Any, name: str) -> list[Any]:
    """Give MLflow's records of all versions of a model, page after page."""
    return list(_pages(partial(client.search_model_versions, f"name='{name}'")))


def _pages(search: Callable[..., Any]) -> Iterator[Any]:
    found = search()
    yield from found
    while found.token:
        found = search(page_token=found.token)
        yield from found


@contextmanager
def _run(client: Any, experiment: str, name: str, tags: Mapping[str, str]) -> Iterator[str]:
    run = client.create_run(experiment, run_name=name, tags=dict(tags)).info.run_id
    try:
        yield run
    except BaseException:
        client.set_terminated(run, status="FAILED")
        raise
    client.set_terminated(run)


def _facts(bundle: Bundle, parents: Sequence[str]) -> dict[str, str]:
    sources = json.dumps(bundle.sources, sort_keys=True, default=str)
    return {
        "sparkhu.flavor": bundle.flavor,
        "sparkhu.code": bundle.code,
        "sparkhu.sources": hashlib.sha256(sources.encode()).hexdigest(),
        "sparkhu.parents": ",".join(parents),
    }


def _log_values(client: Any, run: str, model_id: str, metrics: Mapping[str, float], params: Mapping[str, Any]) -> None:
    from mlflow.entities import Metric, Param

    now = int(time.time() * 1000)
    finite = [Metric(key, value, now, 0, model_id=model_id) for key, value in metrics.items() if isfinite(value)]
    client.log_batch(run, metrics=finite)
    named = [Param(key, str(value)) for key, value in params.items()]
    for first in range(0, len(named), MOST_PARAMS):
        client.log_batch(run, params=named[first : first + MOST_PARAMS])


def _log_lineage(client: Any, run: str, model_id: str, bundle: Bundle) -> None:
    """Show the sources as the run's datasets, and keep their full fingerprints in `lineage.json`."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput

    training = [InputTag("mlflow.data.context", "training")]
    inputs = []
    for source in bundle.sources:
        text = json.dumps(source, sort_keys=True, default=str)
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]  # MLflow keeps no more than 36 characters
        inputs.append(DatasetInput(Dataset(str(source.get("uri", digest))[:500], digest, "sparkhu", text), training))
    client.log_inputs(run, datasets=inputs)
    client.log_outputs(run, [LoggedModelOutput(model_id, 0)])
    lineage = {"sources": list(bundle.sources), "code": bundle.code, "params": dict(bundle.params)}
    client.log_dict(run, json.loads(json.dumps(lineage, default=str)), "lineage.json")


def _save(bundle: Bundle, place: Path, model_id: str) -> None:
    """Write the bundle as an MLflow model; requirements and signature are given, so that MLflow infers nothing."""
    with warnings.catch_warnings():
        # MLflow warns of its own type hints, and asks for an example: one forecast more to make and to keep.
        warnings.filterwarnings("ignore", message=".*(type hint is inferred|input example was not provided)")
        import mlflow.pyfunc
        from mlflow.models import Model

        mlflow.pyfunc.save_model(
            str(place),
            loader_module=LOADER,
            data_path=str(bundle.folder),
            mlflow_model=Model(model_id=model_id),
            signature=_signature(),
            pip_requirements=["sparkhu"],
            metadata={"flavor": bundle.flavor, "code": bundle.code},
        )


def _signature() -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    def columns(kind: str, *names: str) -> list[Any]:
        return [ColSpec(kind, name) for name in names]

    # MLflow's `datetime` refuses times with a zone; `any` lets them pass, and Sparkhu reads both.
    observed = [ColSpec("string", "unique_id"), ColSpec(AnyType(), "ds"), ColSpec("double", "y", required=False)]
    forecasts = [
        *columns("string", "unique_id"),
        *columns("datetime", "cutoff", "ds"),
        *columns("string", "model"),
        *columns("double", "y_hat", "lo_80", "hi_80", "lo_95", "hi_95"),
        *columns("datetime", "available_at"),
    ]
    return ModelSignature(Schema(observed), Schema(forecasts))


def _register(client: Any, name: str, logged: Any, run: str, tags: Mapping[str, str]) -> ModelVersion:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    made = client.create_model_version(
        name, logged.artifact_location, run, tags=dict(tags), model_id=logged.model_id, await_creation_for=0
    )
    return ModelVersion(name, str(made.version), run)
