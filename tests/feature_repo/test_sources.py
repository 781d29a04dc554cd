"""A table of a lake as Feast's data source."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparkhu.errors import InputError
from sparkhu_features.store import open_store
from tests.feature_repo.made_lake import add, generation, made_lake

if TYPE_CHECKING:
    from feast import RepoConfig

    from sparkhu_features.sources import LakeSource


def source_of(**given: Any) -> "LakeSource":
    """Make a source; Feast takes seconds to import, which those who only collect tests do not wait for."""
    from sparkhu_features.sources import LakeSource

    return LakeSource(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"table": "snapshots"},
        {
            "table": "clean",
            "lake": "s3://plant/lake",
            "version": 3,
            "timestamp_field": "known",
            "name": "rows",
            "field_mapping": {"y": "value"},
            "description": "Clean rows.",
            "tags": {"unit": "kW"},
            "owner": "plant",
        },
    ],
)
def test_a_registry_gives_a_source_back_as_it_was(given: dict[str, Any]) -> None:
    from feast.data_source import DataSource

    source = source_of(**given)
    again = DataSource.from_proto(source.to_proto())
    assert type(again) is type(source)
    assert again == source
    assert hash(again) == hash(source)
    assert {name: getattr(again, name) for name in given} == given


def test_sources_differ_by_table_lake_and_version() -> None:
    source = source_of(table="snapshots", name="one")
    others = [
        source_of(table="parts", name="one"),
        source_of(table="snapshots", name="one", lake="lake"),
        source_of(table="snapshots", name="one", version=1),
        source_of(table="snapshots", name="two"),
    ]
    assert [source == other for other in others] == [False] * 4
    assert source != "snapshots"


@pytest.mark.parametrize("lake", ["", "${SPARKHU_LAKE}"])
def test_a_lake_that_nobody_names_is_asked_for(lake: str) -> None:
    with pytest.raises(InputError, match=r"no lake is named. Set SPARKHU_LAKE to a folder or s3://bucket/prefix"):
        source_of(table="snapshots").opened(lake)


def test_the_source_names_lake_and_version_before_the_store_does(tmp_path: Path) -> None:
    first = made_lake(str(tmp_path / "first"), generation(1), generation(2))
    second = made_lake(str(tmp_path / "second"), generation(1))
    assert source_of(table="snapshots", lake=first.uri, version=1).opened(second.uri, 0).rows == 3
    assert source_of(table="snapshots", lake=first.uri).opened(second.uri).rows == 6
    assert source_of(table="snapshots").opened(second.uri).rows == 3
    assert source_of(table="snapshots").opened(first.uri, 1).rows == 3


def test_all_that_is_opened_together_is_of_one_version(tmp_path: Path) -> None:
    from sparkhu_features.sources import one_version

    lake = made_lake(str(tmp_path / "lake"), generation(1))
    snapshots, parts = source_of(table="snapshots"), source_of(table="parts")
    with one_version():
        first = snapshots.opened(lake.uri)
        add(lake, generation(2))
        with one_version():
            assert parts.opened(lake.uri).version == first.version == 1
    assert parts.opened(lake.uri).version == 2


def config_of(lake: str) -> "RepoConfig":
    return open_store(lake).config


def test_a_table_may_come_later_but_must_say_when_its_rows_were_known(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    source_of(table="snapshots").validate(config_of(lake.uri))
    source_of(table="targets").validate(config_of(lake.uri))
    with pytest.raises(InputError, match="the table 'snapshots' has no column 'known'; it has unique_id, available_at"):
        source_of(table="snapshots", timestamp_field="known").validate(config_of(lake.uri))
    with pytest.raises(InputError, match="no lake"):
        source_of(table="snapshots").validate(config_of(str(tmp_path / "nowhere")))


def test_columns_are_given_with_their_types(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    columns = dict(source_of(table="snapshots").get_table_column_names_and_types(config_of(lake.uri)))
    assert columns["available_at"] == "timestamp[us, tz=UTC]"
    assert columns["last_value"] == "double"
    kinds = source_of(table="snapshots").source_datatype_to_feast_value_type()
    assert kinds(columns["last_value"]).name == "DOUBLE"
