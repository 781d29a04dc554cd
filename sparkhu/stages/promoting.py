"""Register the trained models, and make the best one the champion unless one stands that knows newer data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.errors import RegistryAwayError
from sparkhu.evaluation.gate import Gate
from sparkhu.execution import StepNotes, metadata, recorded
from sparkhu.lineage import Trail, code_fingerprint, read_trail
from sparkhu.models.base import Models
from sparkhu.models.bundle import Contents, write_bundle
from sparkhu.models.candidates import LINEAR, candidates
from sparkhu.registry import Decision, Reach
from sparkhu.registry.card import model_card
from sparkhu.registry.registering import Registration, register_bundle
from sparkhu.results import REGISTRATION
from sparkhu.shards import open_dataset
from sparkhu.stages.evaluating import DOCUMENT, GATE
from sparkhu.stages.training import load_further, load_models
from sparkhu.training.arrived import with_known

UNREGISTERED = "unregistered models"
"""Count of the step's record: models that wait for a registry that was away."""
PREPARATION = {
    "zone": ("detect_regularity", "zone"),
    "outlier_width": ("flag_outliers_regular", "width"),
    "outlier_action": ("flag_outliers_regular", "action"),
    "max_outlier_share": ("flag_outliers_regular", "max_share"),
    "fill_edge": ("fill_linear", "edge"),
    "max_gap_points": ("fill_linear", "max_gap_points"),
    "fill_window": ("fill_moving_average", "window"),
    "resample_to": ("resample", "to"),
    "resample_how": ("resample", "how"),
    "resample_up": ("resample", "up"),
    "resample_edges": ("resample", "edges"),
    "stride": ("index_windows", "stride"),
}
"""What preparing new data must know, and the step that it was a parameter of."""


@dataclass(frozen=True)
class RunFolders:
    """What the steps of a run wrote that its bundle is made of, a folder each.

    Attributes:
        evaluation: What `evaluate_models` wrote.
        plan: One row a series: its group, sizes, and borders of the split.
        windows: Index of the windows that the models were fitted on.
        profile: One row a series: period and season of its data as they came, before resampling.
        scalers: One scaler a series.
        stats: Statistics with the quartiles of the training part.
        choices: How each series' missing points are filled.
        cleaning: Which cleaning steps were kept for each series.
        models: The trained models by name.
        further: What `train_models` wrote; None: no more models.
    """

    evaluation: Path | str
    plan: Path | str
    windows: Path | str
    profile: Path | str
    scalers: Path | str
    stats: Path | str
    choices: Path | str
    cleaning: Path | str
    models: Mapping[str, Path | str]
    further: Path | str | None = None

    @property
    def all(self) -> list[Path]:
        """All of them."""
        tables = (self.evaluation, self.plan, self.windows, self.profile, self.scalers, self.stats, self.choices)
        found = [*tables, self.cleaning, *self.models.values(), *([self.further] if self.further else [])]
        return [Path(folder) for folder in found]


def promote_champion(run: RunFolders, *, model_name: str, out: Path | str, card: Path | str) -> dict[str, Any]:
    """Register every model as a version in MLflow and put the alias `champion` on the best one on validation.

    The champion that reigns keeps its place where it did as well on the same windows. Where the registry is away, the
    bundle is kept with all that registering takes (`sparkhu.registry.registering`), and the run goes on.

    Args:
        run: What the steps of the run wrote.
        model_name: Name of the model in the registry.
        out: Folder of the bundle of the run's best model, to be written; the champion stays another where that knows
            newer data (`sparkhu.registry.promote`).
        card: Markdown file of its model card, to be written.

    Returns:
        What happened, for the artifact's metadata.
    """
    trail = read_trail(run.all)
    metrics = json.loads((Path(run.evaluation) / DOCUMENT).read_text())
    gate = Gate.of(json.loads((Path(run.evaluation) / GATE).read_text()))
    planned = open_dataset(run.plan).scan().collect()
    known = reach(trail, planned["test_end"].max())
    more = load_further(run.further) if run.further else {}
    with recorded("promote", inputs=run.all, outputs=[out], params={"model_name": model_name}) as (notes, (draft,)):
        models = candidates(planned, load_models(run.models[LINEAR]), more)
        write_bundle(draft, _contents(run, planned, models, name=model_name, flavor=gate.champion, trail=trail))
        registration = Registration(
            name=model_name,
            models={name: _defined(metrics[name]) for name in (*run.models, *more)},
            params=run_parameters(trail),
            gate=gate.document(),
            reach=None if known is None else known.tag,
        )
        decision = _registered(draft, registration, notes)
        notes.series_in = planned.height
        Path(card).write_text(model_card(model_name, gate, decision, metrics, trail))
    best, champion = ("", "") if decision is None else (decision.best, decision.champion)
    return {**metadata(out), "model": gate.champion, "version": best, "champion": champion}


def _contents(
    run: RunFolders, planned: pl.DataFrame, models: Models, *, name: str, flavor: str, trail: Trail
) -> Contents:
    """Give the contents of the bundle, with the tables that hold less than what their steps wrote."""
    profile = open_dataset(run.profile).scan().collect()
    own = planned.select("unique_id")
    return Contents(
        name=name,
        flavor=flavor,
        models=models,
        profile=with_known(planned, open_dataset(run.windows).scan()),
        source_profile=profile.join(own, on="unique_id", how="semi", maintain_order="left"),
        scalers=open_dataset(run.scalers).scan().collect(),
        stats=open_dataset(run.stats).scan().collect().select("unique_id", "^fit_.*$"),
        choices=open_dataset(run.choices).scan().collect(),
        cleaning=open_dataset(run.cleaning).scan().collect().select("unique_id", "kept"),
        intervals=open_dataset(run.evaluation).scan().collect(),
        params=preparation(trail),
        sources=run_sources(trail),
        code=code_fingerprint(),
    )


def _registered(bundle: Path, registration: Registration, notes: StepNotes) -> Decision | None:
    """Register the models; None: the registry is away, and the bundle keeps what registering them takes."""
    name, model = registration.name, registration.gate["champion"]
    try:
        decision = register_bundle(bundle, registration)
    except RegistryAwayError as error:
        notes.counts[UNREGISTERED] = len(registration.models)
        notes.say(f"the models of '{name}' are not registered yet: {error}")
        return None
    (bundle / REGISTRATION).unlink()
    kind = f", {model}" if decision.champion == decision.best else ""
    notes.say(f"champion of '{name}' is version {decision.champion}{kind}: {decision.reason}")
    return decision


def reach(trail: Trail, until: object) -> Reach | None:
    """Say that models know the table that a run read until an instant; null: it read no table that outlives it."""
    read = next((source for source in run_sources(trail) if "table" in source), None)
    if read is None or not isinstance(until, datetime):
        return None
    return Reach(f"{read['uri']} {read['table']}", until)


def preparation(trail: Trail) -> dict[str, Any]:
    """Give the parameters by which new data are prepared as the training data were."""
    params = {record.step: record.params for record in trail.history}
    return {name: params[step][param] for name, (step, param) in PREPARATION.items()}


def run_parameters(trail: Trail) -> dict[str, Any]:
    """Give the parameters of all steps of a run, each under the name of its step, such as `mark_gaps.start`."""
    return {f"{record.step}.{name}": value for record in trail.history for name, value in record.params.items()}


def run_sources(trail: Trail) -> list[dict[str, Any]]:
    """Give the fingerprints of what a run read from outside."""
    return [source for record in trail.history for source in record.sources]


def _defined(scores: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(score) for name, score in scores.items() if score is not None}
