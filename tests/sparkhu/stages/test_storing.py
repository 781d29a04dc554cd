"""The stored table: training reads nothing but it, and neither shards nor workers nor buckets move a bit."""

import json
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from sparkhu import ledger
from sparkhu.errors import SparkhuError
from sparkhu.execution import recorded
from sparkhu.frame import TIME
from sparkhu.lake import create_lake, open_lake
from sparkhu.lineage import read_trail
from sparkhu.models.linear import Linear
from sparkhu.shards import Kind, open_dataset, write_manifest, write_shard
from sparkhu.stages import storing
from sparkhu.stages.evaluating import evaluate_models
from sparkhu.stages.storing import Stored, map_buckets, open_stored, store_sequences
from sparkhu.stages.training import load_models, train_linear, train_seasonal_naive
from sparkhu.steps.cleaning import clean_inputs
from sparkhu.training.gram import GroupGram, gram_shard, merge
from sparkhu.training.stored import INPUTS, SCHEMAS, TRUTHS, stored_rows
from sparkhu.training.windows import ShardWindows, assemble
from sparkhu.versions import versions_of
from tests.components.chain import Chain
from tests.sparkhu.made_shard import START, polluted, profile_of, shard_of

NAMES = [f"s{number}" for number in range(6)]
ROWS = polluted(NAMES, n=200)
PLAN = profile_of(NAMES, borders=(120, 160, 200))
LAYER = clean_inputs(ROWS, PLAN, "outliers+anomalies")
MADE = shard_of(ROWS.with_columns(LAYER.get_columns()), PLAN)


class Made(NamedTuple):
    """Folders that training reads."""

    folder: Path
    data: dict[str, Path]

    def train(self) -> dict[str, Linear]:
        train_linear(**self.data, out=self.folder / "linear")
        return load_models(self.folder / "linear")  # type: ignore[return-value]

    def evaluate(self) -> Path:
        models = {name: self.folder / name for name in ("linear", "seasonal_naive")}
        train_seasonal_naive(plan=self.data["plan"], out=models["seasonal_naive"])
        evaluate_models(**self.data, models=models, out=self.folder / "evaluation")
        return self.folder / "evaluation"

    def open(self) -> Stored:
        return Stored.open(**self.data)


def dataset(folder: Path, kind: Kind, shards: Sequence[pl.DataFrame], names: pl.Series, failed: Sequence[str]) -> Path:
    with recorded(folder.name, inputs=[], outputs=[folder]) as (notes, (draft,)):
        write_manifest(draft, kind, [write_shard(draft, f"{at:05d}", frame) for at, frame in enumerate(shards)])
        lost = names.is_in(list(failed)).replace_strict({True: "failed", False: "ok"}, return_dtype=pl.String)
        notes.entries = ledger.entries(names, status=lost, reason="lost")
    return folder


def stored(folder: Path, *shards: Sequence[str], failed: Sequence[str] = ()) -> Made:
    """Write the series named, shard by shard, and store them."""
    return stored_series(folder, ROWS, PLAN, *shards, failed=failed)


def stored_series(
    folder: Path, rows: pl.DataFrame, plan: pl.DataFrame, *shards: Sequence[str], failed: Sequence[str] = ()
) -> Made:
    """Write some of the series of a plan, shard by shard, and store them."""
    folder.mkdir(exist_ok=True)
    layer = clean_inputs(rows, plan, "outliers+anomalies")
    made = shard_of(rows.with_columns(layer.get_columns()), plan)
    tables: dict[str, tuple[Kind, pl.DataFrame]] = {
        "sequences": ("rows", rows),
        "versions": ("series", versions_of(rows.clear())),
        "inputs": ("columns", rows.select("unique_id").hstack(layer)),
        "plan": ("series", plan),
        "windows": ("series", made.windows),
        "scalers": ("series", made.scalers),
    }
    paths = {}
    for name, (kind, table) in tables.items():
        frames = [table.filter(pl.col("unique_id").is_in(list(names))) for names in shards]
        frames = [frame.drop("unique_id") for frame in frames] if kind == "columns" else frames
        paths[name] = dataset(folder / name, kind, frames, plan["unique_id"], failed)
    read = [paths.pop("sequences"), paths.pop("inputs")]
    store_sequences(sequences=read, versions=paths.pop("versions"), table=folder / "table")
    return Made(folder, {"table": folder / "table", **paths})


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return stored(tmp_path, NAMES)


