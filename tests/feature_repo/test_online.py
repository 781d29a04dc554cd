"""Online rows: the newest snapshot of every series, whole for every reader, whoever is killed."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Append
from sparkhu_features.store import open_store, store_features
from tests.feature_repo.made_lake import add, generation, made_lake
from tests.sparkhu.made_shard import hours

ROOT = Path(__file__).resolve().parent.parent.parent
ALL = {"series_state": 3, "series_statistics": 3, "series_scaler": 3, "series_parts": 3}
SERIES = 2
"""Of the tests that kill at every write: every series more is a statement more for each feature."""
FEATURES = ["series_state:last_value", "series_statistics:mean", "series_scaler:scaler_version", "series_parts:y"]


def online(lake: str, *ids: str) -> dict[str, list[object]]:
    rows = [{"unique_id": name} for name in ids]
    return open_store(lake).get_online_features(FEATURES, rows).to_dict()  # type: ignore[no-any-return]


def test_the_newest_snapshot_of_every_series_is_online_and_an_unknown_series_is_null(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2), generation(3, series=1))
    assert store_features(lake.uri) == ALL
    found = online(lake.uri, "s0", "s1", "none")
    assert found["last_value"] == [3, 2, None]
    assert found["y"] == [3, 2, None]
    assert found["scaler_version"] == ["v3.0", "v2.0", None]


def test_state_lies_below_the_home_of_the_product_or_where_it_is_told(tmp_path: Path, home: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    store_features(lake.uri)
    assert {path.name for path in (home / "features").iterdir()} >= {"registry.db", "online.db"}
    store_features(lake.uri, state=tmp_path / "else" / "where")
    assert {path.name for path in (tmp_path / "else" / "where").iterdir()} >= {"registry.db", "online.db"}


def test_nothing_is_written_to_the_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    store_features(made_lake(str(tmp_path / "lake"), generation(1)).uri)
    assert capfd.readouterr() == ("", "")


def test_snapshots_behind_the_moment_given_are_left_out_and_an_older_one_takes_no_newer_ones_place(
    tmp_path: Path,
) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    store_features(lake.uri, until=hours(1))
    assert online(lake.uri, "s0")["last_value"] == [1]
    store_features(lake.uri, until=hours(2))
    assert online(lake.uri, "s0")["last_value"] == [2]
    store_features(lake.uri, until=hours(1.5))
    assert online(lake.uri, "s0")["last_value"] == [2]


def test_a_snapshot_that_came_late_is_brought_online_although_a_later_moment_was_materialised(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(5, series=1))
    store_features(lake.uri)
    add(lake, generation(2))
    assert store_features(lake.uri) == ALL
    assert online(lake.uri, "s0", "s2")["last_value"] == [5, 2]


def test_without_a_table_nothing_is_brought_online(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    store_features(lake.uri)
    other = made_lake(str(tmp_path / "other"))
    other.commit({"snapshots": Append(generation(2))}, run="test", based_on=other.version())
    with pytest.raises(InputError, match=r"has no table 'parts'; it has snapshots"):
        store_features(other.uri)
    assert online(lake.uri, "s0") == online(lake.uri, "s1") | {"unique_id": ["s0"]}
    assert online(lake.uri, "s0")["last_value"] == [1], "one view is not changed without the others"


def test_a_damaged_file_leaves_the_online_rows_as_they_were(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    store_features(lake.uri)
    add(lake, generation(2))
    file = Path(lake.version().table("parts").uris()[-1])
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(SparkhuError, match=file.name):
        store_features(lake.uri)
    assert online(lake.uri, "s0")["last_value"] == [1]


def test_one_that_writes_waits_for_another_and_says_so_when_it_takes_too_long(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    store_features(lake.uri)
    add(lake, generation(2))
    with closing(sqlite3.connect(home / "features" / "online.db", check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr("sparkhu_features.online.WAIT_SECONDS", 0.1)
        with pytest.raises(SparkhuError, match=r"online.db' could not be written for 0.1 s: database is locked"):
            store_features(lake.uri)
        monkeypatch.setattr("sparkhu_features.online.WAIT_SECONDS", 60.0)
        release = threading.Timer(0.5, other.rollback)
        release.start()
        assert store_features(lake.uri) == ALL
        release.join()
    assert online(lake.uri, "s0")["last_value"] == [2]


def test_every_answer_is_of_one_generation_while_others_are_written(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1))
    store_features(lake.uri)
    store, stop, answers, torn = open_store(lake.uri), threading.Event(), set(), []

    def read() -> None:
        while not stop.is_set():
            found = store.get_online_features(FEATURES, [{"unique_id": f"s{k}"} for k in range(3)]).to_dict()
            numbers = {float(str(value).lstrip("v")) for name in found if name != "unique_id" for value in found[name]}
            answers.update(numbers)
            if len(numbers) > 1:
                torn.append(found)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(2, 8):
            add(lake, generation(number))
            store_features(lake.uri)
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert torn == []
    assert len(answers) > 2, "generations were seen to change"


def killed(tmp_path: Path, *which: str, begun: bool) -> dict[int, dict[str, object]]:
    """Kill children at write points while generation 2 takes the place of generation 1, or of nothing."""
    lake = made_lake(str(tmp_path / "lake"), generation(1, SERIES))
    before = tmp_path / "before"
    before.mkdir()
    if begun:
        store_features(lake.uri, state=before)
    add(lake, generation(2, SERIES))
    with ThreadPoolExecutor(len(which)) as pool:
        places = [tmp_path / f"work-{part.replace('/', '-')}" for part in which]
        content = list(pool.map(lambda place, part: killed_in(place, lake.uri, before, part), places, which))
    assert {tuple(part["points"]) for part in content} == {tuple(content[0]["points"])}
    assert sum(point.startswith("INSERT") for point in content[0]["points"]) == SERIES * 30
    results = {int(number): result for part in content for number, result in part["results"].items()}
    assert which == ("few",) or sorted(results) == list(range(len(content[0]["points"])))
    return results


def killed_in(work: Path, lake: str, before: Path, which: str) -> dict[str, Any]:
    work.mkdir()
    command = [sys.executable, "-m", "tests.feature_repo.killed", lake, str(before), str(work), which]
    environment = {**os.environ, "TMPDIR": str(work), "PYTHONPATH": str(ROOT)}
    said = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return dict(json.loads(said.stdout))


def check_whole(results: dict[int, dict[str, object]], *, begun: bool) -> None:
    tables = [f"sparkhu_{view}" for view in ALL]
    old, new = {table: [1.0] * SERIES if begun else [] for table in tables}, {table: [2.0] * SERIES for table in tables}
    # Before the first commit of an empty store there are no tables either.
    accepted = [old, new] if begun else [{}, old, new]
    for number, result in results.items():
        assert result["signal"] == 9, f"point {number} was not reached"
        assert result["online"] in accepted, f"point {number}"
        assert result["again"] == [0, new], f"point {number}"
    seen = [result["online"] for result in results.values()]
    assert new in seen, "the last points lie behind the commit"
    assert old in seen, "the first ones before it"


def test_a_run_that_is_killed_leaves_the_old_rows_or_the_new(tmp_path: Path) -> None:
    check_whole(killed(tmp_path, "few", begun=True), begun=True)


@pytest.mark.slow
@pytest.mark.parametrize("begun", [True, False])
def test_a_run_that_is_killed_at_any_write_point_leaves_the_old_rows_or_the_new(tmp_path: Path, begun: bool) -> None:
    check_whole(killed(tmp_path, "0/2", "1/2", begun=begun), begun=begun)


@pytest.mark.slow
def test_two_processes_at_once_bring_one_result_online(tmp_path: Path) -> None:
    lake = made_lake(str(tmp_path / "lake"), generation(1), generation(2))
    script = f"from sparkhu_features.store import store_features; store_features({lake.uri!r})"
    both = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE) for _ in range(3)]
    assert [(process.communicate()[1], process.returncode) for process in both] == [(b"", 0)] * 3
    assert online(lake.uri, "s0", "s2")["last_value"] == [2, 2]
    assert len(open_store(lake.uri).list_feature_views()) == 5
