"""A data source of Feast that is a table of a lake: whole versions of it, file by file."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from weakref import finalize

import polars as pl
import pyarrow as pa
from feast import RepoConfig, ValueType
from feast.data_source import DataSource
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.type_map import pa_to_feast_value_type

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import DataFile, Table, Version, open_lake
from sparkhu.lake.records import checksum
from sparkhu.lake.storage import each

_copies: ContextVar[ExitStack | None] = ContextVar("copies", default=None)
_pinned: ContextVar[dict[tuple[str, int | None], Version] | None] = ContextVar("pinned", default=None)


class LakeSource(DataSource):
    """A table of a lake, as Feast's data source.

    It is resolved to the list of files of one version whenever it is read: what others publish meanwhile is not seen,
    and files that were replaced do not show up beside those that replace them.

    Args:
        table: Name of the table.
        lake: The lake, a folder or `s3://bucket/prefix`; empty: the one that the offline store names.
        version: Number of the version; null: that of the offline store, which is the newest if it names none.
        timestamp_field: The column from which on a row was known; point-in-time look-ups compare it with the moment.
        name: Name of the source; empty: that of the table.
        field_mapping: Names of features for names of columns, where they differ.
        description: What it holds.
        tags: Whatever else is to be remembered of it.
        owner: Who looks after it.

    Example:
        >>> LakeSource(table="snapshots", lake="s3://plant/lake")
    """

    def __init__(
        self,
        *,
        table: str,
        lake: str = "",
        version: int | None = None,
        timestamp_field: str = "available_at",
        name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        super().__init__(
            name=name or table,
            timestamp_field=timestamp_field,
            field_mapping=dict(field_mapping or {}),
            description=description,
            tags=dict(tags or {}),
            owner=owner,
        )
        self.table, self.lake, self.version = table, lake, version

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LakeSource):
            return False
        mine, others = ((each.table, each.lake, each.version) for each in (self, other))
        return mine == others and bool(super().__eq__(other))

    def __hash__(self) -> int:
        return hash((self.name, self.table, self.lake, self.version))

    @staticmethod
    def from_proto(data_source: DataSourceProto) -> "LakeSource":
        """Make the source that a registry holds."""
        options = json.loads(data_source.custom_options.configuration)
        return LakeSource(
            **options,
            name=data_source.name,
            timestamp_field=data_source.timestamp_field,
            field_mapping=dict(data_source.field_mapping),
            description=data_source.description,
            tags=dict(data_source.tags),
            owner=data_source.owner,
        )

    def _to_proto_impl(self) -> DataSourceProto:
        options = {"table": self.table, "lake": self.lake, "version": self.version}
        return DataSourceProto(
            name=self.name,
            type=DataSourceProto.CUSTOM_SOURCE,
            data_source_class_type=f"{LakeSource.__module__}.{LakeSource.__qualname__}",
            timestamp_field=self.timestamp_field,
            field_mapping=self.field_mapping,
            custom_options=DataSourceProto.CustomSourceOptions(configuration=json.dumps(options).encode()),
            description=self.description,
            tags=self.tags,
            owner=self.owner,
        )

    def opened(self, lake: str = "", version: int | None = None) -> Table:
        """Open the table as its version holds it; within `one_version`, always the same version.

        Args:
            lake: The lake of the offline store, where the source names none.
            version: The version that the offline store names, likewise.

        Raises:
            InputError: There is no such lake, version, table or bucket, or the storage refuses the sign-in.
            SparkhuError: The storage fails, or a manifest is damaged.
        """
        return self._opened(lake, version).table(self.table)

    def validate(self, config: RepoConfig) -> None:
        """Check that the lake can be read and, if it has the table already, that rows say when they were known.

        Raises:
            InputError: There is no such lake, or the table lacks the column `timestamp_field`.
        """
        columns = self._opened(config.offline_store.lake, None).manifest(self.table).columns
        if columns and self.timestamp_field not in columns:
            raise InputError(
                f"the table '{self.table}' has no column '{self.timestamp_field}'; it has {', '.join(columns)}. "
                "Name the column that says from when on a row was known as timestamp_field."
            )

    def _opened(self, lake: str, version: int | None) -> Version:
        return _version(_named(self.lake or lake), version if self.version is None else self.version)

    @staticmethod
    def source_datatype_to_feast_value_type() -> Callable[[str], ValueType]:
        """Give the function that turns names of Arrow's types into Feast's."""
        return pa_to_feast_value_type  # type: ignore[no-any-return]

    def get_table_column_names_and_types(self, config: RepoConfig) -> Iterable[tuple[str, str]]:
        """List the columns of the table and their types in Arrow's words."""
        schema = arrow_schema(self.opened(config.offline_store.lake))
        return [(field.name, str(field.type)) for field in schema]

    def get_table_query_string(self) -> str:
        """Name the table as a message does."""
        return f"{self.table} of {self.lake or 'the lake'}"


