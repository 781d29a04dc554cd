"""The components of anomaly handling, one after another on folders."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.execution import recorded
from sparkhu.shards import Kind, open_dataset, read_shard, write_manifest, write_shard
from tests.components.chain import Chain
from tests.sparkhu.steps.handled import decomposed, limits, profile

STRATEGIES = ("clip", "ema", "ema_flagged", "seasonal_mean")
PARTS = ("trend", "seasonal", "resid", "parts_available_at")


def dataset(folder: Path, kind: Kind, frames: list[pl.DataFrame]) -> Path:
    with recorded(folder.name, inputs=[], outputs=[folder]) as (notes, (draft,)):
        write_manifest(draft, kind, [write_shard(draft, f"s{at}", frame) for at, frame in enumerate(frames)])
        notes.entries = ledger.empty()
    return folder


def read(folder: Path) -> pl.DataFrame:
    opened = open_dataset(folder)
    return pl.concat([read_shard([opened], shard.name) for shard in opened.shards])


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Three shards: one with a series that has anomalies, one with a calm series, and an empty one."""
    monkeypatch.setenv("SPARKHU_WORKERS", "1")
    rng = np.random.default_rng(0)
    resid = rng.normal(size=300).clip(-1.5, 1.5)
    resid[[50, 200]] = 9.0
    frames = [decomposed(resid.tolist(), flagged=[50, 200], name="a"), decomposed([0.0] * 50, name="b")]
    frames.append(frames[0].clear())
    anomalies = [frame.select("is_anomaly") for frame in frames]
    tables = {
        "profile": [profile("a"), profile("b"), profile().clear()],
        "limits": [limits("a"), limits("b"), limits().clear()],
    }
    return {
        "observations": dataset(tmp_path / "rows", "rows", [frame.drop(*PARTS, "is_anomaly") for frame in frames]),
        "parts": dataset(tmp_path / "parts", "columns", [frame.select(PARTS) for frame in frames]),
        "anomalies": dataset(tmp_path / "anomalies", "columns", anomalies),
        **{name: dataset(tmp_path / name, "series", parts) for name, parts in tables.items()},
    }


def handled(chain: Chain, given: dict[str, Path], **settings: object) -> dict[str, Path]:
    made = {name: chain.run(f"handle_{name}", **given, settings={}) for name in STRATEGIES}
    layers = {f"{name}_handled": one["handled"] for name, one in made.items()}
    scores = {f"{name}_scores": one["scores"] for name, one in made.items()}
    rows = {name: given[name] for name in ("observations", "parts", "anomalies")}
    return chain.run("pool_handling", **rows, **layers, **scores, settings=settings)


def test_the_best_of_all_strategies_is_applied(given: dict[str, Path], tmp_path: Path) -> None:
    made = handled(Chain(tmp_path), given)
    handling, scores, rows = read(made["handling"]), read(made["scores"]), read(made["handled"])
    assert handling["unique_id"].to_list() == ["a", "b"]
    assert handling["strategy"][0] in STRATEGIES[2:]
    assert handling["reason"].to_list() == ["lowest error on injected spikes", "no anomalies"]
    assert scores.filter(unique_id="a")["strategy"].to_list() == [
        "leave",
        "clip",
        "ema_flagged",
        "seasonal_mean",
        "ema",
    ]
    assert rows.height == 350
    assert rows["anomaly_strategy"].is_not_null().arg_true().to_list() == [50, 200]
    assert rows["handled"].gather([50, 200]).abs().max() < 2


def test_settings_name_a_strategy(given: dict[str, Path], tmp_path: Path) -> None:
    made = handled(Chain(tmp_path), given, choice="drop")
    assert read(made["handled"])["handled"].is_null().arg_true().to_list() == [50, 200]


def test_settings_weigh_the_average(given: dict[str, Path], tmp_path: Path) -> None:
    made = Chain(tmp_path).run("handle_ema", **given, settings={"alpha": 1.0})
    layer = read(made["handled"])["ema"].to_list()[:300]
    assert layer == pytest.approx(read(given["observations"])["y"].to_list()[:300], rel=1e-12)


def test_a_setting_that_is_unknown_is_refused(given: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"parameter 'handling.alhpa' is unknown; did you mean alpha"):
        Chain(tmp_path).run("handle_clip", **given, settings={"alhpa": 0.5})
