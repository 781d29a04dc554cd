"""Materialisation: all views from one version of the lake, into the online store at once."""

from contextlib import nullcontext
from typing import Any, Literal

from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine, LocalComputeEngineConfig
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.utils import _convert_arrow_to_proto

from sparkhu_features.online import WholeSqliteOnlineStore
from sparkhu_features.sources import copies_of_objects, one_version

BATCH_ROWS = 10_000
"""Rows that are turned into Feast's own form at a time, so that memory stays flat."""


class WholeComputeEngineConfig(LocalComputeEngineConfig):
    """The part `batch_engine` of `feature_store.yaml`."""

    type: Literal["sparkhu_features.engine.WholeComputeEngine"] = "sparkhu_features.engine.WholeComputeEngine"


class WholeComputeEngine(LocalComputeEngine):
    """Materialises every view from the same version of the lake, in one transaction of the online store.

    DuckDB finds the newest row of each series; Feast's own engine would pull all rows into memory first. An online
    store of another kind than ours is written view by view, as Feast writes it.
    """

    @property
    def supports_batch(self) -> bool:
        """All views are given in one call."""
        return True

    def materialize(
        self, registry: BaseRegistry, tasks: MaterializationTask | list[MaterializationTask], **kwargs: Any
    ) -> list[LocalMaterializationJob]:
        """Write the newest row of each entity to the online store, for all views or for none."""
        todo = tasks if isinstance(tasks, list) else [tasks]
        ours = isinstance(self.online_store, WholeSqliteOnlineStore)
        with copies_of_objects(), one_version(), self.online_store.whole(self.repo_config) if ours else nullcontext():
            return [self._materialize_one(registry, task, **kwargs) for task in todo]

    def _materialize_one(
        self, registry: BaseRegistry, task: MaterializationTask, **kwargs: Any
    ) -> LocalMaterializationJob:
        view = task.feature_view
        entities = [registry.get_entity(name, task.project) for name in view.entities]
        rows = self.offline_store.pull_latest_from_table_or_query(
            config=self.repo_config,
            data_source=view.batch_source,
            join_key_columns=[entity.join_key for entity in entities],
            feature_name_columns=[feature.name for feature in view.features],
            timestamp_field=view.batch_source.timestamp_field,
            created_timestamp_column=view.batch_source.created_timestamp_column,
            start_date=task.start_time,
            end_date=task.end_time,
        ).to_arrow()
        kinds = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
        size = self.repo_config.materialization_config.online_write_batch_size or BATCH_ROWS
        for batch in rows.to_batches(max_chunksize=size):
            data = _convert_arrow_to_proto(batch, view, kinds)
            self.online_store.online_write_batch(self.repo_config, view, data, None)
        return LocalMaterializationJob(
            job_id=f"{view.name}-{task.start_time}-{task.end_time}", status=MaterializationJobStatus.SUCCEEDED
        )