def test_what_was_given_and_what_was_observed_lie_in_two_tables_of_one_lake(made: Made) -> None:
    version = open_stored(made.data["table"])
    wanted = stored_rows(ROWS.with_columns(LAYER.get_columns()), versions_of(ROWS.clear()))
    assert set(version.tables) == {INPUTS, TRUTHS} == set(SCHEMAS)
    for name, schema in SCHEMAS.items():
        assert dict(version.table(name).columns) == schema
        assert version.table(name).read().equals(wanted[name])
    record = read_trail([made.data["table"]]).history[-1]
    assert (record.step, record.rows_out, record.counts) == ("store_sequences", ROWS.height, {"buckets": 1})


def test_training_is_that_on_the_frame_to_the_bit(made: Made) -> None:
    found = merge(map_buckets(_gram, made.open(), step="train_linear"))
    wanted = gram_shard(assemble(*MADE))
    assert found.keys() == wanted.keys()
    for group, gram in wanted.items():
        np.testing.assert_array_equal(found[group].train.matrix, gram.train.matrix)
        np.testing.assert_array_equal(found[group].rest.matrix, gram.rest.matrix)
        np.testing.assert_array_equal(found[group].choose.matrix, gram.choose.matrix)


def _gram(_: str, windows: ShardWindows) -> dict[str, GroupGram]:
    return gram_shard(windows)


@pytest.mark.parametrize("removed", ["", "lake", "lake/tables/inputs", "lake/tables/truths", "lake/tables/inputs/data"])
def test_without_its_table_training_fails_and_says_which_and_where(made: Made, removed: str) -> None:
    folder = made.data["table"] / removed
    shutil.rmtree(folder)
    table = TRUTHS if "truths" in removed else INPUTS
    with pytest.raises(SparkhuError, match=rf"the table.* '{table}'") as failure:
        made.train()
    assert str(made.data["table"] / "lake") in str(failure.value)
    assert "is missing" in str(failure.value) or "are missing" in str(failure.value)
    assert failure.value.exit_code == 1
    assert not (made.folder / "linear").exists()


def test_without_its_table_evaluation_fails(made: Made) -> None:
    made.train()
    shutil.rmtree(made.data["table"])
    with pytest.raises(SparkhuError, match=r"^the tables 'inputs' and 'truths' are missing: '.*/table/lake' holds no"):
        made.evaluate()


def test_a_lake_without_the_tables_is_told(made: Made) -> None:
    shutil.rmtree(made.data["table"] / "lake")
    create_lake(str(made.data["table"] / "lake"))
    with pytest.raises(SparkhuError, match=r"^the table 'inputs' is missing in '.*/lake'. Run store_sequences"):
        made.train()


def test_a_table_of_other_rows_is_an_error(made: Made, tmp_path: Path) -> None:
    other = stored(tmp_path / "other", NAMES[:3])
    with pytest.raises(SparkhuError, match=r"holds 0 of the 2 points of series 's3'"):
        made._replace(data={**made.data, "table": other.data["table"]}).train()


def test_neither_shards_nor_workers_move_a_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # 1,200 rows in buckets of 250: five of them.
    monkeypatch.setattr(storing, "ROWS_PER_BUCKET", 250)
    weights, documents, intervals = [], [], []
    shardings = {"one": [NAMES], "three": [NAMES[:1], NAMES[1:4], NAMES[4:]], "six": [[name] for name in NAMES]}
    for name, shards in shardings.items():
        monkeypatch.setenv("SPARKHU_WORKERS", "2" if name == "three" else "1")
        made = stored(tmp_path / name, *shards)
        assert open_stored(made.data["table"]).layout.buckets == 5
        (model,) = made.train().values()
        weights.append([model.weights, model.intercept, model.evaluation_weights, np.array(model.settings.strength)])
        evaluation = made.evaluate()
        documents.append([(evaluation / file).read_text() for file in ("metrics.json", "gate.json")])
        intervals.append(open_dataset(evaluation).scan().collect())
    assert json.loads(documents[0][0])["linear"]["windows"] > 0
    for other in (1, 2):
        for one, same in zip(weights[0], weights[other], strict=True):
            np.testing.assert_array_equal(one, same)
        assert documents[other] == documents[0]
        assert intervals[other].equals(intervals[0])


