"""Snapshots of a whole run over a lake whose values come late and are revised: nothing of them is of the future."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sparkhu.arrivals import newest
from sparkhu.frame import SCHEMA
from sparkhu.lake import Append, create_lake, open_lake
from sparkhu.stages.lake_publishing import publish_interval
from sparkhu.stages.lake_reading import read_interval
from sparkhu.summaries import summarise_days
from tests.components.chain import Chain

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("stages")]

START, HOUR = datetime(2024, 1, 1, tzinfo=UTC), timedelta(hours=1)
END = START + 16 * 24 * HOUR
FOUND = ("decision", "period_label", "trend_strength", "scaler", "center")
HOLES = range(14 * 24, 14 * 24 + 36)
"""Hours of the test part whose values of one series come a day behind the end, if they come."""


class Later(NamedTuple):
    """What becomes known behind the end: how often the holes are filled, and what a revised point becomes."""

    filled: int
    revisions: tuple[float | None, ...]
    value: float = 20.0


NOTHING, LITTLE, MUCH = Later(0, ()), Later(1, (25.0,)), Later(36, (1000.0, None), 1000.0)


def observed(later: Later) -> pl.DataFrame:
    """Hourly values of five series. `prompt` is known at once, the others two hours later, and so as of the end short.

    Points in the training part are revised behind the end: of `revised` to the last of the revisions, and `withdrawn`
    is told no more. `holed` lacks hours, which may be told a day behind the end.
    """
    noise = np.random.default_rng(7)
    rows: list[tuple[str, datetime, float | None, datetime]] = []
    for name, delay in (("delayed", 2), ("prompt", 0), ("revised", 0), ("withdrawn", 0), ("holed", 0)):
        for hour in range(17 * 24):
            ds, y = START + hour * HOUR, 20 + 3 * np.sin(hour * np.pi / 12) + noise.normal(0, 0.3)
            if name == "holed" and hour in HOLES:
                if hour < HOLES.start + later.filled:
                    rows.append((name, ds, later.value, END + 24 * HOUR))
                continue
            known = ds + delay * HOUR
            rows.append((name, ds, later.value if known > END else y, known))
            if hour == 30 and name in ("revised", "withdrawn"):
                versions = later.revisions if name == "revised" else [None] * bool(later.revisions)
                rows += [(name, ds, value, END + (99 + at) * HOUR) for at, value in enumerate(versions)]
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return table if later.revisions else table.filter(pl.col("available_at") <= END)


def published(folder: Path, rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Run a day over a lake of these rows, and read what was published."""
    lake = create_lake(str(folder / "lake"))
    tables = {"observations": Append(rows), "summaries": Append(summarise_days(newest(rows)))}
    lake.commit(tables, run="ingest", based_on=lake.version())
    limits = {"start": (END - 24 * HOUR).isoformat(), "end": END.isoformat()}
    places = {name: folder / name for name in ("history", "versions")}
    read_interval(lake.uri, out=folder / "raw", **places, **limits, lookback="14d")  # type: ignore[arg-type]
    chain = Chain(folder)
    made = chain.forecast(chain.prepare(folder / "raw"), horizon=6, input_size=24)
    publish_interval(results=made["results"], lake=lake.uri, out=folder / "published", **limits)
    version = open_lake(lake.uri).version()
    return {name: version.table(name).read() for name in ("snapshots", "parts")}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, pl.DataFrame]]:
    """What is published where nothing became known behind the end, where something did, and where much else did."""
    made = []
    with pytest.MonkeyPatch.context() as patch:
        for later in (NOTHING, LITTLE, MUCH):
            folder = tmp_path_factory.mktemp("later")
            patch.setenv("SPARKHU_HOME", str(folder / "home"))
            made.append(published(folder, observed(later)))
    return made


def test_no_field_of_a_snapshot_moves_with_what_became_known_behind_its_moment(
    found: list[dict[str, pl.DataFrame]],
) -> None:
    _, one, other = found
    for name, table in one.items():
        assert_frame_equal(table, other[name], check_exact=True)


def test_a_field_is_as_if_nothing_had_become_known_behind_its_moment_or_null(
    found: list[dict[str, pl.DataFrame]],
) -> None:
    for name, before in found[0].items():
        rows = {row["unique_id"]: row for row in before.to_dicts()}
        assert len(rows) == 5, name
        for row in found[2][name].to_dicts():
            told = {field: value for field, value in row.items() if value is not None}
            assert told == {field: rows[row["unique_id"]][field] for field in told}


def test_what_was_known_in_time_is_told_whole_and_the_rest_as_far_as_it_was(
    found: list[dict[str, pl.DataFrame]],
) -> None:
    for tables, late in zip(found, (False, True, True), strict=True):
        snapshots = tables["snapshots"]
        assert snapshots["available_at"].unique().to_list() == [END]
        rows = {row["unique_id"]: row for row in snapshots.to_dicts()}
        last = {name: (END - row["last_ds"]) // HOUR for name, row in rows.items()}
        assert last == {"delayed": 2, "prompt": 1, "revised": 1, "withdrawn": 1, "holed": 1}
        counted = {name: row["n"] for name, row in rows.items()}
        assert counted == {"delayed": 383, "prompt": 384, "revised": 384, "withdrawn": 384, "holed": 348}
        untold = {name: [row[field] is None for field in FOUND] for name, row in rows.items()}
        assert untold == {name: [late and name != "prompt"] * 5 for name in rows}
        assert tables["parts"]["unique_id"].to_list() == (["prompt"] if late else sorted(rows))
