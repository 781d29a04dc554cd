"""The offline store: Feast's point-in-time join in DuckDB, over whole versions of a lake."""

import atexit
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import ibis
import pandas as pd
from feast import FeatureView, RepoConfig
from feast.data_source import DataSource
from feast.infra.offline_stores.duckdb import (
    DuckDBOfflineStore,
    DuckDBOfflineStoreConfig,
    _read_data_source,
    _write_data_source,
)
from feast.infra.offline_stores.ibis import (
    get_historical_features_ibis,
    pull_all_from_table_or_query_ibis,
    pull_latest_from_table_or_query_ibis,
)
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry

from sparkhu.errors import InputError
from sparkhu_features.sources import LakeSource, arrow_dataset, one_version

Reader = Callable[[DataSource, str], ibis.Table]


@atexit.register
def release_connection() -> None:
    """Let go of the connection that ibis keeps for all queries, at the end of the process.

    Feast imports torch where it is installed, and then the interpreter takes its modules apart in an order in which a
    connection that is kept outlives DuckDB, which tells the terminal of it at length.
    """
    ibis.options.default_backend = None


class LakeOfflineStoreConfig(DuckDBOfflineStoreConfig):
    """The part `offline_store` of `feature_store.yaml`.

    Attributes:
        type: Names this store.
        lake: The lake, a folder or `s3://bucket/prefix`; S3's endpoint and sign-in come from the `AWS_*` variables.
        version: Version of the lake that is read; null: the newest.
    """

    type: str = "sparkhu_features.offline.LakeOfflineStore"
    lake: str = ""
    version: int | None = None


class LakeOfflineStore(DuckDBOfflineStore):
    """Feast's DuckDB store, given the files of one version of the lake instead of a pattern of names.

    A pattern would match whatever lies in the folder while a run publishes: files of two versions at once. All tables
    of one look-up are read from the same version.
    """

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
    ) -> RetrievalJob:
        """Look features up as they were known at the moment of each row; see Feast's documentation.

        Raises:
            InputError: The rows are given as SQL, or there is no such lake or table.
        """
        if isinstance(entity_df, str):
            raise InputError("rows to look features up for must be a data frame, got SQL. Run it and give its rows.")
        with one_version():
            return get_historical_features_ibis(
                config=config,
                feature_views=feature_views,
                feature_refs=feature_refs,
                entity_df=entity_df.copy(),  # it is changed there
                registry=registry,
                project=project,
                full_feature_names=full_feature_names,
                filter_by_created_timestamp=filter_by_created_timestamp,
                **_access(config),
            )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """Read the newest row of each entity between two moments, both inclusive; see Feast's documentation."""
        return pull_latest_from_table_or_query_ibis(
            config=config,
            data_source=data_source,
            join_key_columns=join_key_columns,
            feature_name_columns=feature_name_columns,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            start_date=start_date,
            end_date=end_date,
            **_access(config, start_date, end_date),
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Read all rows between two moments, both inclusive; see Feast's documentation."""
        return pull_all_from_table_or_query_ibis(
            config=config,
            data_source=data_source,
            join_key_columns=join_key_columns,
            feature_name_columns=feature_name_columns,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            start_date=start_date,
            end_date=end_date,
            **_access(config, start_date, end_date),
        )

    @staticmethod
    def offline_write_batch(config: RepoConfig, feature_view: FeatureView, table: Any, progress: Any) -> None:
        """Refuse to write: the lake's tables are published by runs, with their lineage.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"'{feature_view.name}' is a table of the lake, which runs publish; Feast cannot write to it. Run "
            "sparkhu run --lake."
        )


def _access(config: RepoConfig, start: datetime | None = None, end: datetime | None = None) -> dict[str, Any]:
    """Give what Feast's functions need to read and write data sources of this store."""
    store = config.offline_store
    return {
        "data_source_reader": partial(_read, store=store, start=start, end=end),
        "data_source_writer": _write_data_source,
        "staging_location": store.staging_location,
        "staging_location_endpoint_override": store.staging_location_endpoint_override,
    }


def _read(
    source: DataSource, repo_path: str, *, store: LakeOfflineStoreConfig, start: datetime | None, end: datetime | None
) -> ibis.Table:
    """Read a source: a table of the lake as one of its versions holds it, others as Feast's DuckDB store does."""
    if not isinstance(source, LakeSource):
        return _read_data_source(source, repo_path)
    table = source.opened(store.lake, store.version)
    if table.time != source.timestamp_field:
        return ibis.memtable(arrow_dataset(table))
    behind = None if end is None else _aware(end) + timedelta(microseconds=1)
    return ibis.memtable(arrow_dataset(table, None if start is None else _aware(start), behind))


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
