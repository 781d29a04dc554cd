"""A sync is all or nothing, touches its own source alone, and forgets nothing."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.catalogue import METADATA
from sparkhu.catalogue.syncing import CATALOGUE, SyncCounts, catalogued, sync, synced_sources
from tests.sparkhu.catalogue.conftest import series


def in_use(source: str = "") -> dict[str, str | None]:
    return dict(catalogued(source).select("unique_id", "type").iter_rows())


def test_what_was_synced_is_read_back_to_the_bit(catalogue: str) -> None:
    table = series(("a", "temp", "°C", "hall 1", 0.1 + 0.2, 1e300, -0.0, 5e-324), ("b",), ("ü/'\";--", "x"))
    assert sync(table, "plant") == SyncCounts(3, 0, 0, 0)
    kept = catalogued()
    assert kept.select(METADATA.keys()).equals(table)
    assert dict(kept.schema) == CATALOGUE
    assert kept["source"].to_list() == ["plant"] * 3
    assert kept["removed_at"].null_count() == 3


def test_a_sync_adds_changes_removes_revives_and_leaves_the_rest_alone(catalogue: str) -> None:
    began = datetime.now(UTC)
    sync(series(("a", "temp"), ("b", "flow"), ("c", "level")), "plant")
    first = {row["unique_id"]: row for row in catalogued().to_dicts()}
    # a as it was, b with another type, c no longer named, d new.
    assert sync(series(("a", "temp"), ("b", "pressure"), ("d", "ph")), "plant") == (1, 1, 1, 1)
    assert in_use() == {"a": "temp", "b": "pressure", "d": "ph"}
    second = {row["unique_id"]: row for row in catalogued(removed=True).to_dicts()}
    assert second["a"] == first["a"]
    assert second["b"]["added_at"] == first["b"]["added_at"] < second["b"]["changed_at"]
    assert second["c"]["type"] == "level"
    assert began < first["c"]["added_at"] < second["c"]["removed_at"] == second["d"]["added_at"] < datetime.now(UTC)
    # c is named again, and counts as added.
    assert sync(series(("a", "temp"), ("b", "pressure"), ("c", "depth"), ("d", "ph")), "plant") == (1, 0, 0, 3)
    third = {row["unique_id"]: row for row in catalogued(removed=True).to_dicts()}
    assert (third["c"]["type"], third["c"]["removed_at"]) == ("depth", None)
    assert third["c"]["added_at"] == first["c"]["added_at"]


def test_syncing_twice_changes_nothing(catalogue: str) -> None:
    table = series(("a", "temp", None, None, 1.5), ("b",))
    sync(table, "plant")
    before = catalogued(removed=True)
    assert sync(table, "plant") == (0, 0, 0, 2)
    assert catalogued(removed=True).equals(before)


def test_a_series_removed_long_ago_is_not_removed_again(catalogue: str) -> None:
    sync(series(("a",), ("b",)), "plant")
    sync(series(("a",)), "plant")
    removed = catalogued(removed=True)
    assert sync(series(("a",)), "plant") == (0, 0, 0, 1)
    assert catalogued(removed=True).equals(removed)


def test_one_plant_does_not_remove_the_series_of_another(catalogue: str) -> None:
    sync(series(("a", "temp"), ("b", "temp")), "plant A")
    sync(series(("a", "flow")), "plant B")
    assert sync(series(("b", "temp")), "plant A") == (0, 0, 1, 1)
    assert in_use("plant A") == {"b": "temp"}
    assert in_use("plant B") == {"a": "flow"}
    assert list(synced_sources()) == ["plant A", "plant B"]
    assert synced_sources()["plant A"] > synced_sources()["plant B"]


def test_nothing_is_there_before_the_first_sync(catalogue: str) -> None:
    assert catalogued().equals(pl.DataFrame(schema=CATALOGUE))
    assert synced_sources() == {}


class BrokenOffError(Exception):
    pass


@pytest.mark.parametrize("statement", ["INSERT INTO series_metadata", "UPDATE series_metadata", "UPDATE metadata_sou"])
def test_a_failure_between_statements_leaves_the_old_state(
    catalogue: str, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(series(("a", "temp"), ("b", "flow")), "plant")
    before, moments = catalogued(removed=True), synced_sources()

    def fail(connection, cursor, text, *rest) -> None:
        if text.startswith(statement):
            raise BrokenOffError

    sa.event.listen(sa.Engine, "after_cursor_execute", fail)
    try:
        with pytest.raises(BrokenOffError):
            sync(series(("a", "other"), ("c",)), "plant")
    finally:
        sa.event.remove(sa.Engine, "after_cursor_execute", fail)
    assert catalogued(removed=True).equals(before)
    assert synced_sources() == moments
    assert sync(series(("a", "other"), ("c",)), "plant") == (1, 1, 1, 0)


KILLED = """
import os, signal
import sqlalchemy as sa
from sparkhu.catalogue.syncing import sync
from tests.sparkhu.catalogue.conftest import series

@sa.event.listens_for(sa.Engine, "after_cursor_execute")
def kill(connection, cursor, text, *rest):
    if text.startswith("UPDATE series_metadata"):
        os.kill(os.getpid(), signal.SIGKILL)

sync(series(("a", "other"), ("c",)), "plant")
"""


def test_a_killed_sync_leaves_the_old_state_and_no_lock(catalogue: str) -> None:
    sync(series(("a", "temp"), ("b", "flow")), "plant")
    before = catalogued(removed=True)
    environment = os.environ | {"SPARKHU_CATALOGUE": catalogue, "PYTHONPATH": "."}
    done = subprocess.run([sys.executable, "-c", KILLED], check=False, env=environment)
    assert done.returncode == -signal.SIGKILL
    assert catalogued(removed=True).equals(before)
    assert sync(series(("a", "other"), ("c",)), "plant") == (1, 1, 1, 0)


def test_syncs_at_once_lose_nothing_not_even_on_a_new_catalogue(catalogue: str) -> None:
    tables = {f"plant {n}": series(*[(f"{n}-{k}", f"type {n}") for k in range(20)]) for n in range(6)}
    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(sync, tables.values(), tables.keys())) == [(20, 0, 0, 0)] * 6
    assert catalogued().height == 120
    assert list(synced_sources()) == sorted(tables)


def test_syncs_of_one_source_at_once_are_done_one_after_the_other(catalogue: str) -> None:
    tables = [series(*[(f"s{k}", f"type {n}") for k in range(n, n + 10)]) for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda table: sync(table, "plant"), tables))
    used = catalogued()
    (kind,) = used["type"].unique()
    assert used["unique_id"].to_list() == tables[int(kind[-1])].sort("unique_id")["unique_id"].to_list()
    assert catalogued(removed=True).height == 15


SERIES = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["x", "y", None]))


@given(st.lists(SERIES, min_size=1, max_size=6))
def test_after_any_syncs_the_last_one_stands_and_every_series_is_kept(
    tmp_path_factory: pytest.TempPathFactory, syncs: list[dict[str, str | None]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_CATALOGUE", f"sqlite:///{tmp_path_factory.mktemp('catalogue')}/c.sqlite")
        before: dict[str, str | None] = {}
        for now in syncs:
            counts = sync(series(*now.items()), "plant")
            both = before.keys() & now.keys()
            assert counts.added == len(now.keys() - before.keys())
            assert counts.removed == len(before.keys() - now.keys())
            assert counts.changed == sum(before[each] != now[each] for each in both)
            assert counts.unchanged == len(both) - counts.changed
            assert in_use() == now
            before = now
        assert set(catalogued(removed=True)["unique_id"]) == {each for now in syncs for each in now}
