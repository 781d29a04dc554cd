"""The rows that are published: both ways of the split, their columns, their order, their flags."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from sparkhu.execution import recorded
from sparkhu.frame import TIME
from sparkhu.mapping import ShardFrames
from sparkhu.shards import Kind, write_manifest, write_shard
from sparkhu.stages.publishing import ROWS_SCHEMA, clean_rows, publish_results

START = datetime(2024, 1, 1, tzinfo=UTC)


def rows(name: str, hours: list[int], y: list[float | None], **columns: list[Any]) -> pl.DataFrame:
    ds = pl.Series([START + timedelta(hours=hour) for hour in hours], dtype=TIME)
    ids = pl.Series([name] * len(y), dtype=pl.String)
    frame = pl.DataFrame({"unique_id": ids, "ds": ds, "y": pl.Series(y, dtype=pl.Float64), **columns})
    return frame.with_columns(available_at="ds")


def published(**frames: pl.DataFrame) -> pl.DataFrame:
    return clean_rows(ShardFrames("0000", frames, pl.Series([], dtype=pl.Boolean)))


def dataset(folder: Path, kind: Kind, *frames: pl.DataFrame) -> Path:
    with recorded("made", inputs=[], outputs=[folder]) as (_, (draft,)):
        write_manifest(draft, kind, [write_shard(draft, f"{at:04d}", frame) for at, frame in enumerate(frames)])
    return folder


def test_a_null_of_an_irregular_series_is_a_gap() -> None:
    clean = published(irregular=rows("a", [0, 5, 7], [1.0, None, 3.0]))
    assert clean["is_gap"].to_list() == [False, True, False]
    assert clean["is_outlier"].to_list() == [False, False, False]


def test_an_observed_value_that_was_taken_out_is_no_gap() -> None:
    clean = published(irregular=rows("a", [0, 5, 7], [1.0, None, None], y_raw=[1.0, 99.0, None]))
    assert clean["is_gap"].to_list() == [False, False, True]
    assert clean["y_raw"].to_list() == [1.0, 99.0, None]


def test_a_gap_that_was_filled_stays_a_gap() -> None:
    frame = rows("a", [0, 1, 2], [1.0, 2.0, 3.0], y_raw=[1.0, None, None], is_gap=[False, True, None])
    assert published(regular=frame)["is_gap"].to_list() == [False, True, True]


def test_values_without_a_raw_column_are_raw() -> None:
    assert published(irregular=rows("a", [0, 1], [1.0, None]))["y_raw"].to_list() == [1.0, None]


def test_clean_rows_have_exactly_their_columns_and_stand_by_series_and_time() -> None:
    regular = rows("b", [0, 1], [1.0, 2.0], y_raw=[1.0, None], is_gap=[False, True], needs_fill=[False, False])
    clean = published(regular=regular, irregular=pl.concat([rows("a", [0, 9], [5.0, 6.0]), rows("c", [3], [7.0])]))
    assert dict(clean.schema) == ROWS_SCHEMA
    assert clean["unique_id"].to_list() == ["a", "a", "b", "b", "c"]
    assert clean["y"].to_list() == [5.0, 6.0, 1.0, 2.0, 7.0]


def test_a_handled_value_is_the_clean_one_and_available_when_it_was_known() -> None:
    later = pl.Series([START, START + timedelta(hours=9)], dtype=TIME)
    frame = rows("a", [0, 1], [1.0, 99.0], y_raw=[1.0, 99.0], handled=[1.0, 2.0], is_anomaly=[False, True])
    clean = published(regular=frame.with_columns(handled_available_at=later))
    assert clean["y"].to_list() == [1.0, 2.0]
    assert clean["y_raw"].to_list() == [1.0, 99.0]
    assert clean["available_at"].to_list() == later.to_list()
    assert clean["is_anomaly"].to_list() == [False, True]


def test_columns_of_the_source_come_behind_ours_on_both_ways(tmp_path: Path) -> None:
    regular = rows("b", [0], [1.0], colour=["red"], needs_fill=[False])
    folders = {
        "regular": dataset(tmp_path / "regular", "rows", regular),
        "irregular": dataset(tmp_path / "irregular", "rows", rows("a", [0], [2.0], colour=["blue"])),
    }
    publish_results(clean=folders, tables={}, documents={}, out=tmp_path / "out")
    clean = pl.read_parquet(tmp_path / "out" / "clean.parquet")
    assert clean.columns == [*ROWS_SCHEMA, "colour"]
    assert clean["colour"].to_list() == ["blue", "red"]


def test_a_shard_without_rows_gives_the_columns() -> None:
    assert dict(published(regular=rows("a", [], []), irregular=rows("a", [], [])).schema) == ROWS_SCHEMA


def test_the_file_holds_the_sorted_rows_of_all_shards_with_their_layers(tmp_path: Path) -> None:
    regular = dataset(tmp_path / "regular", "rows", rows("b", [0, 1], [1.0, None]), rows("d", [0], [4.0]))
    layer = dataset(
        tmp_path / "filled",
        "columns",
        *[
            pl.DataFrame(
                {"y": y, "y_raw": raw, "fill_strategy": strategy}, schema_overrides={"fill_strategy": pl.String}
            )
            for y, raw, strategy in [([1.0, 9.0], [1.0, None], [None, "last"]), ([4.0], [4.0], [None])]
        ],
    )
    irregular = dataset(tmp_path / "irregular", "rows", rows("a", [0, 5], [7.0, None]), rows("c", [3], [8.0]))
    with recorded("evaluate", inputs=[], outputs=[tmp_path / "evaluation"]) as (_, (draft,)):
        (draft / "metrics.json").write_text("{}")
    told = publish_results(
        clean={"regular": [regular, layer], "irregular": irregular},
        tables={"stats": [dataset(tmp_path / "stats", "series", pl.DataFrame({"unique_id": ["a"], "n": [2]}))]},
        documents={"metrics.json": tmp_path / "evaluation" / "metrics.json"},
        out=tmp_path / "out",
    )
    clean = pl.read_parquet(tmp_path / "out" / "clean.parquet")
    assert dict(clean.schema) == ROWS_SCHEMA
    assert clean.select("unique_id", "y", "is_gap", "fill_strategy").rows() == [
        ("a", 7.0, False, None),
        ("a", None, True, None),
        ("b", 1.0, False, None),
        ("b", 9.0, True, "last"),
        ("c", 8.0, False, None),
        ("d", 4.0, False, None),
    ]
    assert pl.read_parquet(tmp_path / "out" / "stats.parquet").rows() == [("a", 2)]
    assert (tmp_path / "out" / "metrics.json").read_text() == "{}"
    assert told["rows_out"] == 6
