from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats
from sparkhu.models.neural.forecaster import Neural, weights_of
from sparkhu.training import loop
from sparkhu.training.checkpoints import Checkpoints
from sparkhu.training.distribution.ranks import Single
from sparkhu.training.gradients import Gradients
from sparkhu.training.loop import Trained, train
from sparkhu.training.optimiser import Epoch, State, adam
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import Runs, WindowSet
from tests.sparkhu.training.thread_ranks import ThreadRank, on_ranks
from tests.sparkhu.training.toy_windows import H, L, window_set, work
from tests.sparkhu.window_inputs import inputs

torch = pytest.importorskip("torch", reason="torch is not installed")


def flat(trained: Trained) -> Floats:
    return np.concatenate([array.ravel() for _, array in sorted(trained.weights.items())])


def test_a_training_learns_and_forecasts_better_than_the_last_value() -> None:
    given = work(epochs=6)
    found = train(given)
    unseen = window_set(210, 100)
    x, y = unseen.x.rows(slice(None)), unseen.y.rows(slice(None))
    error = np.square(Neural(given.design, found.weights, found.weights, 0.01).predict(inputs(x)) - y).mean()
    assert error < 0.5 * np.square(x[:, -1:] - y).mean()
    losses = [epoch.train for epoch in found.epochs]
    assert losses[-1] < 0.5 * losses[0]
    # The loss told is that of the weights given, on the observed values of the choosing windows.
    x, y = given.choose.x.rows(slice(None)), given.choose.y.rows(slice(None))
    error = np.square(Neural(given.design, found.weights, found.weights, 0.01).predict(inputs(x)) - y).mean()
    assert found.epochs[found.best - 1].choose == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("name", ["nhits", "lstm", "patch_transformer"])
