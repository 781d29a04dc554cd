"""Estimates of earlier runs are read at the edge, change decisions, and are said."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.execution import recorded
from sparkhu.frame import SCHEMA, TIME
from sparkhu.lake import Replace, create_lake
from sparkhu.lineage import read_trail
from sparkhu.shards import open_dataset, write_manifest, write_shard
from sparkhu.stages.detecting import detect_periods, published_estimates, read_estimates

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def grid(name: str, steps: list[float], day: int = 0) -> pl.DataFrame:
    ds = [START + day * 24 * HOUR + step * HOUR for step in steps]
    return pl.DataFrame({"unique_id": name, "ds": ds, "y": 1.0, "available_at": ds}, schema=SCHEMA)


HOURLY, HALVES = [float(i) for i in range(9)], [i / 2 for i in range(9)]
RANDOM = [0, 1, 3.7, 9.1, 11.3, 17.9, 18.2, 25.5]


def observations(folder: Path, *shards: pl.DataFrame) -> Path:
    with recorded("made", inputs=[], outputs=[folder]) as (_, (draft,)):
        written = [write_shard(draft, f"{number:05d}", frame) for number, frame in enumerate(shards)]
        write_manifest(draft, "rows", written)
    return folder


def detect(folder: Path, *shards: pl.DataFrame, past: Path | str = "") -> tuple[pl.DataFrame, list[str]]:
    """Run over shards; give the estimates and the notes, and leave `estimates.parquet` as publishing does."""
    rows = observations(folder / "rows", *shards)
    detect_periods(observations=rows, profile=folder / "profile", estimates=folder / "kept", past=str(past))
    estimates = open_dataset(folder / "kept").scan().collect()
    estimates.write_parquet(folder / "estimates.parquet")
    return estimates, list(read_trail([folder / "profile"]).history[-1].notes)


def test_estimates_published_in_a_lake_count_in_the_order_of_time(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    # Days 0 to 3 found no period; they were published in another order, and day 9 lies behind the rows.
    for version, day in enumerate((2, 0, 9, 1, 3), start=1):
        start = START + day * 24 * HOUR
        made = {"estimate": "irregular", "estimate_label": None, "decision": "irregular", "period_label": None}
        row = pl.DataFrame({"unique_id": ["a"], "version": [version], **{name: [text] for name, text in made.items()}})
        row = row.with_columns(pl.lit(start).cast(TIME).alias("ds"), pl.lit(start).cast(TIME).alias("estimated_at"))
        row = row.with_columns(pl.col("estimate_label", "period_label").cast(pl.String))
        change = Replace(row, start, start + HOUR, 0, "p")
        lake.commit({"profiles": change}, run=f"day-{day}", based_on=lake.version())
    rows = observations(tmp_path / "rows", grid("a", HALVES, 5))
    detect_periods(observations=rows, profile=tmp_path / "profile", estimates=tmp_path / "kept", lake=lake.uri)
    found = open_dataset(tmp_path / "kept").scan().collect()
    assert [(when - START) // (24 * HOUR) for when in found["estimated_at"]] == [0, 1, 2, 3, 5]
    # Four estimates without a period outvote the one of half an hour.
    assert found.select("estimate", "decision").row(-1) == ("regular", "irregular")


def test_a_lake_without_profiles_has_no_estimates(tmp_path: Path) -> None:
    lake = create_lake(str(tmp_path / "lake"))
    assert published_estimates(lake.uri) is None


def test_a_second_run_counts_the_estimates_of_the_first_and_says_what_changed(tmp_path: Path) -> None:
    names = [f"s{number}" for number in range(7)]
    first = [pl.concat([grid(name, RANDOM) for name in some]) for some in (names[:4], names[4:])]
    found, notes = detect(tmp_path / "one", *first)
    assert found["version"].to_list() == [1] * 7
    assert notes == []
    second = [pl.concat([grid(name, RANDOM if name == "s0" else HALVES, 9) for name in names])]
    found, notes = detect(tmp_path / "two", *second, past=tmp_path / "one")
    # One estimate of each kind: a tie, and what stood before stays.
    assert notes == []
    assert found.group_by("unique_id").len()["len"].to_list() == [2] * 7
    third = [pl.concat([grid(name, RANDOM if name == "s0" else HALVES, 18) for name in names])]
    _, notes = detect(tmp_path / "three", *third, past=tmp_path / "two" / "estimates.parquet")
    named = "; ".join(f"'{name}' from irregular to 30min" for name in names[1:6])
    assert notes == [f"6 series changed their period or way: {named}; and 1 more"]


def test_estimates_of_a_series_without_rows_are_carried_on(tmp_path: Path) -> None:
    detect(tmp_path / "one", grid("a", HOURLY), grid("z", HOURLY))
    found, _ = detect(tmp_path / "two", grid("a", HOURLY, 9), grid("b", HOURLY, 9), past=tmp_path / "one")
    assert found.select("unique_id", "version").rows() == [("a", 1), ("a", 2), ("b", 1), ("z", 1)]


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_past_that_is_not_there_is_named(tmp_path: Path, scheme: str) -> None:
    with pytest.raises(InputError, match=rf"past: there is no '{scheme}{tmp_path}/none/estimates.parquet'. Give the"):
        detect(tmp_path, grid("a", HOURLY), past=f"{scheme}{tmp_path}/none/")
    assert not (tmp_path / "profile").exists()


def test_a_past_that_holds_no_estimates_is_named(tmp_path: Path) -> None:
    pl.DataFrame({"unique_id": ["a"]}).write_parquet(tmp_path / "estimates.parquet")
    with pytest.raises(InputError, match=r"estimates.parquet' holds no estimates of periods"):
        read_estimates(str(tmp_path))
    (tmp_path / "estimates.parquet").write_text("no parquet")
    with pytest.raises(InputError, match=r"estimates.parquet' holds no estimates of periods"):
        read_estimates(str(tmp_path))
    with pytest.raises(InputError, match=r"past: 'nowhere://x/estimates.parquet' cannot be read: .*nowhere"):
        read_estimates("nowhere://x")


def test_unusable_parameters_are_refused_before_the_past_is_read(tmp_path: Path) -> None:
    rows = observations(tmp_path / "rows", grid("a", HOURLY))
    with pytest.raises(InputError, match="zone must be"):
        detect_periods(observations=rows, profile=tmp_path / "p", estimates=tmp_path / "e", past="none", zone="Nowhere")