def test_a_bucket_is_read_from_files_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "ROWS_PER_BUCKET", 250)
    made = stored(tmp_path / "run", NAMES[:3], NAMES[3:])
    version = open_stored(made.data["table"])
    seen = dict(map_buckets(_series, made.open(), step="seen"))
    assert sorted(name for names in seen.values() for name in names) == NAMES
    assert sum(bool(names) for names in seen.values()) > 1
    for number, names in seen.items():
        assert {f"{version.layout.bucket(name):05d}" for name in names} <= {number}
        files = version.table(INPUTS).files(ids=names)
        assert {f"{file.bucket:05d}" for file in files} <= {number}


def _series(name: str, windows: ShardWindows) -> tuple[str, list[str]]:
    return name, windows.series["unique_id"].to_list()


def test_series_that_failed_before_are_neither_stored_nor_trained_on(tmp_path: Path) -> None:
    made = stored(tmp_path / "run", NAMES[:2], NAMES[2:], failed=["s1"])
    kept = [name for name in NAMES if name != "s1"]
    rows = open_lake(str(made.data["table"] / "lake")).version().table(INPUTS).read()
    assert rows["unique_id"].unique().sort().to_list() == kept
    assert dict(map_buckets(_series, made.open(), step="seen")) == {"00000": kept}
    (model,) = made.train().values()
    (without,) = stored(tmp_path / "without", kept).train().values()
    np.testing.assert_array_equal(model.weights, without.weights)


def test_versions_reach_the_index_and_the_table(prepared: dict[str, Path], tmp_path: Path) -> None:
    # Hour 100 of a was 5 less at first, and is what it is since a year later.
    hour, year = START + timedelta(hours=100), START + timedelta(days=365)
    shutil.copytree(prepared["sequences"], tmp_path / "sequences")
    (file,) = open_dataset(tmp_path / "sequences").files()
    rows, at = pl.read_parquet(file), (pl.col("unique_id") == "a") & (pl.col("ds") == hour)
    known = [name for name in rows.columns if name.endswith("available_at")]
    late = [pl.when(at).then(pl.lit(year).cast(TIME)).otherwise(name).alias(name) for name in known]
    rows.with_columns(late).write_parquet(file)
    newest = rows.filter(at).select("unique_id", "ds", "y", available_at=pl.lit(year).cast(TIME))
    chain = pl.concat([newest.with_columns(pl.col("y") - 5, available_at="ds"), newest])
    versions = {
        "none": prepared["versions"],
        "some": dataset(tmp_path / "versions", "series", [chain], pl.Series(NAMES), []),
    }
    run = Chain(tmp_path)
    inputs = run.run("choose_cleaning", sequences=tmp_path / "sequences", profile=prepared["series_profile"],
                     settings={"mode": "never"})["inputs"]  # fmt: skip
    seen = {"sequences": tmp_path / "sequences", "inputs": inputs, "profile": prepared["series_profile"]}
    refused = {}
    for name, folder in versions.items():
        made = run.run("index_windows", name, **seen, versions=folder, horizon=6, input_size=24)
        windows = open_dataset(made["windows"]).scan().filter(unique_id="a").collect()
        refused[name] = windows.filter(~pl.col("valid"))["reason"].to_list()
    assert refused == {"none": ["input not yet known"] * 24, "some": []}
    del seen["profile"]
    tables = [run.run("store_sequences", f"{name}-t", **seen, versions=versions[name])["table"] for name in versions]
    without, stored_at = (open_stored(table).table(INPUTS).read().filter(at) for table in tables)
    assert (without.height, stored_at["available_at"].to_list()) == (1, [hour, year])
    assert stored_at["y"][0] == stored_at["y"][1] - 5
