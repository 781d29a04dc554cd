"""What was exported of a run or of a version of MLflow, read again."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.files import checksum_of
from sparkhu_retention.storages.mlflow_rows import RUN_PARTS, Rows
from sparkhu_retention.storages.protocol import Exported


def read_archive(item: str, archived: Iterable[Exported], folder: Path) -> tuple[Rows, dict[str, Path]]:
    """Read what was exported of a run or a version: its rows, and its files by their paths.

    Raises:
        SparkhuError: A file is damaged, or the rows of the run or of the version itself are missing.
    """
    rows: Rows = {}
    files: dict[str, Path] = {}
    for each in archived:
        path = folder / each.path
        with told("read", path):
            given = checksum_of(path)
        if given != each.sha256:
            raise SparkhuError(f"'{path}' is damaged: its checksum is not that of '{item}'. It was not put back.")
        kind, _, name = each.path.removeprefix(f"{item}/").partition("/")
        if kind == "rows":
            rows[name.removesuffix(".parquet")] = pl.read_parquet(path).to_dicts()
        else:
            files[name] = path
    if not _is_of(item, rows):
        raise SparkhuError(f"the archive of '{item}' is damaged: it lacks what '{item}' is. It was not put back.")
    return rows, files


def _is_of(item: str, rows: Rows) -> bool:
    """Tell whether rows are those of a run or of a version, and of no other."""
    what, owner, name = item.split("/")
    if what == "runs":
        keys = {(row["experiment_id"], row["run_uuid"]) for row in rows.get("runs", ())}
        others = {row["run_uuid"] for table in RUN_PARTS for row in rows.get(table, ())}
        others |= {row["run_id"] for row in rows.get("logged_model_metrics", ())}
        return keys == {(int(owner), name)} and others <= {name}
    keys = {(row["name"], row["version"]) for row in rows.get("model_versions", ())}
    return keys == {(owner, int(name))}
