"""Recipes: what they are given, and that the linear one fits what the pipeline's steps fit."""

from functools import partial

import numpy as np
import polars as pl

from sparkhu.training.gram import gram_shard, merge
from sparkhu.training.linear import LinearRecipe
from sparkhu.training.parts import CHOOSE, TRAIN
from sparkhu.training.recipes import TrainingData
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import laid_out, made_shard
from tests.sparkhu.window_inputs import inputs

SHARDS = [made_shard("a", "b"), made_shard("c", seed=1)]
DATA = TrainingData([partial(assemble, *shard) for shard in SHARDS], {"1h/3": 3})


def test_windows_come_in_the_order_of_shards_series_and_time_with_their_series_and_cutoffs() -> None:
    parts = [(given.values, given.series, given.cutoffs, y) for given, y in DATA.windows("1h/3", [TRAIN])]
    values, targets = (np.concatenate([part[at] for part in parts]) for at in (0, 3))
    laid = [laid_out(*shard) for shard in SHARDS]
    rows = [shard.table.filter(pl.col("part") == TRAIN)["start"].to_numpy() for shard in laid]
    wanted = np.concatenate(
        [shard.inputs[start[:, None] + np.arange(6)] for shard, start in zip(laid, rows, strict=True)]
    )
    np.testing.assert_array_equal(np.hstack([values, targets]), wanted)
    assert pl.concat([part[1] for part in parts]).unique(maintain_order=True).to_list() == ["a", "b", "c"]
    cutoffs = pl.concat([part[2] for part in parts])
    assert cutoffs.to_list() == [
        time for shard in laid for time in shard.table.filter(pl.col("part") == TRAIN)["cutoff"]
    ]


def test_only_windows_of_the_parts_and_the_group_are_read() -> None:
    counts = {part: sum(len(y) for _, y in DATA.windows("1h/3", [part])) for part in (TRAIN, CHOOSE)}
    both = sum(len(y) for _, y in DATA.windows("1h/3", [TRAIN, CHOOSE]))
    assert (counts[CHOOSE] > 0, both) == (True, sum(counts.values()))
    assert sum(len(y) for _, y in DATA.windows("1d/7", [TRAIN])) == 0


def test_the_linear_recipe_fits_the_sum_of_the_shards_and_heeds_settings() -> None:
    grams = merge(gram_shard(assemble(*shard)) for shard in SHARDS)
    wanted, notes = fit_groups(grams, seasons=DATA.seasons)
    found = LinearRecipe().fit(DATA, {})
    x = inputs(np.random.default_rng(0).normal(size=(5, 4)))
    np.testing.assert_array_equal(found.models["1h/3"].predict(x), wanted["1h/3"].predict(x))
    assert found.notes == notes
    given = LinearRecipe().fit(DATA, {"1h/3": {"strength": "1000", "shrink_to": "seasonal_naive"}})
    assert "as tuned" in given.notes[0]
    assert (given.models["1h/3"].predict(x) != wanted["1h/3"].predict(x)).any()
