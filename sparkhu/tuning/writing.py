"""What a study leaves in its folder: the finished experiment and the table of its trials."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sparkhu.tuning.reading import space_of, strategies_of
from sparkhu.tuning.result import Result
from sparkhu.tuning.tables import trials_table

if TYPE_CHECKING:
    from kubeflow_katib_api.models import V1beta1Experiment

EXPERIMENT: Final = "experiment.yaml"
TRIALS: Final = "trials.parquet"


def write_result(result: Result, folder: Path) -> None:
    """Write the finished experiment and the table of its trials; each file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    table = trials_table(result.trials, space_of(result.experiment), strategies_of(result.experiment))
    _write_whole(folder / TRIALS, table.write_parquet)
    text = experiment_yaml(result.experiment)
    _write_whole(folder / EXPERIMENT, lambda draft: draft.write_text(text, "utf-8"))


def experiment_yaml(experiment: "V1beta1Experiment") -> str:
    """Write an experiment as YAML that Kubernetes reads, times as it writes them."""
    import yaml

    return yaml.safe_dump(_plain(experiment.to_dict()), sort_keys=False, allow_unicode=True, width=110)


def _plain(document: Any) -> Any:
    if isinstance(document, dict):
        return {name: _plain(value) for name, value in document.items()}
    if isinstance(document, list):
        return [_plain(value) for value in document]
    if isinstance(document, datetime):
        return f"{document.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return document


def _write_whole(place: Path, write: Callable[[Path], object]) -> None:
    draft = place.with_name(f".{place.name}.{uuid.uuid4().hex[:8]}")
    try:
        write(draft)
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
