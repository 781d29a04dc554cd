"""Facts about a run beside the champion of an earlier one, on a real registry: scored, damaged, or away."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from sparkhu.errors import InputError, RegistryAwayError
from sparkhu.models.bundle import MANIFEST, read_bundle
from sparkhu.registry import champion_of, load_champion
from sparkhu.registry.registering import register_later
from sparkhu.registry.store import registry
from sparkhu.shards import open_dataset
from sparkhu.sources import SourceOptions
from sparkhu.stages.ingesting import ingest_source
from sparkhu.stages.standing import find_standing
from sparkhu_cli.main import sparkhu
from tests.components.chain import Chain

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stages")]
START = datetime(2024, 1, 1, tzinfo=UTC)
CLOSED = "http://127.0.0.1:9"
SIZES = {"horizon": 6, "input_size": 24}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, noise = tmp_path_factory.mktemp("standing"), np.random.default_rng(5)
    season = 10 + 3 * np.sin(np.arange(300) * 2 * np.pi / 24)
    lines = ["series,when,reading"]
    for name in ("a", "b"):
        values = season + noise.normal(0, 0.3, 300)
        lines += [f"{name},{(START + timedelta(hours=at)).isoformat()},{value}" for at, value in enumerate(values)]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    ingest_source(str(folder / "rows.csv"), SourceOptions(), out=folder / "raw", history=folder / "history",
                  versions=folder / "versions")  # fmt: skip
    return Chain(folder).prepare(folder / "raw")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    return tmp_path / "home"


def run(folder: Path, prepared: dict[str, Path], sizes: dict[str, int] | None = None) -> dict[str, Path]:
    folder.mkdir()
    return Chain(folder).forecast(prepared, **(sizes or SIZES))


def gate_of(made: dict[str, Path]) -> dict[str, Any]:
    return json.loads((made["results"] / "metrics.json").read_text())["gate"]


def test_the_same_run_again_scores_the_champion_as_its_equal_and_leaves_it_in_place(
    home: Path, tmp_path: Path, prepared: dict[str, Path]
) -> None:
    first = run(tmp_path / "first", prepared)
    assert gate_of(first)["reigning"]["version"] is None
    before = champion_of("chain")
    assert before is not None

    again = run(tmp_path / "again", prepared)

    gate = gate_of(again)
    assert gate["champion"] == "linear"
    assert gate["reigning"]["version"] == before.version
    assert gate["reigning"]["score"] == pytest.approx(gate["scores"]["linear"], rel=1e-9)
    assert gate["reigning"]["challenger"] == gate["scores"]["linear"]
    assert gate["model_name"] == "chain"
    assert gate["scores"] == gate_of(first)["scores"]
    assert gate["windows"] == gate_of(first)["windows"] > 0
    with registry() as (client, _):
        text = client.get_model_version("chain", before.version).tags["sparkhu.promotion"]
        evidence = json.loads(text)
    assert evidence["scores"][before.version] == gate["reigning"]["score"]
    assert (evidence["evidence"]["windows"], evidence["evidence"]["series"]) == (gate["windows"], 2)
    assert champion_of("chain") == before
    assert evidence["reason"].startswith(f"no challenger is better than champion {before.version}")
    card = again["card"].read_text()
    assert f"| champion {before.version}, of an earlier run | " in card

    # With another horizon it cannot be compared, and gives way.
    other = run(tmp_path / "other", prepared, {"horizon": 4, "input_size": 24})
    assert gate_of(other)["reigning"]["told"] == "it can forecast 0 of 2 series, 2 are of another horizon"
    assert "gives way: it can forecast 0 of 2 series, 2 are of another horizon" in other["card"].read_text()
    assert champion_of("chain") != before


def test_a_registry_that_is_away_keeps_the_models_on_disk_to_be_registered_later(
    home: Path, tmp_path: Path, prepared: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARKHU_TRACKING_URI", CLOSED)
    made = run(tmp_path / "run", prepared)
    gate = gate_of(made)
    assert not gate["reigning"]["gives_way"]
    assert f"the model registry at '{CLOSED}' failed" in gate["reigning"]["told"]
    assert "Not registered: the registry was away" in made["card"].read_text()
    assert (made["results"] / "forecasts.parquet").is_file()
    kept = tmp_path / "results" / "unregistered"
    shutil.copytree(made["champion"], kept)
    assert read_bundle(kept).flavor == gate["champion"]
    with pytest.raises(RegistryAwayError, match="failed"):
        register_later(kept.parent)

    monkeypatch.delenv("SPARKHU_TRACKING_URI")
    done = CliRunner().invoke(sparkhu, ["register", str(kept.parent)])

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].startswith("✓ registered as versions 1 (linear), 2 (seasonal_naive) of 'chain'")
    loaded, version = load_champion("chain", tmp_path / "loaded")
    assert (loaded.flavor, version.version) == ("linear", "1")
    with registry() as (client, _):
        evidence = json.loads(client.get_model_version("chain", "1").tags["sparkhu.promotion"])
    assert evidence["scores"] == {"1": gate["scores"]["linear"], "2": gate["scores"]["seasonal_naive"]}
    assert evidence["evidence"]["windows"] == gate["windows"]
    again = CliRunner().invoke(sparkhu, ["register", str(kept.parent)])
    assert again.exit_code == 2
    assert "as versions 1, 2 of 'chain'" in again.output


def test_a_champion_that_the_run_could_not_ask_for_is_not_replaced_later(
    home: Path, tmp_path: Path, prepared: dict[str, Path]
) -> None:
    run(tmp_path / "first", prepared)
    before = champion_of("chain")
    database = home / "mlflow.db"
    whole = database.read_bytes()
    database.write_bytes(b"no database" * 500)
    away = run(tmp_path / "away", prepared)
    database.write_bytes(whole)

    decision = register_later(away["champion"])

    assert before is not None
    assert decision.champion == before.version != decision.best
    assert decision.reason.startswith(f"champion {before.version} was not compared and stays: the model registry at")
    assert champion_of("chain") == before


def test_a_registry_that_cannot_be_written_goes_on_where_it_stopped(
    home: Path, tmp_path: Path, prepared: dict[str, Path]
) -> None:
    run(tmp_path / "first", prepared)
    with sqlite3.connect(home / "mlflow.db") as database:
        # From the second version on, as where a disk is full.
        database.execute(
            "CREATE TRIGGER full BEFORE INSERT ON model_versions WHEN NEW.version > 3 BEGIN "
            "SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    away = run(tmp_path / "away", prepared)
    told = json.loads((away["champion"] / "registration.json").read_text())
    assert [each["version"] for each in told["versions"].values()] == ["3"]
    assert told["gate"]["reigning"]["score"] is not None
    with sqlite3.connect(home / "mlflow.db") as database:
        database.execute("DROP TRIGGER full")

    decision = register_later(away["champion"])

    assert sorted(decision.scores) == ["1", "3", "4"]


def test_a_damaged_champion_loses_no_run_and_gives_way(home: Path, tmp_path: Path, prepared: dict[str, Path]) -> None:
    made = run(tmp_path / "first", prepared)
    before = champion_of("chain")
    assert before is not None
    plan = open_dataset(tmp_path / "first" / "index_windows-plan").scan().collect()
    standing, reigning = find_standing("chain", plan, tmp_path / "whole")
    assert reigning is not None
    assert standing.takes_part
    with registry() as (client, _):
        place = Path(client.get_model_version("chain", before.version).source.removeprefix("file://"))
    (manifest,) = place.rglob(MANIFEST)
    whole = manifest.read_text()
    newer = whole.replace('"schema_version": 3', '"schema_version": 4')
    for number, (content, said, gives_way) in enumerate([("{", "is no JSON", True), (newer, "schema 4", False)]):
        manifest.write_text(content)
        standing, reigning = find_standing("chain", plan, tmp_path / f"damaged-{number}")
        assert (reigning, standing.gives_way) == (None, gives_way)
        assert said in standing.told
    elsewhere = place.rename(tmp_path / "elsewhere")
    standing, reigning = find_standing("chain", plan, tmp_path / "gone")
    assert (reigning, standing.version, standing.gives_way) == (None, before.version, False)
    assert "cannot be fetched" in standing.told
    elsewhere.rename(place)
    manifest.write_text("{")
    again = run(tmp_path / "again", prepared)
    assert champion_of("chain") != before
    assert gate_of(again)["scores"] == gate_of(made)["scores"]


def test_a_folder_that_keeps_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="keeps nothing to be registered"):
        register_later(tmp_path)
