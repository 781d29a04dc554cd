"""The feature store in two verbs: bring it up to date with a lake, and look features up as of moments.

Feast takes seconds to import, so it is imported where it is used.
"""

import io
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from sparkhu.errors import InputError, SparkhuError
from sparkhu.frame import TIME
from sparkhu.lake import open_lake

if TYPE_CHECKING:
    from feast import FeatureStore, RepoConfig

PROJECT = "sparkhu"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
REGISTRY = {"registry_store_type": "sparkhu_features.registry.WholeFileRegistryStore", "path": "registry.db"}
ONLINE = {"type": "sparkhu_features.online.WholeSqliteOnlineStore", "path": "online.db"}
_bringing_online = threading.Lock()

ROW, EVENT = "__row", "event_timestamp"


def open_store(lake: str, *, state: Path | str | None = None, repo: Path | str = "") -> "FeatureStore":
    """Open the feature store of a lake, as `feature_repo/feature_store.yaml` describes it.

    Args:
        lake: A folder or `s3://bucket/prefix`.
        state: Folder of the registry and the online rows; null: `features` below Sparkhu's home.
        repo: A `feature_store.yaml` that says it all but the lake, such as the one of a cluster; empty: none.

    Raises:
        InputError: There is no such file.

    Example:
        >>> open_store("lake").get_online_features(["series_state:last_value"], [{"unique_id": "meter-1"}])
    """
    from feast import FeatureStore

    if repo:
        return FeatureStore(config=_read_config(Path(repo), lake))
    folder = {} if state is None else {"folder": Path(state).absolute()}
    registry, online = ({**part, **_placed(part["path"], **folder)} for part in (REGISTRY, ONLINE))
    return FeatureStore(config=_config(lake, registry, online))


def store_features(
    lake: str, *, state: Path | str | None = None, repo: Path | str = "", until: datetime | None = None
) -> dict[str, int]:
    """Apply the definitions and bring the newest snapshot of every series online: `feast apply` and `materialize`.

    All views come from one version of the lake, and appear at once; a run that is killed leaves the rows as they were.
    A row that is newer than the lake's stays.

    Args:
        lake: A folder or `s3://bucket/prefix`, with the tables `snapshots` and `parts`.
        state: Folder of the registry and the online rows; null: `features` below Sparkhu's home.
        repo: A `feature_store.yaml` that says it all but the lake; empty: none.
        until: Latest moment of a snapshot; null: now.

    Returns:
        Per view, how many series have online rows; empty where `repo` names an online store of another kind.

    Raises:
        InputError: There is no such lake or table, or the storage refuses the sign-in.
        SparkhuError: The storage fails, a file of the lake is missing or damaged, or another program holds the store.
    """
    open_lake(lake)
    with _told(lake), _bringing_online, redirect_stdout(io.StringIO()):  # Feast writes its progress there
        from sparkhu_features.definitions import DEFINITIONS
        from sparkhu_features.online import counted

        store = open_store(lake, state=state, repo=repo)
        store.apply(list(DEFINITIONS))
        store.materialize(BEGINNING, until or datetime.now(UTC))
        views = [view for view in store.list_feature_views() if view.online]
        return counted(store.config, views)


def features_at(lake: str, rows: pl.DataFrame, features: Sequence[str], *, version: int | None = None) -> pl.DataFrame:
    """Look features up as they were known at moments: Feast's point-in-time join.

    It needs the lake alone: nothing has to be applied or materialised before, and nothing is left behind.

    Args:
        lake: A folder or `s3://bucket/prefix`.
        rows: `unique_id`, `at` (the moment), and `cutoff` where targets are asked for; in any order, may repeat.
        features: Names such as `series_state:last_value`, or of services such as `model_inputs`.
        version: Version of the lake; null: the newest. All tables are read from the same one.

    Returns:
        `rows` in their order, with a column a feature; null where nothing was known yet.

    Raises:
        InputError: A column or a feature is unknown, or there is no such lake, version or table.
        SparkhuError: The storage fails, or a file of the lake is missing or damaged.

    Example:
        >>> features_at("lake", moments, ["series_state:last_value", "series_scaler:scale"])
    """
    for name, dtype in (("unique_id", pl.String), ("at", TIME)):
        if rows.schema.get(name) != dtype:
            raise InputError(
                f"rows need a column '{name}' of type {dtype}, got {rows.schema.get(name)}. Cast or add it."
            )
    open_lake(lake).version(version)
    with _told(lake):
        from sparkhu_features.sources import copies_of_objects

        store = _in_memory(lake, version)
        asked = rows.with_row_index(ROW).rename({"at": EVENT})
        with copies_of_objects():
            answer = store.get_historical_features(entity_df=asked.to_pandas(), features=_references(store, features))
            table = pl.from_arrow(answer.to_arrow())
    if not isinstance(table, pl.DataFrame):
        raise SparkhuError("Feast gave no table")
    order = table.sort(ROW).drop(ROW).rename({EVENT: "at"})
    kept = [pl.col(name).cast(dtype) for name, dtype in rows.schema.items()]
    return order.select(*kept, *(name for name in order.columns if name not in rows.columns))


def _config(
    lake: str, registry: dict[str, Any], online: dict[str, Any] | None, version: int | None = None
) -> "RepoConfig":
    from feast import RepoConfig

    return RepoConfig(
        project=PROJECT,
        provider="local",
        registry=registry,
        offline_store={"type": "sparkhu_features.offline.LakeOfflineStore", "lake": lake, "version": version},
        online_store=online,
        batch_engine={"type": "sparkhu_features.engine.WholeComputeEngine"},
        entity_key_serialization_version=3,
    )


def _read_config(file: Path, lake: str) -> "RepoConfig":
    from feast.repo_config import load_repo_config

    if not file.is_file():
        raise InputError(f"there is no file '{file}'. Give a feature_store.yaml, or leave repo empty.")
    config = load_repo_config(file.parent.absolute(), file)
    config.offline_store.lake = lake
    return config


def _placed(path: str, *, folder: Path | None = None) -> dict[str, str]:
    return {"path": path if folder is None else str(folder / path)}


def _in_memory(lake: str, version: int | None) -> "FeatureStore":
    """Open a store whose registry is gone with it and that has no online rows."""
    from feast import FeatureStore

    from sparkhu_features.definitions import DEFINITIONS

    registry = {"registry_store_type": "sparkhu_features.registry.MemoryRegistryStore", "path": "memory"}
    store = FeatureStore(config=_config(lake, registry, None, version))
    store.apply(list(DEFINITIONS))
    return store


def _references(store: "FeatureStore", features: Sequence[str]) -> list[str]:
    """Write services out as the features that they hold, and check that each is known."""
    views = {view.name: [f"{view.name}:{field.name}" for field in view.features] for view in store.list_feature_views()}
    known = {name: [name] for names in views.values() for name in names}
    for service in store.list_feature_services():
        known[service.name] = [name for view in service.feature_view_projections for name in views[view.name]]
    for feature in features:
        if feature not in known:
            raise InputError(f"there is no feature or service '{feature}'. There are {', '.join(sorted(known))}.")
    return [name for feature in features for name in known[feature]]


@contextmanager
def _told(lake: str) -> Iterator[None]:
    """Tell what went wrong in Feast and below it in Sparkhu's words."""
    import duckdb
    import pyarrow as pa
    from feast.errors import FeastError

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError, FeastError) as error:
        raise SparkhuError(
            f"the feature store could not read '{lake}': {str(error).splitlines()[0]}. Check the file that is named; "
            "the online rows are as they were."
        ) from error
