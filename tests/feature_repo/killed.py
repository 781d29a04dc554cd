"""Bring a feature store up to date in children that kill themselves at one write point after another.

`killed.py LAKE BEFORE WORK few|PART/PARTS`: the write points of one run are listed, then each is a child's last (`few`:
the last of some kinds; `1/2`: the second, fourth, … of all, as another process strikes at the others). BEFORE is a
state folder that every child begins with a copy of. Prints, as JSON, what is read afterwards. Feast is imported once:
children are forked, and nothing but imports may run before that, or the threads of a library would be missing in them.
"""

import json
import os
import re
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb  # noqa: F401 - imported before the forks, as all that materialising needs
import ibis.backends.duckdb  # noqa: F401 - the slowest of them
from feast.protos.feast.core.Registry_pb2 import Registry
from feast.protos.feast.types.Value_pb2 import Value

import sparkhu_features.definitions
import sparkhu_features.engine
import sparkhu_features.offline  # noqa: F401 - as above
from sparkhu_features.store import store_features

FILE_EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
FEW = ("INSERT", "COMMIT", "os.rename")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def watch(state: Path, reached: Callable[[str], None]) -> None:
    """Call `reached` before everything that changes a file of `state`: calls of the system, and SQL statements."""

    def event(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "sqlite3.connect" or name in FILE_EVENTS or (name == "open" and opens_to_write(arguments)):
            places = [str(place) for place in arguments if isinstance(place, str | Path)]
            if places and places[0].startswith(str(state)):
                reached(f"{name} {re.sub('[0-9a-f]{32}', '*', Path(places[0]).name)}")

    connect = sqlite3.connect

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, **options)
        connection.set_trace_callback(lambda sql: None if sql.startswith("SELECT") else reached(kind(sql)))
        return connection

    sys.addaudithook(event)
    sqlite3.connect = traced  # type: ignore[assignment] # what SQLite writes itself is not audited


def opens_to_write(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & WRITING)


def kind(sql: str) -> str:
    """Shorten a statement to what it does to which table."""
    return re.sub(r"\s+", " ", re.split(r"VALUES|\(", sql, maxsplit=1)[0]).strip()


def in_child(lake: str, state: Path, reached: Callable[[str], None], done: Callable[[], None]) -> int:
    """Run `store_features` in a fork and give what the system says of its end."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        watch(state, reached)
        store_features(lake, state=state)
        done()
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - a fork must not go on as its parent
        sys.stderr.write(repr(error))
        os._exit(1)


def written_points(lake: str, before: Path, work: Path) -> list[str]:
    state, listed = work / "listing", work / "points.json"
    shutil.copytree(before, state)
    points: list[str] = []
    end = in_child(lake, state, points.append, lambda: void(listed.write_text(json.dumps(points))))
    assert end == 0, end
    return json.loads(listed.read_text())  # type: ignore[no-any-return]


def void(result: object) -> None:
    """Drop a result."""


def killed_at(lake: str, before: Path, state: Path, number: int) -> dict[str, object]:
    """Kill a child at one point, then read the state; bring it up to date, and read it again."""
    shutil.copytree(before, state)
    count = 0

    def reached(_: str) -> None:
        nonlocal count
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    end = in_child(lake, state, reached, lambda: None)
    after, registered = read_online(state), read_registry(state)
    again = in_child(lake, state, lambda _: None, lambda: None)
    return {
        "signal": os.WTERMSIG(end) if os.WIFSIGNALED(end) else 0,
        "online": after,
        "registered": registered,
        "again": [again, read_online(state)],
    }


def read_online(state: Path) -> dict[str, list[float]]:
    """Give, by table, the sorted values of `last_value`, `mean`, `y` or the scaler's version that are online."""
    if not (state / "online.db").exists():
        return {}
    found = {}
    with closing(sqlite3.connect(state / "online.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            query = f"SELECT value FROM '{table}' WHERE feature_name IN ('last_value', 'mean', 'y', 'scaler_version')"
            found[table] = sorted(read_value(cell) for (cell,) in connection.execute(query))
    return found


def read_value(cell: bytes) -> float:
    value = Value.FromString(cell)
    return float(value.string_val.lstrip("v")) if value.string_val else value.double_val


def read_registry(state: Path) -> int:
    """Count the views of the registry; a half-written one cannot be parsed."""
    file = state / "registry.db"
    return len(Registry.FromString(file.read_bytes()).feature_views) if file.exists() else 0


def main() -> None:
    lake, before, work, which = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    points = written_points(lake, before, work)
    last = {point.split()[0]: number for number, point in enumerate(points)}
    chosen = sorted(last[kind] for kind in FEW)
    if which != "few":
        part, parts = map(int, which.split("/"))
        chosen = list(range(part, len(points), parts))
    results = {number: killed_at(lake, before, work / str(number), number) for number in chosen}
    sys.stdout.write(json.dumps({"points": points, "results": results}))


if __name__ == "__main__":
    main()
