"""Facts about preparation in groups of shards: what comes out is what comes out without groups, to the bit."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from sparkhu.lineage import GROUPING, read_trail
from sparkhu.shards import open_dataset
from sparkhu.sources import SourceOptions
from sparkhu.stages.grouping import gather_groups, pack_group, take_group
from sparkhu.stages.ingesting import ingest_source
from sparkhu.stages.lake_publishing import parameters_of
from sparkhu_pipelines.preparation import Prepared
from tests.components.chain import Chain
from tests.pipelines.conftest import write_observations
from tests.result_files import contents

pytestmark = pytest.mark.xdist_group("chain")

SHARDS, GROUPS = 4, 6
OTHER_NAMES = {"regular": "resampled", "profile": "series_profile"}


class Made(NamedTuple):
    """Folders of the prepared datasets by name, and of the results."""

    datasets: dict[str, Path]
    results: Path


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Made, Made]:
    """Prepare the same raw rows at once, and in groups, of which two have no shard."""
    folder = tmp_path_factory.mktemp("groups")
    source = folder / "observations.csv"
    write_observations(source, hours=range(400))
    rows = [f"{row},{place}" for row, place in zip(source.read_text().splitlines(), _places(), strict=False)]
    rows.append("broken,never,0.5,hall")
    source.write_text("\n".join(rows) + "\n")
    places = {"out": folder / "raw", "history": folder / "history", "versions": folder / "versions"}
    options = SourceOptions(extra="all", id="series", time="when", value="reading")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_WORKERS", "1")
        ingest_source(str(source), options, **places, rows_per_shard=500)
        patch.setenv("SPARKHU_HOME", str(folder / "home"))
        whole = _whole(folder)
        patch.setenv("SPARKHU_HOME", str(folder / "home-of-groups"))
        return whole, _in_groups(folder)


def _places() -> list[str]:
    return ["place", *(["hall", "cellar", "hall"] * 1000)]


def _whole(folder: Path) -> Made:
    (folder / "whole").mkdir()
    chain = Chain(folder / "whole")
    made = chain.prepare(folder / "raw")
    datasets = {name: made[OTHER_NAMES.get(name, name)] for name in Prepared._fields}
    return Made(datasets, chain.forecast(made, horizon=6, input_size=24)["results"])


def _in_groups(folder: Path) -> Made:
    packs = []
    for number in range(1, GROUPS + 1):
        place = folder / f"group-{number}"
        place.mkdir()
        take_group(raw=folder / "raw", out=place / "raw", group=number, groups=GROUPS)
        made = Chain(place).prepare(place / "raw")
        packs.append(place / "packed")
        pack_group({name: made[OTHER_NAMES.get(name, name)] for name in Prepared._fields}, out=packs[-1])
    (folder / "gathered").mkdir()
    datasets = {name: folder / "gathered" / name for name in Prepared._fields}
    # Kubeflow Pipelines does not promise an order.
    gather_groups(packs[::-1], known=made["metadata"], outputs=datasets)
    joined = {OTHER_NAMES.get(name, name): path for name, path in datasets.items()}
    around = {name: folder / name for name in ("history", "versions")} | {"metadata": made["metadata"]}
    return Made(datasets, Chain(folder / "gathered").forecast(joined | around, horizon=6, input_size=24)["results"])


def test_the_source_makes_fewer_shards_than_groups(both: tuple[Made, Made]) -> None:
    whole, gathered = both
    assert len(open_dataset(whole.datasets["sequences"]).shards) == SHARDS < GROUPS
    assert open_dataset(gathered.datasets["sequences"]).shards == open_dataset(whole.datasets["sequences"]).shards


@pytest.mark.parametrize("name", Prepared._fields)
def test_every_dataset_has_the_same_shards_byte_for_byte(both: tuple[Made, Made], name: str) -> None:
    whole, gathered = (open_dataset(made.datasets[name]) for made in both)
    assert (gathered.kind, gathered.shards) == (whole.kind, whole.shards)
    for one, other in zip(whole.files(), gathered.files(), strict=True):
        assert other.read_bytes() == one.read_bytes()


def test_results_have_the_same_files_byte_for_byte(both: tuple[Made, Made]) -> None:
    whole, gathered = (contents(made.results) for made in both)
    assert whole.keys() == gathered.keys()
    assert [name for name in whole if whole[name] != gathered[name]] == []


@pytest.mark.parametrize("name", Prepared._fields)
def test_every_dataset_has_the_same_ledger_in_the_same_order(both: tuple[Made, Made], name: str) -> None:
    whole, gathered = (read_trail([made.datasets[name]]).entries for made in both)
    assert gathered.equals(whole)


def test_a_series_that_failed_in_its_group_is_in_the_ledger_of_the_run(both: tuple[Made, Made]) -> None:
    entries = pl.read_parquet(both[1].results / "ledger.parquet").filter(unique_id="broken")
    assert entries.select("step", "status").rows() == [("ingest", "ok"), ("validate", "failed")]


@pytest.mark.parametrize("name", [*Prepared._fields, "results"])
def test_each_step_stands_once_in_the_history_with_what_it_did_in_all_groups(
    both: tuple[Made, Made], name: str
) -> None:
    whole, gathered = (
        {
            record.step: {key: value for key, value in asdict(record).items() if key not in ("started", "seconds")}
            for record in read_trail([{**made.datasets, "results": made.results}[name]]).history
        }
        for made in both
    )
    assert [step for step in gathered if step not in whole] == list(GROUPING)
    for step, record in whole.items():
        meant = gathered[step] | ({"inputs": record["inputs"]} if _read_from_groups(gathered[step]) else {})
        assert meant == record


def _read_from_groups(record: dict[str, object]) -> bool:
    inputs = record["inputs"]
    assert isinstance(inputs, tuple)
    return bool(set(inputs) & set(GROUPING))


def test_the_steps_of_grouping_say_how_many_shards_and_rows_they_moved(both: tuple[Made, Made]) -> None:
    records = {record.step: record for record in read_trail([both[1].results]).history}
    raw, sequences = records["ingest"].rows_out, records["join_series"].rows_out
    taken, packed, gathered = (records[name] for name in GROUPING)
    assert (taken.rows_in, taken.rows_out, taken.counts) == (raw, raw, {"shards": SHARDS})
    assert taken.params == {"groups": GROUPS}
    assert (packed.rows_in, packed.rows_out, gathered.rows_in, gathered.rows_out) == (sequences,) * 4
    assert taken.seconds > 0


def test_what_was_trained_is_the_same(both: tuple[Made, Made]) -> None:
    one, other = (json.loads((made.results / "metrics.json").read_text()) for made in both)
    assert one == other
    assert one["linear"]["windows"] > 0


def test_what_a_run_does_to_rows_has_the_same_fingerprint(both: tuple[Made, Made]) -> None:
    one, other = (parameters_of(read_trail([made.results]).history) for made in both)
    assert one == other
