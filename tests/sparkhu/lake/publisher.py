"""Programs that publish to a lake, for tests that run several of them or kill one."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import polars as pl

from sparkhu.lake import Append, Lake, Replace, Version, open_lake
from tests.sparkhu.lake.made_rows import DAY, START, observed

SERIES = 20


def publish(lake: Lake, number: int, *, read_version: int = 0, run: str = "") -> Version:
    """Commit one generation: `clean` and `snapshots` of a day hold its number in every row."""
    rows = generation(number)
    changes = {
        "clean": Replace(rows, START, START + DAY, read_version, f"g{number}"),
        "snapshots": Replace(rows.head(SERIES), START, START + DAY, read_version, f"g{number}"),
    }
    return lake.commit(changes, run=run or f"g{number}", based_on=lake.version())


def generation(number: int) -> pl.DataFrame:
    """Make the rows of a generation; their number differs from generation to generation, too."""
    frame = observed("abcd", hours=5 + number % 7)
    return frame.with_columns(y=pl.lit(float(number)))


def whole(version: Version) -> float:
    """Check that a version is one whole generation, in all tables, and give its number."""
    clean, snapshots = version.table("clean").read(), version.table("snapshots").read()
    (number,) = clean["y"].unique().to_list()
    assert clean.height == generation(int(number)).height, "rows are lost or doubled"
    assert snapshots["y"].unique().to_list() == [number], "tables of two generations"
    assert snapshots.height == min(SERIES, clean.height)
    return float(number)


def append_own(lake: Lake, name: str, times: int) -> None:
    """Add `times` rows of a series, a commit each, each only if it is not there yet."""
    for k in range(times):
        row = observed(name, START + k * timedelta(minutes=1), 1)

        def new(version: Version, row: pl.DataFrame = row) -> pl.DataFrame | None:
            if "observations" not in version.tables:
                return row
            there = version.table("observations").read(ids=row["unique_id"].to_list())
            left = row.join(there, on=["unique_id", "ds"], how="anti")
            return left if left.height else None

        lake.commit({"observations": Append(new)}, run=f"{name}{k}", based_on=lake.version())


def read_on(uri: str, names: str, times: int) -> dict[int, list[float]]:
    """Read the newest version whole, `times` times, a thread a letter of `names`; give what each version held."""
    lake = open_lake(uri)

    def read(_: int) -> tuple[int, float]:
        version = lake.version()
        return version.number, whole(version)

    found: dict[int, list[float]] = {}
    with ThreadPoolExecutor(len(names)) as pool:
        for number, value in pool.map(read, range(times)):
            found.setdefault(number, []).append(value)
    return found


def main() -> None:
    """Run one publisher, or readers: `publisher.py generations|series|read LAKE NAME TIMES`."""
    what, uri, name, times = sys.argv[1:]
    lake = open_lake(uri)
    if what == "series":
        append_own(lake, name, int(times))
    elif what == "read":
        print(json.dumps(read_on(uri, name, int(times))))  # noqa: T201
    elif what == "generations":
        for k in range(int(times)):
            publish(lake, int(name) * 1000 + k)
    else:
        publish(lake, int(name), run=what)


if __name__ == "__main__":
    main()
