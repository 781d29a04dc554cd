"""The bundle of a forecaster: one folder with all that forecasting new data needs, and where it came from.

| file | what |
| --- | --- |
| `bundle.json` | schema version, name, flavour, parameters, sources, code, the model of each group, checksums |
| `models/…/` | one folder a model and group of series (such as `1h/24`), as it saved itself: JSON and safetensors |
| `profile.parquet` | one row a series: period, season, group, input size, horizon |
| `source_profile.parquet` | one row a series: period and season of its data as they came, before resampling |
| `scalers.parquet` | one row a series: scaler, centre, scale |
| `stats.parquet` | one row a series: the quartiles of its training part, and where that ends |
| `choices.parquet` | one row a series: how its missing points are filled, and the value fitted for that |
| `cleaning.parquet` | one row a series: which cleaning steps were kept for it |
| `intervals.parquet` | one row a series, model and step: half-widths of the intervals, in scaled units |

Nothing in it is code or a pickle. `bundle.json` is written last: where it stands, the bundle is whole.
"""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.frame import check_frame
from sparkhu.lineage import file_checksum
from sparkhu.models.base import Models
from sparkhu.models.candidates import NAMES
from sparkhu.models.loading import load_model
from sparkhu.steps.recalling import Preparation, prepare_new
from sparkhu.steps.result import StepResult

MANIFEST = "bundle.json"
SCHEMA_VERSION = 3
TABLES: dict[str, tuple[str, ...]] = {
    "profile": ("unique_id", "group", "season_length", "input_size", "horizon"),
    "source_profile": ("unique_id", "decision", "period_label", "season_length"),
    "scalers": ("unique_id", "center", "scale"),
    "stats": ("unique_id", "fit_q1", "fit_q3", "fit_until"),
    "choices": ("unique_id", "strategy", "fit_value", "fit_available_at"),
    "cleaning": ("unique_id", "kept"),
    "intervals": ("unique_id", "model", "step", "radius_80", "radius_95"),
}


class DamagedBundleError(SparkhuError):
    """Files of a bundle are not those that were written: no library reads them, and none ever will."""


class OutdatedBundleError(InputError):
    """A bundle has an older schema than this library reads, and so than any later one does."""


@dataclass(frozen=True)
class Contents:
    """What a bundle holds.

    Attributes:
        name: The model's name.
        flavor: The forecaster that is asked first, such as `linear`.
        models: The fitted forecasters by name and group: the one that is asked first and those that stand in for it.
        profile: One row a series with `unique_id`, `group` (null: no model serves the series), `season_length`,
            `input_size`, `horizon` and its period.
        source_profile: One row a series of the data as they came, before resampling: the period and season that gaps
            are marked and filled at, as `sparkhu.steps.regularity.detect_regularity` gives it.
        scalers: One row a series with `unique_id`, `center`, `scale`.
        stats: One row a series with `unique_id` and the quartiles of its training part: `fit_q1`, `fit_q3`,
            `fit_until`.
        choices: One row a series: its fill strategy, `unique_id`, `strategy`, `fit_value`, `fit_available_at`.
        cleaning: One row a series: the cleaning steps that were kept for it, `unique_id`, `kept`, as
            `sparkhu.steps.cleaning.choose_variants` gives it.
        intervals: Half-widths of the intervals, one row a series, model and step.
        params: Parameters it was made with, by step: `mark_gaps.zone`, `fill_linear.edge`. JSON values.
        sources: Fingerprints of what it was trained on.
        code: Fingerprint of the library that trained it (`sparkhu.lineage.code_fingerprint`).
    """

    name: str
    flavor: str
    models: Models
    profile: pl.DataFrame
    source_profile: pl.DataFrame
    scalers: pl.DataFrame
    stats: pl.DataFrame
    choices: pl.DataFrame
    cleaning: pl.DataFrame
    intervals: pl.DataFrame
    params: Mapping[str, Any]
    sources: Sequence[Mapping[str, Any]]
    code: str


@dataclass(frozen=True)
class Bundle(Contents):
    """A bundle on disk.

    Attributes:
        folder: Where it lies.
    """

    folder: Path

    @property
    def preparation(self) -> Preparation:
        """How the data that it was trained on were prepared."""
        return Preparation(**self.params)

    def prepare(self, observations: pl.DataFrame) -> StepResult:
        """Prepare new rows as training did its own. Nothing is fitted.

        Args:
            observations: Sorted rows, one an instant.

        Returns:
            `sequences` and `profile`, as `sparkhu.steps.recalling.prepare_new` gives them.

        Raises:
            InputError: A column is missing.
        """
        return prepare_new(
            observations,
            profile=self.profile,
            source_profile=self.source_profile,
            stats=self.stats,
            choices=self.choices,
            cleaning=self.cleaning,
            how=self.preparation,
            model=self.name,
        )


