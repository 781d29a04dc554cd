"""Register the models of a run from one bundle, now, or later where the registry was away.

A bundle holds every model of its run and says which is asked first. So one bundle and `registration.json` are all that
registering takes: the names, the metrics, and what the models were compared on. What is registered is written down as
it is done, so that a registration that broke off goes on where it stopped.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from math import inf, nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparkhu.errors import InputError, SparkhuError
from sparkhu.evaluation.gate import Gate
from sparkhu.folder_locks import held
from sparkhu.models.bundle import of_model
from sparkhu.registry.comparing import Candidate, Comparison
from sparkhu.registry.promotion import Decision, Incumbent, Reach, promote
from sparkhu.registry.versions import ModelVersion, log_model
from sparkhu.results import REGISTRATION, UNREGISTERED

SCHEMA_VERSION = 2


@dataclass
class Registration:
    """What is to be registered, and what has been.

    Attributes:
        name: Name of the registered model.
        models: Metrics of each of the run's models, the best first.
        params: Parameters of the run.
        gate: What they were compared on.
        reach: Up to when they know a table that outlives runs, as the text of a tag; null: they read none.
        versions: Number and run of each model that has been registered.
        registered_at: When all were, and the champion was decided on; null: not yet.
    """

    name: str
    models: dict[str, dict[str, float]]
    params: dict[str, Any]
    gate: dict[str, Any]
    reach: str | None = None
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    registered_at: str | None = None

    def write(self, folder: Path) -> None:
        """Write `registration.json` beside the bundle."""
        draft = folder / f".{REGISTRATION}"
        content = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        draft.write_text(json.dumps(content, indent=1, default=str), encoding="utf-8")
        draft.replace(folder / REGISTRATION)

    @classmethod
    def read(cls, folder: Path) -> "Registration":
        """Read what `write` wrote.

        Raises:
            SparkhuError: It is damaged, or another version of Sparkhu wrote it.
        """
        try:
            content = json.loads((folder / REGISTRATION).read_text(encoding="utf-8"))
            if content.pop("schema_version") == SCHEMA_VERSION:
                return cls(**content)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise SparkhuError(f"'{folder / REGISTRATION}' cannot be read: {error}. Run again.") from error
        raise SparkhuError(f"'{folder / REGISTRATION}' is of another version of Sparkhu. Register with that version.")


def register_bundle(folder: Path, registration: Registration) -> Decision:
    """Log every model of a run as a version, and decide which version is champion.

    Args:
        folder: The bundle of the run; `registration.json` beside it is kept up with what has been done.
        registration: What is to be registered; `versions` is filled in.

    Returns:
        The decision; the run's models were compared with the champion that reigned when they were evaluated.

    Raises:
        InputError: The models were compared with the champion of another name.
        RegistryAwayError: The registry cannot be used.
    """
    gate = Gate.of(registration.gate)
    if gate.model_name not in {"", registration.name}:
        raise InputError(
            f"model_name must be '{gate.model_name}', whose champion these models were compared with, got "
            f"'{registration.name}'. Evaluate and promote under one name."
        )
    registration.write(folder)
    with TemporaryDirectory() as scratch:
        for model, metrics in registration.models.items():
            if model in registration.versions:
                continue
            copy = Path(scratch) / model
            of_model(folder, model, copy)
            version = log_model(copy, name=registration.name, metrics=metrics, params=registration.params)
            registration.versions[model] = {"version": version.version, "run_id": version.run_id}
            registration.write(folder)
    decision = _decide(registration, gate)
    registration.registered_at = datetime.now(UTC).isoformat(timespec="seconds")
    registration.write(folder)
    return decision


def _decide(registration: Registration, gate: Gate) -> Decision:
    """Compare the registered versions; of equals, or where nothing could be scored, the one that evaluation chose."""
    ranked = sorted(registration.models, key=lambda model: model != gate.champion)
    versions = {model: ModelVersion(registration.name, **registration.versions[model]) for model in ranked}
    stood = gate.reigning
    return promote(
        registration.name,
        [Candidate(versions[model], gate.scores.get(model, inf)) for model in ranked],
        Comparison(
            gate.metric,
            minimum_improvement=gate.min_improvement,
            window=gate.window,
            yardstick=nan if stood.yardstick is None else stood.yardstick,
        ),
        reach=None if registration.reach is None else Reach.of(registration.reach),
        incumbent=Incumbent(stood.version, stood.score, stood.told, stood.gives_way, stood.challenger),
        evidence={"models": {versions[model].version: model for model in ranked}, **_compared(gate)},
    )


def _compared(gate: Gate) -> Mapping[str, Any]:
    names = ("series", "windows", "points", "ratio", "test_ratio")
    return {name: getattr(gate, name) for name in names} | {"champion_before": asdict(gate.reigning)}


def register_later(results: Path) -> Decision:
    """Register what a run kept because the registry was away.

    Args:
        results: Folder of the results of the run, or of the bundle that it kept.

    Returns:
        The decision.

    Raises:
        InputError: The folder keeps nothing that waits for being registered, or another process is registering it.
        RegistryAwayError: The registry is still away; what has been done by then is not done again.
    """
    folder = next((each for each in (results / UNREGISTERED, results) if (each / REGISTRATION).is_file()), None)
    if folder is None:
        raise InputError(
            f"'{results}' keeps nothing to be registered: there is no {UNREGISTERED}/{REGISTRATION}. A run that "
            "reaches the registry registers its models itself; sparkhu models lists them."
        )
    with held(folder, f"another process is registering the models of '{folder}'. Wait for it."):
        registration = Registration.read(folder)
        if registration.registered_at is not None:
            numbers = ", ".join(each["version"] for each in registration.versions.values())
            raise InputError(
                f"'{results}' was registered at {registration.registered_at} as versions {numbers} of "
                f"'{registration.name}'. sparkhu models {registration.name} lists them."
            )
        return register_bundle(folder, registration)
