"""Facts about the components together: the order of the input, shards and workers change nothing; nothing is lost."""

import json
import random
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from tests.components.chain import Chain
from tests.pipelines.conftest import write_observations

TABLES = (
    *("clean", "stats", "forecasts", "quarantine", "duplicates", "choices", "scores", "profile"),
    *("categories", "seasons", "limits", "level_changes", "handling", "handling_scores", "cleaning"),
)
pytestmark = pytest.mark.xdist_group("chain")


def results(folder: Path, *, rows_per_shard: int, workers: int, shuffled: bool = False) -> dict[str, Path]:
    folder.mkdir()
    source = folder / "observations.csv"
    write_observations(source, hours=range(400))
    if shuffled:
        header, *lines = source.read_text().splitlines()
        random.Random(3).shuffle(lines)
        source.write_text("\n".join([header, *lines]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_WORKERS", str(workers))
        patch.setenv("SPARKHU_HOME", str(folder / "home"))
        chain, raw = Chain(folder), folder / "raw"
        ingest_source(
            str(source),
            SourceOptions(),
            out=raw,
            history=raw.with_name("history"),
            versions=raw.with_name("versions"),
            rows_per_shard=rows_per_shard,
        )
        return chain.forecast(chain.prepare(raw), horizon=6, input_size=24)


@pytest.fixture(scope="module")
def one_shard(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return results(tmp_path_factory.mktemp("one") / "run", rows_per_shard=1_000_000, workers=1)


def table(made: dict[str, Path], name: str) -> pl.DataFrame:
    frame = pl.read_parquet(made["results"] / f"{name}.parquet").drop("estimated_at", strict=False)
    return frame.drop("source_row", strict=False)


@pytest.fixture(scope="module")
def several_shards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return results(tmp_path_factory.mktemp("several") / "run", rows_per_shard=500, workers=2)


@pytest.mark.slow
def test_the_number_of_workers_changes_no_bit(several_shards: dict[str, Path], tmp_path: Path) -> None:
    alone = results(tmp_path / "run", rows_per_shard=500, workers=1)

    for name in TABLES:
        assert table(alone, name).equals(table(several_shards, name)), name
    assert (alone["results"] / "metrics.json").read_text() == (several_shards["results"] / "metrics.json").read_text()


@pytest.mark.slow
def test_the_number_of_shards_changes_no_bit(one_shard: dict[str, Path], several_shards: dict[str, Path]) -> None:
    for name in TABLES:
        assert table(several_shards, name).equals(table(one_shard, name)), name
    documents = [(made["results"] / "metrics.json").read_text() for made in (several_shards, one_shard)]
    assert documents[0] == documents[1]


@pytest.mark.slow
def test_columns_that_no_step_reads_change_no_bit(
    one_shard: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sparkhu.execution", "sparkhu.stages.detecting"):
        monkeypatch.setattr(f"{module}.columns_read", lambda _: {})
    whole = results(tmp_path / "run", rows_per_shard=1_000_000, workers=1)
    for name in TABLES:
        assert_frame_equal(table(whole, name), table(one_shard, name), check_exact=True)


def test_the_order_of_the_input_changes_nothing(one_shard: dict[str, Path], tmp_path: Path) -> None:
    """But for the one conflicting duplicate, whose policy is the order of the source."""
    shuffled = results(tmp_path / "run", rows_per_shard=1_000_000, workers=1, shuffled=True)
    apart = pl.col("unique_id") != "pump"

    for name in ("clean", "stats", "forecasts", "choices"):
        assert table(shuffled, name).filter(apart).equals(table(one_shard, name).filter(apart)), name


def test_the_results_hold_every_series_and_the_card_says_what_the_champion_is(one_shard: dict[str, Path]) -> None:
    metrics = json.loads((one_shard["results"] / "metrics.json").read_text())
    card = one_shard["card"].read_text()

    assert set(table(one_shard, "clean")["unique_id"]) == {"boiler", "pump", "still", "visitors", "short"}
    assert card.startswith(f"# chain, version {1 if metrics['champion'] == 'linear' else 2}: {metrics['champion']}\n")
    assert f"| linear | {metrics['linear']['mse']:.3f} |" in card
    assert "observations.csv" in card


def test_the_champion_holds_no_code_and_no_pickle(one_shard: dict[str, Path]) -> None:
    kinds = {path.suffix for path in one_shard["champion"].rglob("*") if path.is_file()}

    assert kinds == {".json", ".parquet", ".safetensors"}