def test_a_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    first, again, other = (flat(train(work(name=name, seed=seed, epochs=1))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_it_stops_early_and_keeps_the_weights_of_the_best_epoch() -> None:
    given = work(epochs=12, patience=2, learning_rate=0.03)
    noise = np.random.default_rng(0).normal(size=(30, H))
    unlearnable = WindowSet(window_set(0, 30).x, Runs.of(noise))
    found = train(replace(given, choose=unlearnable))
    losses = [epoch.choose for epoch in found.epochs]
    assert len(losses) == found.best + 2 < 12
    assert min(losses) == losses[found.best - 1]
    shorter = train(replace(given, choose=unlearnable, plan=replace(given.plan, epochs=12, patience=1)))
    assert shorter.best <= found.best


def test_without_choosing_windows_the_last_weights_are_kept() -> None:
    found = train(replace(work(epochs=4, patience=1), choose=WindowSet.empty(L, H)))
    assert found.best == len(found.epochs) == 4
    assert [epoch.choose for epoch in found.epochs] == [None] * 4


def test_a_loss_that_is_no_number_stops_and_says_where_and_what_helps() -> None:
    given = work(batch=16)
    rows = given.train.x.rows(slice(None))
    rows[77] = np.inf
    broken = replace(given, train=WindowSet(Runs.of(rows), given.train.y))
    with pytest.raises(
        InputError, match=r"no number in epoch 1, batch \d+ of 10, on rank 0\. Give a smaller learning_"
    ):
        train(broken)


def test_unknown_targets_count_neither_in_the_loss_nor_in_the_gradient() -> None:
    given = work(dropout=0.0)
    y = given.train.y.rows(slice(None))
    y[::2, 1] = np.nan
    windows = WindowSet(given.train.x, Runs.of(y))
    losses = [gradients(given, windows, np.arange(low, low + 1))[-2:] for low in range(2)]
    assert float(losses[0][1]) == pytest.approx(3 / 1000)
    assert float(losses[1][1]) == pytest.approx(4 / 1000)
    assert np.isfinite(flat(train(replace(given, train=windows)))).all()


def parameters(given: loop.Work) -> int:
    return sum(each.numel() for each in given.design.module().parameters())


def gradients(given: loop.Work, windows: WindowSet, which: Floats) -> object:
    return Gradients(given.design.module(), torch.zeros(parameters(given)), given.plan).of(windows, which)


def stepped(given: loop.Work, shares: Sequence[Floats], **plan: object) -> Floats:
    """Take one step over windows whose gradients are summed share by share; give its gradient."""
    from torch.nn.utils import parameters_to_vector

    torch.manual_seed(0)
    module = given.design.module()
    state = State.at(parameters_to_vector(module.parameters()).detach())
    planned = replace(given.plan, clip=1e9, **plan)
    own = Gradients(module, state.flat, planned)
    summed = np.sum([own.of(given.train, which).numpy() for which in shares], axis=0, dtype=np.float32)
    _, gradient = own.mean(torch.from_numpy(summed))
    adam(state, gradient, planned, 1, 0.01)
    return state.mean.numpy() / 0.1


@pytest.mark.parametrize("name", ["nhits", "lstm", "patch_transformer"])
def test_a_step_over_shares_and_over_pieces_is_that_over_the_whole_batch(name: str) -> None:
    given = work(dropout=0.0, name=name)
    every = np.arange(64)
    whole = stepped(given, [every])
    assert 0.1 < np.abs(whole).max() < 10
    np.testing.assert_allclose(stepped(given, [every[:32], every[32:]]), whole, atol=1e-6)
    np.testing.assert_allclose(stepped(given, [every[:41], every[41:], every[:0]]), whole, atol=1e-6)
    np.testing.assert_allclose(stepped(given, [every], micro_batch=5), whole, atol=1e-6)
    # A gradient that lacks a share is another one.
    assert np.abs(stepped(given, [every[:32]]) - whole).max() > 1e-2


def test_two_ranks_take_the_steps_of_one() -> None:
    # A batch holds all windows, so that both look at the same ones in each step.
    given = work(dropout=0.0, batch=1024, epochs=4)
    given = replace(given, start=weights_of(given.design.module()))
    alone = train(given)

    def half(rank: ThreadRank) -> Trained:
        own = {name: getattr(given, name).strided(rank.rank, 2) for name in ("train", "choose")}
        return train(replace(given, **own), ranks=rank)

    found = on_ranks(2, half)
    for each in found:
        np.testing.assert_allclose(flat(each), flat(alone), atol=2e-5)
        assert each.epochs[-1].choose == pytest.approx(alone.epochs[-1].choose, rel=1e-4)
    np.testing.assert_array_equal(flat(found[0]), flat(found[1]))
    assert np.abs(flat(alone) - np.concatenate([v.ravel() for _, v in sorted(given.start.items())])).max() > 1e-2


def test_a_gradient_whose_square_overflows_is_shortened_and_not_made_nothing() -> None:
    given = work()
    own = Gradients(given.design.module(), torch.zeros(parameters(given)), given.plan)
    direction = np.random.default_rng(0).normal(size=parameters(given))
    summed = torch.tensor([*(1e25 * direction), 1e30, 0.5], dtype=torch.float32)
    loss, gradient = own.mean(summed)
    assert loss == pytest.approx(1e30 / 500, rel=1e-5)
    np.testing.assert_allclose(gradient.numpy(), direction / np.linalg.norm(direction), rtol=1e-4, atol=1e-7)
    # A short one stays as long as it is.
    _, gradient = own.mean(torch.tensor([*(1e-3 * direction), 1.0, 0.5], dtype=torch.float32))
    np.testing.assert_allclose(gradient.numpy(), 1e-3 * direction / 500, rtol=1e-4, atol=1e-12)


def test_the_optimiser_steps_as_torchs_adamw() -> None:
    random = torch.Generator().manual_seed(0)
    start = torch.randn(9, generator=random)
    theirs = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.AdamW([theirs], lr=0.02, weight_decay=0.1)
    state = State.at(start.clone())
    for step in range(1, 6):
        gradient = torch.randn(9, generator=random)
        theirs.grad = gradient.clone()
        optimiser.step()
        adam(state, gradient, Plan(weight_decay=0.1), step, 0.02)
    torch.testing.assert_close(state.flat, theirs.detach(), rtol=1e-6, atol=1e-6)


def test_no_windows_are_refused() -> None:
    unknown = WindowSet(window_set(0, 30).x, Runs.of(np.full((30, H), np.nan)))
    for none in (WindowSet.empty(L, H), unknown):
        with pytest.raises(SparkhuError, match="there are no windows to train on whose Y is known"):
            train(replace(work(), train=none))


def with_value(windows: WindowSet, side: str, row: int, value: float) -> WindowSet:
    rows = {name: getattr(windows, name).rows(slice(None)).copy() for name in "xy"}
    rows[side][row, 1] = value
    return WindowSet(Runs.of(rows["x"]), Runs.of(rows["y"]))


def test_inputs_with_missing_values_are_refused() -> None:
    given = work()
    for name in ("train", "choose"):
        lacking = replace(given, **{name: with_value(getattr(given, name), "x", 3, np.nan)})
        with pytest.raises(SparkhuError, match=r"1 values are missing in the inputs of windows on rank 0\. Fill"):
            train(lacking)


@pytest.mark.parametrize(("side", "value"), [("x", np.inf), ("y", 1e30)])
def test_a_choosing_loss_that_is_no_number_stops_and_names_epoch_and_rank(side: str, value: float) -> None:
    given = work()
    broken = with_value(given.choose, side, 5, value)
    with pytest.raises(InputError, match="is no number on the choosing windows behind epoch 1, on rank 0"):
        train(replace(given, choose=broken))

    def half(rank: ThreadRank) -> Trained:
        own = given.train.strided(rank.rank, 2)
        return train(replace(given, train=own, choose=broken if rank.rank else given.choose), ranks=rank)

    for error in on_ranks(2, half):
        assert isinstance(error, InputError)
        assert "on the choosing windows behind epoch 1, on rank 1. Give a smaller learning_rate than 0.01" in str(error)


def test_choosing_windows_without_a_known_y_count_as_none() -> None:
    given = work(epochs=4, patience=1)
    unknown = WindowSet(given.choose.x, Runs.of(np.full((40, H), np.nan)))
    found = train(replace(given, choose=unknown))
    assert found.best == len(found.epochs) == 4
    assert [epoch.choose for epoch in found.epochs] == [None] * 4
    np.testing.assert_array_equal(flat(found), flat(train(replace(given, choose=WindowSet.empty(L, H)))))


def test_choosing_windows_decide_which_epoch_is_taken_and_nothing_else(tmp_path: Path) -> None:
    given = work(epochs=5, patience=5, learning_rate=0.03)
    noise = WindowSet(given.choose.x, Runs.of(np.random.default_rng(0).normal(size=(40, H))))
    courses: list[dict[int, Floats]] = []
    for name, choose in (("given", given.choose), ("noise", noise)):
        store, steps = Checkpoints(tmp_path / name), {}

        def keep(epoch: Epoch, store: Checkpoints = store, steps: dict[int, Floats] = steps) -> None:
            path = store.folder / f"epoch-{epoch.epoch:06d}.safetensors"
            steps[epoch.epoch] = load(path.read_bytes())["flat"]

        found = train(replace(given, choose=choose), checkpoints=store, on_epoch=keep)
        taken = np.concatenate([array.ravel() for array in found.weights.values()])
        np.testing.assert_array_equal(taken, steps[found.best])
        courses.append({**steps, 0: found.best})
    first, second = courses
    assert first.pop(0) != second.pop(0)
    for epoch, weights in first.items():
        np.testing.assert_array_equal(weights, second[epoch])


def told_by_ranks(given: loop.Work, *, train_of: Callable[[int], WindowSet]) -> list[object]:
    return on_ranks(2, lambda rank: train(replace(given, train=train_of(rank.rank)), ranks=rank))


def test_the_rank_whose_loss_is_no_number_is_named() -> None:
    given = work(batch=1024)
    broken = with_value(given.train, "x", 77, np.inf)
    for error in told_by_ranks(given, train_of=lambda rank: broken if rank else given.train):
        assert isinstance(error, InputError)
        assert "in epoch 1, batch 1 of 1, on rank 1." in str(error)


class Summing(Single):
    """One process to whose sums something is added."""

    size = 2

    def __init__(self, added: float) -> None:
        self.added = added

    def all_reduce(self, array: Floats) -> Floats:
        return array + np.float32(self.added)


def test_a_sum_over_ranks_that_overflows_is_none_of_theirs_alone() -> None:
    with pytest.raises(InputError, match="in epoch 1, batch 1 of 5, in the sum of all ranks"):
        train(work(), ranks=Summing(np.inf))


class Drifting(ThreadRank):
    """A rank whose sums are others than those of rank 0."""

    def all_reduce(self, array: Floats) -> Floats:
        return super().all_reduce(array) * (1 + np.float32(1e-3) * self.rank)


def test_parameters_that_differ_between_ranks_stop_the_training() -> None:
    def one(rank: ThreadRank) -> Trained:
        return train(work(), ranks=Drifting(rank.rank, 2, rank._met, rank._told))

    for error in on_ranks(2, one):
        assert isinstance(error, SparkhuError)
        assert "after epoch 1 the parameters of rank 1 are not those of rank 0" in str(error)
