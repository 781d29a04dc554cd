"""Tuning of two groups of series, hourly and daily ones: each is searched, and fitted, by itself."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from sparkhu.models.linear import Linear, LinearSettings
from sparkhu.models.own_linear import OwnLinear
from sparkhu.sections import Training, Tuning
from sparkhu.stages.training import load_further, load_models, train_linear
from sparkhu.stages.training_models import train_models
from sparkhu.stages.tuned import read_tuned
from sparkhu.stages.tuning import tune
from tests.sparkhu.made_shard import START, polluted, profile_of
from tests.sparkhu.stages.test_storing import Made, stored_series

pytestmark = pytest.mark.xdist_group("tuning")
HOURLY, DAILY = ["h0", "h1", "h2", "h3"], ["d0", "d1", "d2", "d3"]
GROUPS = {"1d/7": DAILY, "1h/3": HOURLY}
BOTH = Tuning(trials=8, algorithm="random", models=("linear", "own_linear"))
OWN = Training(models=("own_linear",))


def daily_rows() -> pl.DataFrame:
    """Rows a day apart, that wander where the hourly ones swing about a level."""
    rows = polluted(DAILY, seed=1, n=200)
    wander = pl.Series(np.random.default_rng(2).normal(0, 8, rows.height))
    rows = rows.with_columns(wander=wander).with_columns(pl.col("wander").cum_sum().over("unique_id"))
    values, times = ("y", "y_raw", "handled"), [name for name, dtype in rows.schema.items() if dtype.is_temporal()]
    stretched = [(pl.lit(START) + (pl.col(name) - START) * 24).cast(rows.schema[name]).alias(name) for name in times]
    return rows.with_columns(*stretched, *(pl.col(name) + pl.col("wander") for name in values)).drop("wander")


def plan_of(group: str) -> pl.DataFrame:
    if group == "1h/3":
        return profile_of(HOURLY, borders=(120, 160, 200))
    days = profile_of(DAILY, borders=(120 * 24, 160 * 24, 200 * 24), sizes=(7, 2), season=7, group=group)
    return days.with_columns(n=pl.lit(200, pl.Int64), period_label=pl.lit("1d"))


def stored_groups(folder: Path, *groups: str) -> Made:
    rows = {"1d/7": daily_rows(), "1h/3": polluted(HOURLY, n=200)}
    of_all = [
        pl.concat([tables[group] for group in groups]) for tables in (rows, {each: plan_of(each) for each in rows})
    ]
    return stored_series(folder, *of_all, [name for group in groups for name in GROUPS[group]])


def told(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """What `tuning.json` says, by model and group."""
    found = json.loads((folder / "tuning.json").read_text())["groups"]
    return {(each["model"], each["group"]): each for each in found}


@pytest.fixture(scope="module", autouse=True)
def own_registry(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARKHU_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    made = stored_groups(tmp_path_factory.mktemp("groups"), *GROUPS)
    tune(**made.data, out=made.folder / "tuned", settings=BOTH, training=OWN)
    return made


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_is_tuned_beside_another_as_it_is_alone(made: Made, tmp_path: Path, group: str) -> None:
    alone = stored_groups(tmp_path / "alone", group)
    tune(**alone.data, out=tmp_path / "tuned", settings=BOTH, training=OWN)
    for model in BOTH.models:
        beside, single = (told(folder)[model, group] for folder in (made.folder / "tuned", tmp_path / "tuned"))
        assert beside["defaults"]["objective"] == pytest.approx(single["defaults"]["objective"], rel=1e-9)
        assert beside["assignment"] == single["assignment"]
        trials, own = (
            pl.read_parquet(folder / "trials.parquet").filter(model=model, group=group)
            for folder in (made.folder / "tuned", tmp_path / "tuned")
        )
        assert trials["objective"].to_list() == pytest.approx(own["objective"].to_list(), rel=1e-9)
        assert trials.height == BOTH.trials


def test_each_group_is_trained_with_its_own_values(made: Made, tmp_path: Path) -> None:
    found = told(made.folder / "tuned")
    assert list(found) == [(model, group) for model in BOTH.models for group in GROUPS]
    for model in BOTH.models:
        assert found[model, "1d/7"]["assignment"] != found[model, "1h/3"]["assignment"]
        assert set(read_tuned(made.folder / "tuned", model)) == set(GROUPS)
    train_linear(**made.data, tuned=made.folder / "tuned", out=tmp_path / "linear")
    train_models(**made.data, tuned=made.folder / "tuned", out=tmp_path / "models", settings=OWN)
    linear, own = load_models(tmp_path / "linear"), load_further(tmp_path / "models")["own_linear"]
    for group in GROUPS:
        fitted, mapped = linear[group], own[group]
        assert isinstance(fitted, Linear)
        assert isinstance(mapped, OwnLinear)
        assert fitted.settings == LinearSettings.of(found["linear", group]["assignment"])
        assert mapped.strength == float(found["own_linear", group]["assignment"]["strength"])


def test_both_groups_are_found_again_each_under_its_own_fingerprint(made: Made, tmp_path: Path) -> None:
    first = told(made.folder / "tuned")
    tune(**made.data, out=tmp_path / "again", settings=BOTH, training=OWN)
    assert len({each["fingerprint"] for each in first.values()}) == 4
    assert told(tmp_path / "again") == {key: {**each, "origin": "store"} for key, each in first.items()}
