"""Snapshots of a whole run over a lake whose values come late and are revised: nothing of them is of the future."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

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


def observed(*, later: float) -> pl.DataFrame:
    """Hourly values of three series, known two hours later; what became known behind the end is `later`.

    One point of `revised` is revised behind the end, in the training part. `prompt` is known at once.
    """
    noise, rows = np.random.default_rng(7), []
    for name, delay in (("delayed", 2), ("prompt", 0), ("revised", 2)):
        for hour in range(17 * 24):
            ds, y = START + hour * HOUR, 20 + 3 * np.sin(hour * np.pi / 12) + noise.normal(0, 0.3)
            known = ds + delay * HOUR
            rows.append((name, ds, later if known > END else y, known))
            if (name, hour) == ("revised", 30):
                rows.append((name, ds, later, END + 99 * HOUR))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


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
    """What is published where values that became known behind the end are as before, and where they are others."""
    made = []
    with pytest.MonkeyPatch.context() as patch:
        for later in (20.0, 1000.0):
            folder = tmp_path_factory.mktemp(f"later-{later:.0f}")
            patch.setenv("SPARKHU_HOME", str(folder / "home"))
            made.append(published(folder, observed(later=later)))
    return made


def test_no_field_of_a_snapshot_moves_with_what_became_known_behind_its_moment(
    found: list[dict[str, pl.DataFrame]],
) -> None:
    one, other = found
    for name, table in one.items():
        assert_frame_equal(table, other[name], check_exact=True)


def test_values_known_hours_later_have_snapshots_with_all_that_was_known(found: list[dict[str, pl.DataFrame]]) -> None:
    snapshots = found[0]["snapshots"]
    assert snapshots["available_at"].unique().to_list() == [END]
    rows = {row["unique_id"]: row for row in snapshots.to_dicts()}
    assert {name: row["last_ds"] for name, row in rows.items()} == {
        "delayed": END - 2 * HOUR, "prompt": END - HOUR, "revised": END - 2 * HOUR,
    }  # fmt: skip
    assert {name: row["n"] for name, row in rows.items()} == {"delayed": 383, "prompt": 384, "revised": 383}
    assert {name: [row[field] is None for field in FOUND] for name, row in rows.items()} == {
        "delayed": [False] * 5, "prompt": [False] * 5, "revised": [True] * 5,
    }  # fmt: skip
    assert found[0]["parts"]["unique_id"].to_list() == ["prompt"]
