"""`feast` from the shell works in `feature_repo` as its users know it; the installed package says the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sparkhu.settings import Settings
from sparkhu_features.store import open_store, store_features
from tests.feature_repo.made_lake import generation, made_lake, targets_rows

REPO = Path(__file__).resolve().parent.parent.parent / "feature_repo"


def feast(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("feast")), "-c", str(REPO), *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(command, check=False, env=environment, capture_output=True, text=True, cwd=REPO.parent)


def test_the_file_says_what_the_package_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_LAKE", "lake")
    ours = open_store("lake").config
    told = open_store("lake", repo=REPO / "feature_store.yaml").config
    for name in ("project", "provider", "entity_key_serialization_version", "batch_engine"):
        assert getattr(told, name) == getattr(ours, name)
    for name in ("registry", "offline_store", "online_store"):
        assert getattr(told, name).model_dump() == getattr(ours, name).model_dump()


def test_the_cluster_twin_has_the_same_offline_store_and_engine() -> None:
    here, there = (yaml.safe_load((REPO / f"feature_store{name}.yaml").read_text("utf-8")) for name in ("", ".cluster"))
    for name in ("project", "offline_store", "batch_engine", "entity_key_serialization_version"):
        assert here[name] == there[name]
    assert there["online_store"]["type"] == "postgres"


def test_the_repository_registers_all_that_the_package_defines() -> None:
    from sparkhu_features import definitions

    names = {name for name, value in vars(definitions).items() if value in definitions.DEFINITIONS}
    text = (REPO / "definitions.py").read_text("utf-8")
    assert len(names) == len(definitions.DEFINITIONS)
    assert {name for name in names if f'"{name}"' in text} == names


def test_what_a_model_sees_and_what_it_predicts_share_no_view() -> None:
    from sparkhu_features.definitions import model_inputs, model_targets, targets

    seen, predicted = (
        {view.name for view in service.feature_view_projections} for service in (model_inputs, model_targets)
    )
    assert predicted == {"targets"}
    assert seen & predicted == set()
    assert not targets.online


@pytest.mark.slow
def test_apply_list_and_materialise_from_the_shell(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    lake.commit({"targets": targets_change()}, run="test", based_on=lake.version())
    applied = feast("apply", SPARKHU_LAKE=lake.uri)
    assert applied.returncode == 0, applied.stderr
    assert "series_state" in applied.stdout
    listed = feast("feature-views", "list", SPARKHU_LAKE=lake.uri)
    for view in ("series_state", "series_statistics", "series_scaler", "series_parts", "targets"):
        assert view in listed.stdout
    done = feast("materialize-incremental", "2024-02-01T00:00:00", SPARKHU_LAKE=lake.uri)
    assert done.returncode == 0, done.stderr
    store = open_store(lake.uri)
    assert store.get_online_features(["series_state:last_value"], [{"unique_id": "s1"}]).to_dict()["last_value"] == [2]
    assert (Settings().home / "features" / "online.db").is_file()


def targets_change() -> object:
    from sparkhu.lake import Append
    from tests.sparkhu.made_shard import hours

    return Append(targets_rows([("s0", hours(1), hours(2), [1.0])]))


@pytest.mark.slow
def test_a_lake_that_is_not_named_is_asked_for_in_the_shell() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SPARKHU_LAKE"}
    command = [str(Path(sys.executable).with_name("feast")), "-c", str(REPO), "apply"]
    said = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    assert said.returncode != 0
    assert "no lake is named. Set SPARKHU_LAKE" in said.stderr


def test_a_store_of_another_kind_is_written_as_feast_writes_it(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    settings = yaml.safe_load((REPO / "feature_store.cluster.yaml").read_text("utf-8"))
    settings["registry"]["path"] = f"sqlite:///{tmp_path}/registry-of-sql.db"
    settings["online_store"] = {"type": "sqlite", "path": str(tmp_path / "feasts-own.db")}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(settings))
    assert store_features(lake.uri, repo=tmp_path / "other.yaml") == {}
    store = open_store(lake.uri, repo=tmp_path / "other.yaml")
    answer = store.get_online_features(["series_state:last_value"], [{"unique_id": "s1"}]).to_dict()
    assert answer["last_value"] == [2]
    assert (tmp_path / "feasts-own.db").is_file()


def test_a_file_of_settings_that_is_missing_is_named(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    from sparkhu.errors import InputError

    with pytest.raises(InputError, match=r"there is no file '.*nowhere.yaml'"):
        store_features(lake.uri, repo=tmp_path / "nowhere.yaml")
