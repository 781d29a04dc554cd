"""MLflow with a run and two versions, as the contract asks it: filled and read by MLflow's own client."""

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import polars as pl
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sparkhu_retention.storages.mlflow import Tracking
from sparkhu_retention.storages.protocol import RetainedStorage
from tests.retention_service.storages.cases import OUTSIDE

LARGEST = 1e300
"""What is larger is infinite: MLflow keeps that as the largest number there is."""


class TrackingCase:
    """A run of MLflow that stands alone, a version of a model, another with files in folders."""

    def __init__(self, folder: Path, uri: str = "") -> None:
        from mlflow import MlflowClient

        self.uri = uri or f"sqlite:///{folder / 'mlflow.db'}"
        self.client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.experiment = self.client.create_experiment("trials", artifact_location=(folder / "artifacts").as_uri())
        self.run = self.made_run("alone")
        self.client.create_registered_model("demo")
        self.ids = [f"runs/{self.experiment}/{self.run}", *(self.made_version(folder) for _ in range(2))]

    def made_run(self, name: str) -> str:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        run = self.client.create_run(self.experiment, run_name=name, tags={"kind": "trial"}).info.run_id
        self.client.log_param(run, "width", 3)
        for step, value in enumerate((1.5, math.inf, 2.5)):
            self.client.log_metric(run, "mae", value, step=step)
        self.client.log_text(run, name, "notes/größe.txt")
        self.client.log_inputs(run, [DatasetInput(Dataset("sales", "0", "local", "{}"), [InputTag("of", "training")])])
        self.own = self.client.create_logged_model(self.experiment, name="tree", source_run_id=run).model_id
        self.client.log_metric(run, "r2", 0.5, model_id=self.own)
        self.client.set_terminated(run)
        return str(run)

    def made_version(self, folder: Path) -> str:
        logged = self.client.create_logged_model(self.experiment, name="linear", tags={"a": "b"}, params={"p": "1"})
        model = folder / "model"
        model.mkdir(exist_ok=True)
        (model / "MLmodel").write_text(f"flavors: {logged.model_id}")
        self.client.log_model_artifacts(logged.model_id, str(model))
        self.client.finalize_logged_model(logged.model_id, "READY")
        source = logged.artifact_location
        run = self.client.create_run(self.experiment).info.run_id
        self.client.log_metric(run, "r2", 0.25, model_id=logged.model_id)
        made = self.client.create_model_version("demo", source, run, tags={"t": "1"}, model_id=logged.model_id)
        self.client.delete_run(run)  # which makes it no item
        return f"versions/demo/{made.version}"

    def source(self, item: str) -> str:
        """Give the URI of the files of a version, buried or not."""
        _, name, number = item.split("/")
        with create_engine(self.uri, poolclass=NullPool).connect() as connection:
            asked = text("SELECT storage_location FROM model_versions WHERE name = :name AND version = :number")
            return str(connection.execute(asked, {"name": name, "number": int(number)}).scalar_one())

    def opened(self) -> RetainedStorage:
        return Tracking(self.uri)

    def read(self, item: str) -> object | None:
        from mlflow.exceptions import MlflowException

        what, owner, name = item.split("/")
        if what == "versions":
            try:
                version = self.client.get_model_version(owner, name)
            except MlflowException:
                return None
            assert version.source is not None
            model = self.client.get_logged_model(version.source.split("/")[-2])
            return version.tags, model.tags, model.params, _measured(model.metrics), files_in(version.source)
        found = {run.info.run_id: run for run in self.client.search_runs([owner])}
        if name not in found:
            return None
        data, place = found[name].data, found[name].info.artifact_uri
        history = [(each.step, each.value) for each in self.client.get_metric_history(name, "mae")]
        of_model = _measured(self.client.get_logged_model(self.own).metrics)
        given = {tag.key: tag.value for each in found[name].inputs.dataset_inputs for tag in each.tags}
        return data.params, _finite(history), data.tags, of_model, given, files_in(place)

    def restored(self, item: str, files: list[Path]) -> object:
        rows = {path.stem: pl.read_parquet(path) for path in files if path.parent.name == "rows"}
        marker = f"{item}/artifacts/"
        kept = {path.as_posix().partition(marker)[2]: path.read_bytes() for path in files if marker in path.as_posix()}
        of_model = sorted(rows["logged_model_metrics"].select("metric_name", "metric_value").rows())
        if item.startswith("versions"):
            pairs = [
                dict(rows[name].select(keys).iter_rows())
                for name, keys in (
                    ("model_version_tags", ["key", "value"]),
                    ("logged_model_tags", ["tag_key", "tag_value"]),
                    ("logged_model_params", ["param_key", "param_value"]),
                )
            ]
            return *pairs, of_model, kept
        history = _finite(rows["metrics"].filter(pl.col("key") == "mae").select("step", "value").rows())
        params, tags = (dict(rows[name].select("key", "value").iter_rows()) for name in ("params", "tags"))
        return params, history, tags, of_model, dict(rows["input_tags"].select("name", "value").iter_rows()), kept

    def change(self, item: str) -> None:
        from mlflow.exceptions import MlflowException

        what, owner, name = item.split("/")
        with suppress(MlflowException):
            if what == "versions":
                self.client.set_model_version_tag(owner, name, "note", "looked at")
            else:
                self.client.set_tag(name, "note", "looked at")

    def outside(self) -> list[str]:
        return [*OUTSIDE, "runs/x/y", "versions/demo/0", f"runs/{self.experiment}/{self.run}/notes", "experiments/1"]


def _measured(metrics: Sequence[Any] | None) -> list[tuple[str, float]]:
    return sorted((each.key, each.value) for each in metrics or ())


def _finite(history: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    return sorted((step, min(value, LARGEST)) for step, value in history)


def files_in(place: str) -> dict[str, bytes]:
    """Read the files of a folder that MLflow names."""
    folder = Path(unquote(urlparse(place).path))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
