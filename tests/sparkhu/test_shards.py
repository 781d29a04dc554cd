import json
from pathlib import Path

import polars as pl
import pytest

from sparkhu.attempts import new_folder
from sparkhu.errors import InputError, SparkhuError
from sparkhu.shards import (
    Dataset,
    Kind,
    Shard,
    held_by,
    open_dataset,
    read_shard,
    write_manifest,
    write_shard,
)


def dataset(path: Path, kind: Kind, **shards: pl.DataFrame) -> Dataset:
    with new_folder(path) as (draft,):
        write_manifest(draft, kind, [write_shard(draft, name, frame) for name, frame in shards.items()])
    return open_dataset(path)


def rows(*values: float) -> pl.DataFrame:
    return pl.DataFrame({"unique_id": ["a"] * len(values), "y": list(values)})


def test_a_dataset_comes_back_as_its_manifest_says(tmp_path: Path) -> None:
    made = dataset(tmp_path / "d", "rows", s0=rows(1, 2), s1=rows(3))
    assert made.shards == (Shard("s0", 2, 1), Shard("s1", 1, 1))
    assert (made.kind, made.rows, made.series) == ("rows", 3, 2)
    assert made.files() == [tmp_path / "d" / "s0.parquet", tmp_path / "d" / "s1.parquet"]
    assert made.scan().collect()["y"].to_list() == [1, 2, 3]
    assert open_dataset(str(tmp_path / "d")) == made


def test_columns_that_are_not_asked_for_are_not_read(tmp_path: Path) -> None:
    base = dataset(tmp_path / "base", "rows", s0=rows(1, 2).with_columns(price=pl.lit(5), label=pl.lit("x")))
    flags = dataset(tmp_path / "flags", "columns", s0=pl.DataFrame({"flag": [True, False], "y": [9.0, 8.0]}))
    other = dataset(tmp_path / "other", "columns", s0=pl.DataFrame({"other": [1, 2]}))
    found = read_shard([base, flags, other], "s0", ("unique_id", "y", "price", "absent"))
    assert found.to_dict(as_series=False) == {"unique_id": ["a", "a"], "y": [9.0, 8.0], "price": [5, 5]}


def test_a_layer_of_columns_names_no_series(tmp_path: Path) -> None:
    assert dataset(tmp_path / "d", "columns", s0=pl.DataFrame({"y": [1.0]})).series == 0


def test_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind must be one of rows, columns, series, got 'row'"):
        write_manifest(tmp_path, "row", [])  # type: ignore[arg-type]


def test_a_folder_without_a_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"'{tmp_path}' holds no dataset \(dataset.json is missing\)"):
        open_dataset(tmp_path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    manifest = dataset(tmp_path / "d", "rows").path / "dataset.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "schema_version": 9}))
    with pytest.raises(InputError, match="has dataset schema 9, this version of Sparkhu reads 1"):
        open_dataset(tmp_path / "d")


def test_later_layers_win(tmp_path: Path) -> None:
    base = dataset(tmp_path / "base", "rows", s0=rows(1, 2))
    one = dataset(tmp_path / "one", "columns", s0=pl.DataFrame({"y": [10.0, 20.0], "flag": [True, False]}))
    two = dataset(tmp_path / "two", "columns", s0=pl.DataFrame({"y": [100.0, 200.0]}))
    assert read_shard([base, one, two], "s0").rows() == [("a", 100.0, True), ("a", 200.0, False)]
    assert read_shard([base, two, one], "s0").rows() == [("a", 10.0, True), ("a", 20.0, False)]
    assert read_shard([base], "s0").equals(rows(1, 2))


def test_tables_about_series_are_set_below_each_other(tmp_path: Path) -> None:
    one = dataset(tmp_path / "one", "series", s0=pl.DataFrame({"unique_id": ["a"], "mae": [1.0]}))
    two = dataset(tmp_path / "two", "series", s0=pl.DataFrame({"unique_id": ["a"], "weight": [2]}))
    assert read_shard([one, two], "s0").rows() == [("a", 1.0, None), ("a", None, 2)]


def test_a_layer_of_another_dataset_is_refused(tmp_path: Path) -> None:
    base = dataset(tmp_path / "base", "rows", s0=rows(1, 2))
    layer = dataset(tmp_path / "layer", "columns", s0=pl.DataFrame({"flag": [True]}))
    with pytest.raises(SparkhuError, match=r"layer '.*layer' has 1 rows in shard s0, its dataset '.*base' has 2"):
        read_shard([base, layer], "s0")


def test_a_dataset_without_the_shard_is_refused(tmp_path: Path) -> None:
    base = dataset(tmp_path / "base", "rows", s0=rows(1), s1=rows(2))
    layer = dataset(tmp_path / "layer", "columns", s0=pl.DataFrame({"flag": [True]}))
    with pytest.raises(SparkhuError, match=r"'.*layer' has no shard s1"):
        read_shard([base, layer], "s1")


def test_what_a_killed_attempt_left_is_swept(tmp_path: Path) -> None:
    shard = write_shard(tmp_path, "00000", pl.DataFrame({"unique_id": ["a"], "y": [1.0]}))
    (tmp_path / ".00000.parquet.0a1b2c3d").write_bytes(b"half a shard")
    write_manifest(tmp_path, "rows", [shard])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.parquet", "dataset.json"]


def test_a_shard_that_cannot_be_written_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pl.DataFrame({"unique_id": ["a"], "y": [1.0]})
    write_shard(tmp_path, "00000", frame)

    def half(_: pl.DataFrame, file: Path, **__: object) -> None:
        file.write_bytes(b"half")
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", half)
        with pytest.raises(OSError, match="the disk is full"):
            write_shard(tmp_path, "00000", frame.with_columns(y=2.0))
    assert [path.name for path in tmp_path.iterdir()] == ["00000.parquet"]
    assert pl.read_parquet(tmp_path / "00000.parquet").equals(frame)


@pytest.mark.parametrize(
    ("ids", "told"),
    [(["b", "a", "b"], "2 series, 'a' to 'b', 3 rows"), (["a"], "series 'a', 1 row"), ([], "no series, 0 rows")],
)
def test_a_shard_says_what_it_holds(ids: list[str], told: str, tmp_path: Path) -> None:
    frame = pl.DataFrame({"unique_id": pl.Series(ids, dtype=pl.String)})
    write_manifest(tmp_path, "rows", [write_shard(tmp_path, "00000", frame)])
    assert held_by([open_dataset(tmp_path)], "00000") == told


def test_another_dataset_tells_the_series_of_a_lost_shard(tmp_path: Path) -> None:
    frame = pl.DataFrame({"unique_id": ["a", "b"], "y": [1.0, 2.0]})
    for name in ("rows", "profile"):
        folder = tmp_path / name
        folder.mkdir()
        write_manifest(folder, "rows", [write_shard(folder, "00000", frame)])
    both = [open_dataset(tmp_path / name) for name in ("rows", "profile")]
    both[0].file("00000").unlink()
    assert held_by(both, "00000") == "2 series, 'a' to 'b', 2 rows"
    both[1].file("00000").unlink()
    assert held_by(both, "00000") == "2 series, 2 rows"
