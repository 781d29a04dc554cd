"""What tuning changes of the ridge, against scikit-learn on windows cut by hand."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import Ridge as Reference

from sparkhu.errors import SparkhuError
from sparkhu.models.linear import LinearSettings
from sparkhu.models.naive import SeasonalNaive
from sparkhu.training.gram import Gram, GroupGram, gram_shard
from sparkhu.training.parts import CHOOSE, TRAIN
from sparkhu.training.ridge import DEFAULTS, Ridge, Spectrum, fit_group
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import Floats, MadeShard, laid_out, made_shard, shard_of
from tests.sparkhu.window_inputs import inputs

L, H, SEASON = 12, 4, 3
MADE = made_shard("a", "b", n=240, borders=(160, 200, 240), sizes=(L, H), seed=2)
HOUR = pl.int_range(pl.len()).over("unique_id")
GROWING = shard_of(
    MADE.sequences.with_columns(y=pl.col("y") + 0.5 * HOUR, y_raw=pl.col("y_raw") + 0.5 * HOUR), MADE.profile
)
"""Both series grow by half a unit an hour."""


@pytest.fixture(scope="module")
def gram() -> GroupGram:
    return gram_shard(assemble(*MADE))["1h/3"]


@pytest.fixture(scope="module")
def growing() -> GroupGram:
    return gram_shard(assemble(*GROWING))["1h/3"]


def windows(made: MadeShard, part: str | None) -> tuple[Floats, Floats]:
    """X and Y of a part, (n, L) and (n, H), both less the last value of X."""
    shard = laid_out(*made)
    table = shard.table if part is None else shard.table.filter(part=part)
    points = np.array([shard.inputs[start : start + L + H] for start in table["start"]])
    return points[:, :L] - points[:, L - 1 : L], points[:, L:] - points[:, L - 1 : L]


def reference(part: str | None, settings: LinearSettings, *, drift: bool = False) -> tuple[Floats, Floats]:
    """Weights (l, H) and drift (H,) by scikit-learn: a ridge of what the prior leaves over."""
    size = round(settings.look_back * L)
    x, y = windows(GROWING if drift else MADE, part)
    x = x[:, L - size :]
    prior = np.zeros((size, H))
    if settings.shrink_to == "seasonal_naive":
        steps = SeasonalNaive(size, H, SEASON).predict(inputs(np.arange(size, dtype=np.float64)[None]))[0].astype(int)
        prior[steps, np.arange(H)] = 1
    assert settings.strength is not None
    unit = ((x - drift * x.mean(axis=0)) ** 2).mean() * len(x)
    fit = Reference(alpha=settings.strength * unit, solver="svd", fit_intercept=drift).fit(x, y - x @ prior)
    return fit.coef_.T + prior, np.broadcast_to(fit.intercept_, H)


@pytest.mark.parametrize("strength", [1e-4, 0.1, 100.0])
@pytest.mark.parametrize("look_back", [0.25, 0.75, 1.0])
@pytest.mark.parametrize("shrink_to", ["last_value", "seasonal_naive"])
@pytest.mark.parametrize("drift", [False, True])
def test_weights_are_scikit_learns_on_the_newest_points_pulled_towards_the_prior(
    gram: GroupGram, growing: GroupGram, strength: float, look_back: float, shrink_to: str, drift: bool
) -> None:
    settings = LinearSettings.of({"strength": str(strength), "look_back": str(look_back), "shrink_to": shrink_to})
    model = Ridge(growing if drift else gram, SEASON).fit(settings)
    unseen = L - round(look_back * L)
    for part, weights, intercept in (
        (TRAIN, model.evaluation_weights, model.evaluation_intercept),
        (None, model.weights, model.intercept),
    ):
        wanted, bias = reference(part, settings, drift=drift)
        np.testing.assert_array_equal(weights[:unseen], 0)
        np.testing.assert_allclose(weights[unseen:], wanted, atol=1e-6)
        np.testing.assert_allclose(intercept, bias, atol=1e-6)
    assert model.settings == settings


def test_the_validation_error_is_that_on_the_choosing_windows(gram: GroupGram) -> None:
    settings = LinearSettings(0.01, 0.5, "seasonal_naive")
    weights, _ = reference(TRAIN, settings)
    x, y = windows(MADE, CHOOSE)
    wanted = np.mean((x[:, L // 2 :] @ weights - y) ** 2)
    assert Ridge(gram, SEASON).validation_error(settings) == pytest.approx(wanted)


@pytest.mark.parametrize(("gain", "kept"), [(0.02, True), (0.005, False), (-0.1, False)])
def test_a_drift_stays_only_where_it_takes_a_hundredth_of_the_validation_error_away(
    growing: GroupGram, gain: float, kept: bool
) -> None:
    # One window that chooses: nothing moved before it, and it moves by so many drifts that one takes `gain` away.
    train = Spectrum(growing.train)
    moved = train.solve(0.1 * train.unit)[1] / (1 - np.sqrt(1 - gain))
    z = np.concatenate([np.zeros(L), [1.0], moved])
    ridge = Ridge(replace(growing, choose=Gram(np.outer(z, z), 1, L)), SEASON)
    model, error = ridge.fit(LinearSettings(0.1)), np.mean(moved**2)
    assert bool(model.intercept.any()) == bool(model.evaluation_intercept.any()) == kept
    assert ridge.validation_error(LinearSettings(0.1)) == pytest.approx((1 - gain) * error if kept else error)


def test_without_bound_the_ridge_is_what_it_shrinks_to_and_a_drift(growing: GroupGram) -> None:
    x, _ = windows(GROWING, TRAIN)
    for shrink_to, points in (("last_value", [11] * 4), ("seasonal_naive", [9, 10, 11, 9])):
        settings = LinearSettings.of({"strength": "1e12", "shrink_to": shrink_to})
        model = Ridge(growing, SEASON).fit(settings)
        bias = (windows(GROWING, TRAIN)[1] - x[:, points]).mean(axis=0)
        np.testing.assert_allclose(model.for_evaluation().predict(inputs(x)), x[:, points] + bias, atol=1e-5)


def test_a_season_that_the_look_back_does_not_hold_shrinks_to_the_last_value(gram: GroupGram) -> None:
    short = [Ridge(gram, 24).fit(LinearSettings(0.1, 1.0, prior)) for prior in ("last_value", "seasonal_naive")]
    np.testing.assert_allclose(short[0].weights[:-1], short[1].weights[:-1], atol=1e-9)


def test_the_strength_is_chosen_for_settings_without_one(gram: GroupGram) -> None:
    ridge = Ridge(gram, SEASON)
    for settings in (DEFAULTS, LinearSettings(None, 0.5, "seasonal_naive")):
        chosen = ridge.chosen(settings)
        better = [ridge.validation_error(LinearSettings(chosen.strength * by, chosen.look_back, chosen.shrink_to))
                  for by in (0.56, 1.78) if chosen.strength is not None]  # fmt: skip
        assert ridge.validation_error(chosen) <= min(better)
    given = LinearSettings(0.123)
    assert ridge.chosen(given) is given


def test_cross_validation_knows_the_prior() -> None:
    random = np.random.default_rng(3)
    x, prior = random.normal(size=(40, 3)), random.normal(size=(3, 2))
    y = x @ random.normal(size=(3, 2)) + random.normal(size=(40, 2))
    from tests.sparkhu.training.test_ridge import gram_of

    told = gram_of(np.hstack([x, np.ones((40, 1)), y]), 3)
    rest = gram_of(np.hstack([x, np.ones((40, 1)), y - x @ prior]), 3)
    assert Spectrum(told, prior).cross_validated(0.5) == pytest.approx(Spectrum(rest).cross_validated(0.5))


def test_notes_say_what_was_tuned(gram: GroupGram, growing: GroupGram) -> None:
    settings, trained = LinearSettings(0.25, 0.5, "seasonal_naive"), f"{gram.train.windows} training windows"
    for group, drift in ((gram, ""), (growing, " and a drift of all series")):
        note = fit_group("1h/3", group, season_length=SEASON, settings=settings).note
        assert note == f"1h/3: ridge strength 0.25{drift}, look-back 50%, shrunk to seasonal naive, as tuned; {trained}"


def test_without_choosing_windows_nothing_can_be_judged() -> None:
    made = made_shard("a", n=60, borders=(55, 56, 60))
    with pytest.raises(SparkhuError, match="no validation window of the group has all its targets observed"):
        Ridge(gram_shard(assemble(*made))["1h/3"], SEASON).validation_error(LinearSettings(0.1))
