"""Runs and model versions of MLflow: what holds them back, and runs of retention that are killed."""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.storages import mlflow_files
from sparkhu_retention.storages.mlflow import Tracking
from sparkhu_retention.storages.opening import open_retained
from sparkhu_retention.storages.protocol import Changed
from tests.retention_service.storages.cases_mlflow import TrackingCase, files_in

MARK = "run-1"


@pytest.fixture(params=["sqlite", "postgresql"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> TrackingCase:
    if request.param == "postgresql":
        return TrackingCase(tmp_path, request.getfixturevalue("mlflow_on_postgresql"))
    shutil.copyfile(request.getfixturevalue("mlflow_schema"), tmp_path / "mlflow.db")
    return TrackingCase(tmp_path)


def listed(case: TrackingCase) -> pl.DataFrame:
    return pl.concat(open_retained(case.uri).items()).sort("id")


def contents(case: TrackingCase) -> dict[str, str]:
    return dict(listed(case).select("id", "content").iter_rows())


def test_what_is_needed_is_held_back_and_never_buried(case: TrackingCase) -> None:
    run, first, second = case.ids
    planned = contents(case)
    case.client.set_registered_model_alias("demo", "champion", "1")
    source = case.client.get_model_version("demo", "2").source
    assert source is not None
    again = case.client.create_model_version("demo", source, case.run).version
    going_on = case.client.create_run(case.experiment).info.run_id
    held = dict(listed(case).select("id", "holds").iter_rows())
    assert held == {
        run: [f"model 'demo' version {again} came from it"],
        first: ["alias 'champion'"],
        second: [f"model 'demo' version {again} has the same files"],
        f"versions/demo/{again}": ["model 'demo' version 2 has the same files"],
        f"runs/{case.experiment}/{going_on}": ["it has not ended"],
    }
    for item, content in planned.items():
        with pytest.raises(Changed):
            Tracking(case.uri).bury({item: content}, MARK)
    assert list(Tracking(case.uri).buried()) == []


def test_runs_and_versions_are_lines_of_their_experiment_and_model(case: TrackingCase) -> None:
    told = listed(case)
    assert told["dataset"].to_list() == ["runs/trials", "models/demo", "models/demo"]
    assert told["line"].to_list() == told["dataset"].to_list()
    assert told["tags"].to_list() == [["kind=trial"], ["t=1"], ["t=1"]]


def test_the_number_of_a_purged_version_is_never_given_again(case: TrackingCase, tmp_path: Path) -> None:
    _, _, last = case.ids
    storage = Tracking(case.uri)
    storage.bury({last: contents(case)[last]}, MARK)
    storage.purge([last], MARK)
    assert case.made_version(tmp_path) == "versions/demo/3"


class Killed(BaseException):
    pass


def test_a_purge_that_is_killed_is_finished_and_not_taken_back(
    case: TrackingCase, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned, storage = contents(case), Tracking(case.uri)
    storage.bury(planned, MARK)
    remove = mlflow_files.remove

    def killed(place: str, kept: Collection[str]) -> None:
        remove(place, kept)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(mlflow_files, "remove", killed)
        with pytest.raises(Killed):
            storage.purge(case.ids, MARK)
    assert {each.id for each in storage.buried()} == set(case.ids)
    half = [item for item in case.ids if _raises(lambda item=item: storage.unbury([item], MARK))]
    assert len(half) == 1, "what lacks its files is not put back"
    assert storage.purge(half, MARK) > 0
    assert {item for item in case.ids if case.read(item) is not None} == set(case.ids) - set(half)


def _raises(act: Callable[[], Any]) -> bool:
    try:
        act()
    except SparkhuError as error:
        return "was purged" in str(error)
    return False


def test_a_run_that_somebody_restores_in_mlflow_is_not_purged_and_may_be_buried_again(case: TrackingCase) -> None:
    run = case.ids[0]
    before, storage = case.read(run), Tracking(case.uri)
    storage.bury({run: contents(case)[run]}, MARK)
    case.client.restore_run(case.run)
    assert list(storage.buried()) == []
    with pytest.raises(Changed, match="restored it in MLflow"):
        storage.purge([run], MARK)
    kept = {each: value for each, value in enumerate(before) if each != 2}  # type: ignore[arg-type]
    now = case.read(run)
    assert {each: now[each] for each in kept} == kept  # type: ignore[index]
    storage.unbury([run], MARK)
    storage.bury({run: contents(case)[run]}, "run-2")
    assert [(each.id, each.mark) for each in storage.buried()] == [(run, "run-2")]
    assert storage.purge([run], "run-2") > 0
    assert case.read(run) is None


def test_files_that_a_later_version_is_made_of_are_not_purged_with_an_earlier_one(case: TrackingCase) -> None:
    first, second = case.ids[1:]
    planned, storage = contents(case), Tracking(case.uri)
    storage.bury({each: planned[each] for each in (first, second)}, MARK)
    source = case.source(first)
    case.client.create_registered_model("other")
    case.client.create_model_version("other", f"{source}/")
    before = files_in(source)
    with pytest.raises(Changed, match=r"model 'other' version 1 has the same files"):
        storage.purge([second, first], MARK)
    assert files_in(source) == before
    assert storage.unbury([second], MARK) is None, "nothing of the call was done"
    storage.unbury([first], MARK)
    assert case.read(first) is not None


def test_of_two_buried_versions_with_the_same_files_the_one_that_is_purged_last_takes_them(
    case: TrackingCase, tmp_path: Path
) -> None:
    first = case.ids[1]
    storage = Tracking(case.uri)
    storage.bury({first: contents(case)[first]}, MARK)
    source = case.source(first)
    number = case.client.create_model_version("demo", source).version
    again = f"versions/demo/{number}"
    storage.bury({again: contents(case)[again]}, MARK)
    before = files_in(source)
    assert storage.purge([first], MARK) > 0
    assert files_in(source) == before
    storage.unbury([again], MARK)
    exported = list(storage.export({again: contents(case)[again]}, tmp_path / "scratch"))
    assert f"{again}/rows/logged_model_tags.parquet" in {each.path for each in exported}
    storage.bury({again: contents(case)[again]}, "run-2")
    storage.purge([again], "run-2")
    assert files_in(source) == {}


def test_a_run_keeps_its_files_when_a_version_that_was_made_of_them_is_purged(case: TrackingCase) -> None:
    place = case.client.get_run(case.run).info.artifact_uri
    case.client.create_registered_model("other")
    named = [f"{place}/notes/", f"{place}", f"runs:/{case.run}/notes"]
    numbers = [case.client.create_model_version("other", each).version for each in named]
    told = dict(listed(case).select("id", "holds").iter_rows())
    assert told[case.ids[0]] == [f"model 'other' version {number} has files of it" for number in numbers]
    assert all(told[f"versions/other/{number}"] for number in numbers)
    for number in numbers[1:]:
        case.client.delete_model_version("other", number)
    storage, item = Tracking(case.uri), f"versions/other/{numbers[0]}"
    before = files_in(place)
    assert before
    storage.bury({item: contents(case)[item]}, MARK)
    storage.purge([item], MARK)
    assert files_in(place) == before
    storage.bury({case.ids[0]: contents(case)[case.ids[0]]}, MARK)
    storage.purge([case.ids[0]], MARK)
    assert files_in(place) == {}


def test_of_a_run_that_goes_the_files_of_a_version_that_may_come_back_stay(case: TrackingCase) -> None:
    run, place = case.ids[0], case.client.get_run(case.run).info.artifact_uri
    case.client.log_text(case.run, "weights", "model/weights.txt")
    case.client.create_registered_model("other")
    case.client.create_model_version("other", f"{place}/model")
    storage, version = Tracking(case.uri), "versions/other/1"
    storage.bury({version: contents(case)[version]}, MARK)
    storage.bury({run: contents(case)[run]}, MARK)
    sizes = {each.id: each.bytes for each in storage.buried()}
    assert storage.purge([run], MARK) == sizes[run] - len("weights")
    assert files_in(place) == {"model/weights.txt": b"weights"}
    storage.purge([version], MARK)
    assert files_in(place) == {}


def test_a_run_that_measured_a_model_of_another_stays_and_goes_and_comes_back_with_its_metrics(
    case: TrackingCase, tmp_path: Path
) -> None:
    version, storage = case.ids[1], Tracking(case.uri)
    model = case.source(version).split("/")[-2]
    run = case.client.create_run(case.experiment).info.run_id
    case.client.log_metric(run, "drift", 0.125, model_id=model)
    case.client.set_terminated(run)
    item = f"runs/{case.experiment}/{run}"
    held = [f"logged model '{model}' has metrics of it"]
    before, planned = case.read(version), contents(case)
    archived = list(storage.export({each: planned[each] for each in (item, version)}, tmp_path / "scratch"))
    assert listed(case).filter(pl.col("id") == item)["holds"].to_list() == [held]
    storage.bury({version: planned[version]}, MARK)
    assert listed(case).filter(pl.col("id") == item)["holds"].to_list() == [held], "the version may come back"
    storage.purge([version], MARK)
    storage.bury({item: contents(case)[item]}, MARK)
    storage.purge([item], MARK)
    for each in (version, item):
        some = [file for file in archived if file.id == each]
        storage.put_back(some, tmp_path / "scratch")
    assert case.read(version) == before
    metrics = case.client.get_logged_model(model).metrics
    assert sorted(each.key for each in metrics or ()) == ["drift", "r2"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_run_and_a_version_within_it_that_are_purged_together_leave_no_file(case: TrackingCase, order: int) -> None:
    run, place = case.ids[0], case.client.get_run(case.run).info.artifact_uri
    case.client.create_registered_model("other")
    case.client.create_model_version("other", f"{place}/notes")
    storage, version = Tracking(case.uri), "versions/other/1"
    for each in (version, run):
        storage.bury({each: contents(case)[each]}, MARK)
    storage.purge([run, version][::order], MARK)
    assert files_in(place) == {}


BEFORE_WORKSPACES = "c8d9e0f1a2b3"
"""The last revision of MLflow's database before model versions had a workspace."""


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of its migrations
def test_versions_of_an_mlflow_that_knows_no_workspaces_go_and_come_back(tmp_path: Path) -> None:
    from alembic import command
    from mlflow.store.db.utils import _get_alembic_config
    from mlflow.store.tracking.dbmodels.initial_models import Base

    uri, item, place = f"sqlite:///{tmp_path / 'mlflow.db'}", "versions/demo/1", tmp_path / "model"
    engine = create_engine(uri, poolclass=NullPool)
    Base.metadata.create_all(engine)
    command.upgrade(_get_alembic_config(uri), BEFORE_WORKSPACES)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO registered_models (name) VALUES ('demo')"))
        named = "name, version, current_stage, source, storage_location, creation_time"
        values = {"place": place.as_uri()}
        asked = f"INSERT INTO model_versions ({named}) VALUES ('demo', 1, 'None', :place, :place, 1700000000000)"
        connection.execute(text(asked), values)
    place.mkdir()
    (place / "MLmodel").write_text("flavors: {}")
    storage = Tracking(uri)
    (told,) = storage.items()
    assert told["id"].to_list() == [item]
    for mark in ("run-1", "run-2"):
        storage.bury({item: told["content"][0]}, mark)
        assert [each.mark for each in storage.buried()] == [mark]
        assert list(storage.items()) == []
        if mark == "run-1":
            storage.unbury([item], mark)
    assert storage.purge([item], "run-2") > 0
    assert not place.exists()


def test_other_databases_are_refused_and_passwords_are_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^uri must lead to MLflow's database"):
        Tracking(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(SparkhuError) as caught:
        Tracking("postgresql+psycopg://sparkhu:hidden@127.0.0.1:1/mlflow")
    assert "hidden" not in str(caught.value)