def write_bundle(folder: Path, contents: Contents) -> None:
    """Write a bundle into `folder`, which must exist and hold none.

    Args:
        folder: Where to.
        contents: What it holds; a bundle that was read is written anew as well.

    Raises:
        InputError: A table lacks a column, `flavor` is no model, or a group of the profile has none.
    """
    _check(contents)
    folders = _save_models(folder, contents.models)
    for table in TABLES:
        getattr(contents, table).write_parquet(folder / f"{table}.parquet")
    content = {
        "schema_version": SCHEMA_VERSION,
        "name": contents.name,
        "flavor": contents.flavor,
        "models": folders,
        "params": dict(contents.params),
        "sources": list(contents.sources),
        "code": contents.code,
        "files": _checksums(folder),
    }
    (folder / MANIFEST).write_text(json.dumps(content, indent=1, default=str))


def _check(contents: Contents) -> None:
    for table, columns in TABLES.items():
        check_frame(getattr(contents, table), *columns)
    flavor, models = contents.flavor, contents.models
    if flavor not in models:
        raise InputError(f"flavor must be one of {', '.join(models)}, got '{flavor}'")
    missing = set(contents.profile["group"].drop_nulls()).difference(*models.values())
    if missing:
        raise InputError(f"group '{min(missing)}' of the profile has no model. Give one, seasonal naive at least.")


def of_model(folder: Path, flavor: str, copy: Path) -> None:
    """Copy a bundle into a folder that is not there, with one of its forecasters and those that stand in for it.

    Its rivals are left behind, so that whoever serves it needs nothing that they are made of.

    Args:
        folder: What `write_bundle` wrote.
        flavor: The forecaster, which is asked first in the copy.
        copy: Where to.

    Raises:
        InputError: `flavor` is no model of the bundle.
    """
    content = json.loads((folder / MANIFEST).read_text())
    if flavor not in content["models"]:
        raise InputError(f"flavor must be one of {', '.join(content['models'])}, got '{flavor}'")
    models = {name: places for name, places in content["models"].items() if name in {flavor, *NAMES}}
    places = tuple(f"{place}/" for groups in models.values() for place in groups.values())
    files = {
        file: checksum
        for file, checksum in content["files"].items()
        if not file.startswith("models/") or file.startswith(places)
    }
    copy.mkdir(parents=True)
    for file in files:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / file, copy / file)
    (copy / MANIFEST).write_text(json.dumps({**content, "flavor": flavor, "models": models, "files": files}, indent=1))


def read_bundle(folder: Path) -> Bundle:
    """Open a bundle and verify that its files are those that were written.

    Args:
        folder: What `write_bundle` wrote, or a copy of it.

    Raises:
        InputError: The folder holds no bundle, or one of a schema that this library does not read; an
            `OutdatedBundleError` where that is older.
        DamagedBundleError: A file is missing or has changed.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise InputError(
            f"'{folder}' holds no model bundle ({MANIFEST} is missing). Give the folder of a trained model."
        )
    content = _content(manifest)
    if (schema := content["schema_version"]) != SCHEMA_VERSION:
        refused = OutdatedBundleError if schema < SCHEMA_VERSION else InputError
        raise refused(
            f"'{folder}' has bundle schema {schema}, this version of Sparkhu reads {SCHEMA_VERSION}. Train the model "
            "again."
        )
    _verify(folder, content["files"])
    return Bundle(
        folder=folder,
        name=content["name"],
        flavor=content["flavor"],
        models={
            model: {group: load_model(folder / place) for group, place in places.items()}
            for model, places in content["models"].items()
        },
        **{table: pl.read_parquet(folder / f"{table}.parquet") for table in TABLES},
        params=content["params"],
        sources=content["sources"],
        code=content["code"],
    )


def _content(manifest: Path) -> dict[str, Any]:
    try:
        content = json.loads(manifest.read_text())
    except ValueError as error:
        raise DamagedBundleError(f"'{manifest}' is no JSON: {error}. Take a whole copy of the model.") from error
    if not isinstance(content, dict) or not isinstance(content.get("schema_version"), int):
        raise DamagedBundleError(f"'{manifest}' has no schema version. Take a whole copy of the model.")
    return content


def _verify(folder: Path, files: Mapping[str, str]) -> None:
    """Compare the files of a bundle with their checksums."""
    found = _checksums(folder)
    for file, checksum in files.items():
        if found.get(file) != checksum:
            state = "has changed" if file in found else "is missing"
            raise DamagedBundleError(
                f"'{folder / file}' {state} since the model was saved. Take a whole copy of the model."
            )


def _save_models(folder: Path, models: Models) -> dict[str, dict[str, str]]:
    """Give every model a folder of its own; the number keeps groups apart whose names differ in signs only."""
    places: dict[str, dict[str, str]] = {}
    for model, groups in models.items():
        for number, group in enumerate(sorted(groups)):
            place = f"models/{model}-{number:02d}-{re.sub(r'[^A-Za-z0-9.]+', '_', group)}"
            groups[group].save(folder / place)
            places.setdefault(model, {})[group] = place
    return places


def _checksums(folder: Path) -> dict[str, str]:
    files = [folder / f"{table}.parquet" for table in TABLES] + sorted((folder / "models").rglob("*"))
    return {str(file.relative_to(folder)): file_checksum(file) for file in files if file.is_file()}
