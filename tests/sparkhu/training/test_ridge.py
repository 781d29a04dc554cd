import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from sparkhu.errors import SparkhuError
from sparkhu.training.gram import Gram, GroupGram, gram_shard, merge
from sparkhu.training.parts import CHOOSE, TRAIN
from sparkhu.training.ridge import STRENGTHS, Spectrum, fit_group, fit_groups, mean_squared_error
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import Floats, MadeShard, laid_out, made_shard, profile_of, sequences_of, shard_of
from tests.sparkhu.window_inputs import inputs

L, H = 4, 2


def gram_of(z: Floats, input_size: int = L) -> Gram:
    return Gram(z.T @ z, len(z), input_size)


def random_windows(seed: int, count: int = 60) -> tuple[Floats, Floats, Gram]:
    random = np.random.default_rng(seed)
    x = random.normal(1.0, 2.0, (count, L))
    y = x @ random.normal(size=(L, H)) + random.normal(3.0, 0.5, (count, H))
    return x, y, gram_of(np.hstack([x, np.ones((count, 1)), y]))


def windows_by_hand(made: MadeShard, part: str | None) -> tuple[Floats, Floats]:
    shard = laid_out(*made)
    table = shard.table if part is None else shard.table.filter(part=part)
    points = np.array([shard.inputs[start : start + L + H] for start in table["start"]])
    last = points[:, L - 1 : L]
    return points[:, :L] - last, points[:, L:] - last


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 100.0])
def test_weights_are_scikit_learns_ridge(alpha: float) -> None:
    x, y, gram = random_windows(1)
    weights, intercept = Spectrum(gram).solve(alpha)
    reference = Ridge(alpha=alpha).fit(x, y)
    np.testing.assert_allclose(weights, reference.coef_.T, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(intercept, reference.intercept_, rtol=1e-9)


def test_a_shards_model_is_the_ridge_on_its_windows() -> None:
    made = made_shard("a", "b", n=200, borders=(140, 160, 200))
    model = fit_group("g", gram_shard(assemble(*made))["1h/3"]).model
    assert model is not None
    for part, weights, intercept in (
        (TRAIN, model.evaluation_weights, model.evaluation_intercept),
        (None, model.weights, model.intercept),
    ):
        x, y = windows_by_hand(made, part)
        unit = (x**2).mean() * len(x)
        reference = Ridge(alpha=model.settings.strength * unit, solver="svd", fit_intercept=False).fit(x, y)
        np.testing.assert_allclose(weights, reference.coef_.T, atol=1e-6)
        np.testing.assert_array_equal(intercept, 0)


def test_the_quadratic_form_is_the_error_on_the_windows() -> None:
    x, y, gram = random_windows(2)
    weights, intercept = np.random.default_rng(5).normal(size=(L, H)), np.array([0.5, -1.0])
    assert mean_squared_error(gram, weights, intercept) == pytest.approx(np.mean((x @ weights + intercept - y) ** 2))


def test_the_strength_is_the_best_of_the_grid_on_the_choosing_windows() -> None:
    made = made_shard("a", "b", n=200, borders=(140, 180, 200), seed=4)
    x, y = windows_by_hand(made, TRAIN)
    x_new, y_new = windows_by_hand(made, CHOOSE)
    unit = (x**2).mean() * len(x)
    fits = [Ridge(alpha=s * unit, fit_intercept=False).fit(x, y) for s in STRENGTHS]
    errors = [np.mean((fit.predict(x_new) - y_new) ** 2) for fit in fits]
    fit = fit_group("1h/3", gram_shard(assemble(*made))["1h/3"])
    assert fit.model is not None
    assert fit.model.settings.strength == STRENGTHS[int(np.argmin(errors))]
    chosen = f"ridge strength {fit.model.settings.strength:g} chosen on {len(x_new)} validation windows"
    assert fit.note == f"1h/3: {chosen}; {len(x)} training windows"


def test_the_grid_is_logarithmic_and_wide() -> None:
    assert STRENGTHS[0] == 1e-6
    assert STRENGTHS[-1] == 1e3
    np.testing.assert_allclose(np.diff(np.log10(STRENGTHS)), 0.25, atol=1e-3)


def test_only_windows_with_observed_targets_choose_against_what_was_observed() -> None:
    made = made_shard("a", n=40, borders=(20, 32, 40))
    y = made.sequences["y"].to_numpy()
    observed = y.copy()
    observed[21], observed[24] = np.nan, 100.0
    rows = sequences_of({"a": y}, {"a": observed})
    shard = laid_out(*shard_of(rows, made.profile))
    gram = gram_shard(assemble(*shard_of(rows, made.profile)))["1h/3"].choose
    # Targets (20, 21), (21, 22) miss row 21; (22, 23), (23, 24), (24, 25) are left, the last two with the 100.
    wanted = []
    for start in (18, 19, 20):
        last = shard.inputs[start + 3]
        wanted.append([*(shard.inputs[start : start + 4] - last), 1.0, *(shard.truth[start + 4 : start + 6] - last)])
    assert gram.windows == 3
    np.testing.assert_allclose(gram.matrix, np.array(wanted).T @ np.array(wanted))


def test_without_choosing_windows_cross_validation_chooses() -> None:
    made = made_shard("a", n=60, borders=(55, 56, 60))
    gram = gram_shard(assemble(*made))["1h/3"]
    assert gram.choose.windows == 0
    fit = fit_group("g", gram)
    assert fit.note.startswith("g: ridge strength ")
    assert "by generalised cross-validation on the training windows, for want of validation windows" in fit.note


def test_cross_validation_is_its_published_formula() -> None:
    # GCV(λ) = Σ residuals² / (1 − tr(hat) / n)², with a drift the hat matrix of the centred inputs plus the mean.
    x, y, gram = random_windows(6, 30)
    for drift in (False, True):
        given = x - drift * x.mean(axis=0)
        hat = given @ np.linalg.solve(given.T @ given + 2.0 * np.eye(L), given.T) + drift / 30
        wanted = ((y - hat @ y) ** 2).sum() / (1 - np.trace(hat) / 30) ** 2
        assert Spectrum(gram, drift=drift).cross_validated(2.0) == pytest.approx(wanted)


def test_a_group_without_training_windows_has_no_model() -> None:
    made = made_shard("a", n=30, borders=(5, 15, 30))
    models, notes = fit_groups(gram_shard(assemble(*made)))
    assert models == {}
    assert notes == ["1h/3: no training window, so no linear model"]


def test_constant_series_have_a_model_that_repeats_them() -> None:
    made = shard_of(sequences_of({"a": np.full(60, 7.0)}), profile_of(["a"], borders=(40, 50, 60)))
    models, _ = fit_groups(gram_shard(assemble(*made)))
    np.testing.assert_array_equal(models["1h/3"].predict(inputs(np.zeros((1, L)))), np.zeros((1, H)))


def test_all_windows_are_in_the_final_fit() -> None:
    made = made_shard("a", "b", n=50, borders=(30, 40, 45))
    gram = gram_shard(assemble(*made))["1h/3"]
    assert (gram.train + gram.rest).windows == 2 * (50 - L - H + 1)
    assert gram.train.windows == 2 * (30 - L - H + 1)


def series_gram(name: str) -> dict[str, GroupGram]:
    made = made_shard("a", "b", "c", n=60)
    return gram_shard(assemble(*(frame.filter(unique_id=name) for frame in made)))


def test_shards_add_up_to_the_whole() -> None:
    whole = gram_shard(assemble(*made_shard("a", "b", "c", n=60)))["1h/3"]
    merged = merge([series_gram(name) for name in "abc"])["1h/3"]
    for part in ("train", "choose", "rest"):
        one, other = getattr(whole, part), getattr(merged, part)
        assert one.windows == other.windows
        np.testing.assert_allclose(one.matrix, other.matrix, rtol=1e-12, atol=1e-12)


@given(st.permutations("abc"))
def test_the_order_of_the_shards_hardly_matters_and_repeats_to_the_bit(order: list[str]) -> None:
    merged, again = (merge([series_gram(name) for name in order])["1h/3"] for _ in range(2))
    np.testing.assert_array_equal(merged.train.matrix, again.train.matrix)
    straight = merge([series_gram(name) for name in "abc"])["1h/3"]
    np.testing.assert_allclose(merged.train.matrix, straight.train.matrix, rtol=1e-12, atol=1e-12)


def test_groups_are_merged_by_name() -> None:
    one, two = series_gram("a"), {"other": series_gram("b")["1h/3"]}
    assert list(merge([two, one, two])) == ["1h/3", "other"]
    assert merge([two, one, two])["other"].train.windows == 2 * two["other"].train.windows


def test_windows_of_other_sizes_cannot_be_added() -> None:
    message = r"^Gram matrices of windows 2 \+ 3 and 3 \+ 2 cannot be added. Plan the groups once for all shards.$"
    with pytest.raises(SparkhuError, match=message):
        Gram.empty(2, 3) + Gram.empty(3, 2)
    assert (Gram.empty(2, 3) + Gram.empty(2, 3)).horizon == 3


@given(st.integers(0, 10**6))
def test_nothing_after_the_training_interval_moves_the_evaluation_weights(seed: int) -> None:
    known = made_shard("a", n=40, borders=(30, 34, 40))
    future = known.sequences["y"].to_numpy().copy()
    future[30:] = np.random.default_rng(seed).normal(0, 1e3, 10)
    changed = shard_of(sequences_of({"a": future}), known.profile)
    one, other = (gram_shard(assemble(*made))["1h/3"].train.matrix for made in (known, changed))
    np.testing.assert_array_equal(one, other)