@contextmanager
def one_version() -> Iterator[None]:
    """Let every source that is opened within read the same version of its lake."""
    if _pinned.get() is not None:
        yield
        return
    token = _pinned.set({})
    try:
        yield
    finally:
        _pinned.reset(token)


def arrow_dataset(table: Table, start: datetime | None = None, end: datetime | None = None) -> Any:
    """Give the files of a table to Arrow: these and no others, nothing is listed or matched.

    Those of a lake on S3 are copied to this machine first, compared with their checksums, and go with the dataset.

    Args:
        table: The table.
        start: Time from which rows count, by the table's time; files that end before are left out.
        end: Time before which rows count; files that begin at it or later are left out.

    Returns:
        A dataset with all columns of the table; in a file that lacks one it is null.

    Raises:
        SparkhuError: S3 fails, or an object is missing or damaged.
    """
    from pyarrow import fs
    from pyarrow.dataset import FileSystemDataset, ParquetFileFormat

    files = table.files(start, end)
    paths = table.uris(start, end)
    copies = None
    if any("://" in path for path in paths):
        # Arrow would call Python for every read, and can wait for itself for ever when one of them fails.
        copies = TemporaryDirectory(prefix="sparkhu-features-")
        paths = _copied(table, files, copies)
    place, schema = fs.LocalFileSystem(), arrow_schema(table)
    dataset = FileSystemDataset.from_paths(paths, schema=schema, format=ParquetFileFormat(), filesystem=place)
    if copies is not None:
        if scope := _copies.get():
            scope.callback(copies.cleanup)
        else:
            finalize(dataset, copies.cleanup)
    return dataset


@contextmanager
def copies_of_objects() -> Iterator[None]:
    """Remove copies of objects at the end; else they go when nobody holds what was read from them any longer."""
    with ExitStack() as scope:
        token = _copies.set(scope)
        try:
            yield
        finally:
            _copies.reset(token)


def _copied(table: Table, files: Sequence[DataFile], copies: "TemporaryDirectory[str]") -> list[str]:
    """Copy files of the lake into a folder, several at a time."""
    try:
        return list(each(partial(_stage, table, Path(copies.name)), files))
    except BaseException:
        copies.cleanup()
        raise


def _stage(table: Table, folder: Path, file: DataFile) -> str:
    """Copy a file of the lake here, whole as it was written."""
    data = table.storage.read(file.path)
    if checksum(data) != file.sha256:
        raise SparkhuError(
            f"the file '{table.storage.place(file.path)}' of the table '{table.name}', version {table.version}, is "
            "damaged: its checksum is not the one that was written. Restore it from a backup, or read another version."
        )
    path = folder / file.path.replace("/", "-")
    path.write_bytes(data)
    return str(path)


def arrow_schema(table: Table) -> pa.Schema:
    """Give the columns of a table in Arrow's types."""
    return pl.DataFrame(schema=table.columns).to_arrow(compat_level=pl.CompatLevel.oldest()).schema


def _named(lake: str) -> str:
    if not lake or lake.startswith("$"):
        raise InputError(
            "no lake is named. Set SPARKHU_LAKE to a folder or s3://bucket/prefix, or write offline_store: lake: "
            "in feature_store.yaml."
        )
    return lake


def _version(lake: str, number: int | None) -> Version:
    pinned = _pinned.get()
    if pinned is None:
        return open_lake(lake).version(number)
    if (lake, number) not in pinned:
        pinned[lake, number] = open_lake(lake).version(number)
    return pinned[lake, number]
