"""The components of decomposition and anomalies, called on folders."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu.errors import InputError
from sparkhu.execution import recorded
from sparkhu.frame import TIME
from sparkhu.ledger import entries
from sparkhu.shards import open_dataset, write_manifest, write_shard
from tests.components.chain import Chain
from tests.sparkhu.made_shard import hours

SIZES = {"a": 200, "b": 120}
SPIKES = (50, 190)


@pytest.fixture
def made(tmp_path: Path) -> dict[str, Path]:
    """Two hourly series in a shard each; the first has spikes in its training part and behind it."""
    rng = np.random.default_rng(1)
    rows, profile = tmp_path / "rows", tmp_path / "profile"
    with recorded("made", inputs=[], outputs=[rows, profile]) as (notes, (rows_draft, profile_draft)):
        row_shards, profile_shards = [], []
        for number, (name, size) in enumerate(SIZES.items()):
            y = 10 + 3 * np.sin(2 * np.pi * np.arange(size) / 24) + rng.normal(0, 0.1, size)
            y[[row for row in SPIKES if row < size and name == "a"]] += 8
            frame = pl.DataFrame({"unique_id": [name] * size, "ds": [hours(i) for i in range(size)], "y": y}).cast(
                {"ds": TIME}
            )
            shard = frame.with_columns(available_at="ds", y_raw="y", fill_strategy=pl.lit(None, pl.String))
            table = pl.DataFrame({"unique_id": name, "period_label": "1h", "season_length": 24, "zone": "UTC"})
            table = table.with_columns(train_end=pl.lit(hours(size * 0.7)).cast(TIME))
            row_shards.append(write_shard(rows_draft, f"shard-{number}", shard))
            profile_shards.append(write_shard(profile_draft, f"shard-{number}", table))
        write_manifest(rows_draft, "rows", row_shards)
        write_manifest(profile_draft, "series", profile_shards)
        notes.entries = entries(list(SIZES))
    return {"observations": rows, "profile": profile}


def test_spikes_are_flagged_by_the_components(tmp_path: Path, made: dict[str, Path]) -> None:
    chain = Chain(tmp_path)
    decomposed = chain.run("decompose", **made)
    flagged = chain.run("flag_anomalies", **made, parts=decomposed["parts"])
    parts = open_dataset(decomposed["parts"]).scan().collect()
    anomalies = open_dataset(flagged["anomalies"]).scan().collect()
    assert parts.columns == ["trend", "seasonal", "resid", "parts_available_at"]
    assert anomalies["is_anomaly"].arg_true().to_list() == list(SPIKES)
    assert open_dataset(decomposed["seasons"]).scan().collect().select("unique_id", "method").rows() == [
        ("a", "stl"),
        ("b", "stl"),
    ]
    assert open_dataset(flagged["limits"]).scan().collect()["unique_id"].to_list() == ["a", "b"]


def test_settings_reach_the_steps(tmp_path: Path, made: dict[str, Path]) -> None:
    chain = Chain(tmp_path)
    settings = {"method": "mstl", "seasons": [12, 24], "robust": False, "fast": False}
    decomposed = chain.run("decompose", **made, settings=settings)
    seasons = open_dataset(decomposed["seasons"]).scan().collect()
    assert seasons.select("method", "seasons").row(0) == ("mstl", [12, 24])
    given = {"limits": "given", "low": -1.0, "high": 1.5}
    flagged = chain.run("flag_anomalies", **made, parts=decomposed["parts"], settings=given)
    assert open_dataset(flagged["limits"]).scan().collect().select("low", "high").row(1) == (-1.0, 1.5)
    # 01:00 in Berlin is midnight of UTC; the day before it ends with the hour before.
    fit = {"fit_end": f"{hours(49):%Y-%m-%dT%H:%M}"}
    flagged = chain.run(
        "flag_anomalies", "fitted", **made, parts=decomposed["parts"], zone="Europe/Berlin", settings=fit
    )
    assert open_dataset(flagged["limits"]).scan().collect()["fitted_until"].to_list() == [hours(47)] * 2


def test_an_unknown_setting_is_refused_by_name(tmp_path: Path, made: dict[str, Path]) -> None:
    chain = Chain(tmp_path)
    with pytest.raises(InputError, match=r"'decomposition\.robst' is unknown; did you mean robust\?"):
        chain.run("decompose", **made, settings={"robst": True})
    with pytest.raises(InputError, match=r"'anomalies\.width' cannot be -1"):
        chain.run("flag_anomalies", **made, parts=made["profile"], settings={"width": -1})


def test_level_changes_are_told_by_their_component(tmp_path: Path, made: dict[str, Path]) -> None:
    chain = Chain(tmp_path)
    quiet = open_dataset(chain.run("find_level_changes", **made)["level_changes"]).scan().collect()
    assert quiet.columns == ["unique_id", "kind", "ds", "ends", "size", "score", "available_at"]
    assert quiet.is_empty()
    eager = chain.run("find_level_changes", "eager", **made, settings={"shift_width": 0.01, "window": 6})
    assert set(open_dataset(eager["level_changes"]).scan().collect()["kind"]) >= {"shift"}
    with pytest.raises(InputError, match=r"'level_changes\.window' cannot be -1"):
        chain.run("find_level_changes", **made, settings={"window": -1})
