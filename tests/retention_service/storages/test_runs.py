"""Results of runs: what holds one back, and what an archive can do to a folder."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu_retention.storages.opening import open_retained
from sparkhu_retention.storages.protocol import Changed, Exported
from sparkhu_retention.storages.runs import Runs
from tests.retention_service.storages.cases import RunsCase


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return RunsCase(tmp_path).root


def listed(root: Path) -> pl.DataFrame:
    return pl.concat(open_retained(str(root), "runs").items()).sort("id")


def test_runs_are_dated_by_what_they_say_and_are_versions_of_their_pipeline(root: Path) -> None:
    told = listed(root)
    assert told["end"].to_list() == [datetime(2024, 1, day, 5, tzinfo=UTC) for day in (1, 2, 3)]
    assert told["dataset"].to_list() == ["forecast", "north/forecast", "north/forecast"]
    assert told["line"].to_list() == told["dataset"].to_list()
    assert told["holds"].to_list() == [[], [], []]


def test_runs_that_are_needed_or_cannot_be_archived_are_held_back(root: Path) -> None:
    (root / "first/unregistered/registration.json").write_text('{"registered_at": null}')
    (root / "north/monday/link").symlink_to("/etc/passwd")
    (root / "north/tuesday/run.json").write_text("half")
    assert listed(root)["holds"].to_list() == [
        ["its models wait for the registry: sparkhu register"],
        ["it has symbolic links, which no archive keeps"],
        ["its run.json cannot be read"],
    ]


@pytest.mark.parametrize("name", ["link", "unregistered/registration.json", "run.json"])
def test_a_run_that_something_holds_since_the_plan_is_refused_as_changed(root: Path, name: str) -> None:
    planned = dict(listed(root).select("id", "content").iter_rows())
    if name == "link":
        (root / "first" / name).symlink_to("/etc/passwd")
    else:
        (root / "first" / name).write_text('{"registered_at": null}')
    assert listed(root)["holds"].to_list()[0]
    with pytest.raises(Changed):
        Runs(str(root)).bury(planned, "run-1")
    assert list(Runs(str(root)).buried()) == []


def test_an_archive_cannot_write_beside_its_run(root: Path, tmp_path: Path) -> None:
    evil = hashlib.sha256(b"evil").hexdigest()
    for path in ("../x", "/etc/x", "other/x", "new/../../x", "new/%2e%2e/%2e%2e/x"):
        with pytest.raises(InputError, match=r"^id must"):
            Runs(str(root)).put_back([Exported("new", path, None, 4, evil)], tmp_path)


def test_the_files_of_a_run_come_back_with_the_times_of_their_writing(root: Path, tmp_path: Path) -> None:
    planned = dict(listed(root).select("id", "content").iter_rows())
    storage = Runs(str(root))
    archived = list(storage.export(planned, tmp_path))
    storage.bury(planned, "run-1")
    storage.purge(list(planned), "run-1")
    storage.put_back(archived, tmp_path)
    assert dict(listed(root).select("id", "content").iter_rows()) == planned


def test_a_run_whose_removal_was_killed_is_cleared_away_by_the_next(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = dict(listed(root).select("id", "content").iter_rows())
    storage = Runs(str(root))
    storage.bury(planned, "run-1")

    def killed(path: Path) -> None:
        (path / "run.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            storage.purge(["first"], "run-1")
    assert {each.id for each in storage.buried()} == {"north/monday", "north/tuesday"}
    storage.purge(list(planned), "run-1")
    assert [path for path in (root / "_tombstones").rglob("*") if path.is_file()] == []
    assert os.listdir(root / "north") == ["under-way"]  # noqa: PTH208 - names are all that is needed
