"""What models in use need, asked of a real MLflow on SQLite and a real lake."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import polars as pl
import pytest

from sparkhu.lake import Append, Lake, create_lake
from sparkhu.registry import Candidate, Comparison, log_model, promote
from sparkhu.registry.reigns import roll_back
from sparkhu.registry.store import registry, tracking_uri
from sparkhu_retention.items import items
from sparkhu_retention.needs.gathering import gathered_needs
from sparkhu_retention.needs.models import model_needs
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.planner import plan
from sparkhu_retention.policies.policy import PolicyVersion, policy_of
from sparkhu_retention.storages.opening import open_retained
from tests.retention_service.needs.test_lakes import publish
from tests.sparkhu.lake.made_rows import DAY, START, observed
from tests.sparkhu.registry.conftest import bundle

__all__ = ["bundle"]

Make = Callable[..., Path]
pytestmark = pytest.mark.xdist_group("registry")
NAME = "needing"
LOGGED = f"m-{'0a' * 16}"


def source(uri: str, first: int, days: int) -> dict[str, object]:
    start = START + first * DAY
    limits = {"start": start.isoformat(), "end": (start + days * DAY).isoformat()}
    return {"uri": uri, "table": "observations", "version": 1, "sha256": "0", "rows": 3, **limits}


def trained(bundle: Make, sources: tuple[dict[str, object], ...], score: float) -> str:
    """Register a version, and promote it where it is the best."""
    folder = bundle(f"m{uuid.uuid4().hex[:8]}", sources=sources)
    version = log_model(folder, name=NAME, metrics={})
    promote(NAME, [Candidate(version, score)], Comparison("mae"))
    return version.version


def spans(needs: list[Need]) -> dict[str, tuple[str, str | None, datetime | None, datetime | None]]:
    return {need.by: (need.storage, need.dataset, need.start, need.end) for need in needs if need.dataset}


def test_without_a_registry_nothing_is_needed_and_none_is_made(home: Path) -> None:
    assert model_needs() == []
    assert not home.exists()


def test_champion_the_one_before_and_every_alias_need_what_they_were_trained_on(bundle: Make) -> None:
    for number in range(4):
        trained(bundle, (source("s3://plant/lake", number, 2),), 1 / (number + 1))
    with registry() as (client, _):
        client.set_registered_model_alias(NAME, "trial", "1")
    needs = model_needs()
    assert spans(needs) == {
        f"'{NAME}' version 1, alias 'trial', was trained on it": (
            "s3://plant/lake",
            "observations",
            START,
            START + 2 * DAY,
        ),
        f"'{NAME}' version 3, which a roll back leads to, was trained on it": (
            "s3://plant/lake",
            "observations",
            START + 2 * DAY,
            START + 4 * DAY,
        ),
        f"champion '{NAME}' version 4 was trained on it": (
            "s3://plant/lake",
            "observations",
            START + 3 * DAY,
            START + 5 * DAY,
        ),
    }
    kept = {each: need.by for need in needs for each in need.ids}
    assert set(kept) == {f"versions/{NAME}/{number}" for number in (1, 3, 4)}
    assert kept[f"versions/{NAME}/3"] == f"'{NAME}' version 3, which a roll back leads to is in use"
    roll_back(NAME)
    assert f"'{NAME}' version 2, which a roll back leads to, was trained on it" in spans(model_needs())


def test_what_a_version_was_trained_on_is_read_once(bundle: Make, home: Path) -> None:
    trained(bundle, (source("s3://plant/lake", 0, 2),), 1.0)
    needs = model_needs()
    for file in home.rglob("lineage.json"):
        file.unlink()
    assert model_needs() == needs
    trained(bundle, (source("s3://plant/lake", 4, 2),), 0.5)
    assert f"champion '{NAME}' version 2 was trained on it" in spans(model_needs())


def test_an_alias_on_a_model_of_another_program_holds_the_model_alone(bundle: Make, tmp_path: Path) -> None:
    trained(bundle, (), 1.0)
    with registry() as (client, _):
        client.create_registered_model("theirs")
        client.create_model_version("theirs", str(tmp_path), None)
        assert not any("theirs" in need.by for need in model_needs())
        client.set_registered_model_alias("theirs", "production", "1")
    words = "'theirs' version 1, alias 'production'"
    assert [need for need in model_needs() if "theirs" in need.by] == [
        Need(f"{words} is in use", "", ids=frozenset({"versions/theirs/1"})),
        Need(f"{words}, has it among its files", str(tmp_path)),
    ]


def test_a_file_that_a_champion_was_trained_on_stays(bundle: Make, tmp_path: Path) -> None:
    files = [{"uri": str(tmp_path / "data" / name), "sha256": "0", "rows": 1} for name in ("a.csv", "deep/*.csv")]
    trained(bundle, tuple(files), 1.0)  # type: ignore[arg-type]
    there = items({"id": ["a.csv", "b.csv", "deep/c.csv"], "end": [START] * 3})
    rule = PolicyVersion(policy_of({"name": "p", "archive_after": "1 day"}))
    found = plan(str(tmp_path / "data"), [there], [rule], now=START + 9 * DAY, needs=gathered_needs([]))
    assert found["action"].to_list() == ["held", "archive", "held"]
    assert found["held_by"][0].to_list() == [f"champion '{NAME}' version 1 was trained on it"]


def test_the_files_of_models_in_use_and_of_their_runs_stay_and_those_of_others_go(bundle: Make, home: Path) -> None:
    for number in range(3):
        trained(bundle, (), 1 / (number + 1))
    with registry() as (client, _):
        versions = [client.get_model_version(NAME, str(number)) for number in (1, 2, 3)]
        models = [urlsplit(each.source).path for each in versions]
        runs = [urlsplit(client.get_run(each.run_id).info.artifact_uri).path for each in versions]
    rule = PolicyVersion(policy_of({"name": "p", "archive_after": "1 year"}))
    later, files = datetime.now(UTC) + timedelta(days=800), open_retained(str(home), "folder")
    found = plan(str(home), files.items(), [rule], now=later, needs=gathered_needs([]))
    held = {str(home / each) for each in found.filter(pl.col("action") == "held")["id"]}
    in_use = [*models[1:], *runs[1:]]
    assert held == {str(path) for place in in_use for path in Path(place).rglob("*") if path.is_file()}
    assert {f"{models[2]}/MLmodel", f"{runs[2]}/lineage.json"} <= held
    gone = {str(home / each) for each in found.filter(pl.col("action") == "archive")["id"]}
    assert {f"{models[0]}/MLmodel", f"{runs[0]}/lineage.json"} <= gone
    said = found.filter(pl.col("id").str.ends_with("lineage.json"), pl.col("action") == "held")["held_by"].to_list()
    assert [f"champion '{NAME}' version 3 has it among its files"] in said


@pytest.mark.parametrize("source", ["run", "logged model", "bucket", "server", "address of a server"])
def test_files_are_found_however_a_version_names_them(
    bundle: Make, home: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    trained(bundle, (), 1.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri())
    with registry() as (client, _):
        made = client.get_model_version(NAME, "1")
        model, run = Path(urlsplit(made.source).path), client.get_run(made.run_id).info.artifact_uri
        named, place = {
            "run": (f"runs:/{made.run_id}/theirs", f"{urlsplit(run).path}/theirs"),
            "logged model": (f"models:/{model.parent.name}", str(model)),
            "bucket": ("s3://plant/mlflow/models/m-1/artifacts", "s3://plant/mlflow/models/m-1/artifacts"),
            "server": (
                f"mlflow-artifacts:/1/models/{LOGGED}/artifacts",
                f"s3://plant/mlflow/1/models/{LOGGED}/artifacts",
            ),
            "address of a server": (
                f"http://mlflow:5000/api/2.0/mlflow-artifacts/artifacts/1/models/{LOGGED}/artifacts/",
                f"s3://plant/1/models/{LOGGED}/artifacts",
            ),
        }[source]
        client.create_registered_model("theirs")
        client.create_model_version("theirs", named)
        client.set_registered_model_alias("theirs", "production", "1")
    root = "s3://plant" if place.startswith("s3://plant") else str(home)
    file = f"{place}/model.pkl".removeprefix(f"{root}/")
    rule = PolicyVersion(policy_of({"name": "p", "archive_after": "1 day"}))
    there = items({"id": [file, "other.pkl"], "end": [START] * 2})
    needs = [need for need in gathered_needs([]) if "theirs" in need.by]
    found = plan(root, [there], [rule], now=START + 9 * DAY, needs=needs)
    assert found["action"].to_list() == ["held", "archive"]


@pytest.mark.parametrize("how", ["gone", "away"])
def test_what_cannot_be_asked_is_needed_everywhere(
    bundle: Make, home: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    trained(bundle, (source("s3://plant/lake", 0, 2),), 1.0)
    if how == "gone":
        for file in home.rglob("lineage.json"):
            file.unlink()
    else:
        monkeypatch.setenv("SPARKHU_TRACKING_URI", "http://127.0.0.1:9")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    everything = [need for need in model_needs() if need.storage == "" and not need.ids]
    assert len(everything) == 1
    assert "cannot be" in everything[0].by
    found = plan("s3://other", [items({"id": ["1"]})], [], now=START, needs=everything)
    assert found["held_by"].to_list() == [[everything[0].by]]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of five days, which were processed, and the one behind them as well."""
    made = create_lake(str(tmp_path / "lake"))
    made.commit({"observations": Append(observed(hours=120))}, run="ingest", based_on=made.version())
    for day in range(6):
        publish(made, day, 0)
    return made


def test_files_of_a_lake_that_the_champion_was_trained_on_are_held_and_others_go(bundle: Make, lake: Lake) -> None:
    trained(bundle, (source(lake.uri, 1, 2),), 1.0)
    files = lake.version().table("observations").files()
    there = items(
        {
            "id": [file.path for file in files],
            "dataset": ["observations"] * 5,
            "start": [file.first for file in files],
            "end": [file.last + timedelta(microseconds=1) for file in files if file.last],
        }
    )
    rule = PolicyVersion(policy_of({"name": "p", "archive_after": "1 day"}))
    found = plan(lake.uri, [there], [rule], now=START + 30 * DAY, needs=gathered_needs([(lake.uri, "lake")]))
    assert found["action"].to_list() == ["archive", "held", "held", "archive", "archive"]
