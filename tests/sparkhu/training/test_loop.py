from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats
from sparkhu.models.neural.forecaster import Neural
from sparkhu.training import checkpoints as stored
from sparkhu.training import loop
from sparkhu.training.checkpoints import Checkpoints
from sparkhu.training.distribution.ranks import Single
from sparkhu.training.loop import Trained, train
from sparkhu.training.optimiser import Epoch, State, adam
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import Runs, WindowSet
from tests.sparkhu.training.toy_windows import H, L, window_set, work
from tests.sparkhu.window_inputs import inputs

torch = pytest.importorskip("torch", reason="torch is not installed")


def flat(trained: Trained) -> Floats:
    return np.concatenate([array.ravel() for _, array in sorted(trained.weights.items())])


class KilledError(Exception):
    pass


def killed_after(epoch: int) -> object:
    def stop(found: Epoch) -> None:
        if found.epoch == epoch:
            raise KilledError

    return stop


def test_a_training_learns_and_forecasts_better_than_the_last_value() -> None:
    given = work(epochs=6)
    found = train(given)
    unseen = window_set(210, 100)
    x, y = unseen.x.rows(slice(None)), unseen.y.rows(slice(None))
    error = np.square(Neural(given.design, found.weights, found.weights).predict(inputs(x)) - y).mean()
    assert error < 0.5 * np.square(x[:, -1:] - y).mean()
    losses = [epoch.train for epoch in found.epochs]
    assert losses[-1] < 0.5 * losses[0]
    # The loss told is that of the weights given, on the observed values of the choosing windows.
    x, y = given.choose.x.rows(slice(None)), given.choose.y.rows(slice(None))
    error = np.square(Neural(given.design, found.weights, found.weights).predict(inputs(x)) - y).mean()
    assert found.epochs[found.best - 1].choose == pytest.approx(error, rel=1e-4)


@pytest.mark.parametrize("name", ["nhits", "lstm", "patch_transformer"])
def test_a_seed_gives_the_same_bits_and_another_seed_others(name: str) -> None:
    first, again, other = (flat(train(work(name=name, seed=seed, epochs=1))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("epoch", [1, 2])
def test_a_training_killed_and_gone_on_gives_the_bits_of_one_that_was_not(epoch: int, tmp_path: Path) -> None:
    whole = train(work(epochs=4))
    with pytest.raises(KilledError):
        train(work(epochs=4), checkpoints=Checkpoints(tmp_path), on_epoch=killed_after(epoch))
    torch.randn(5)
    resumed = train(work(epochs=4), checkpoints=Checkpoints(tmp_path))
    np.testing.assert_array_equal(flat(resumed), flat(whole))
    assert [(each.train, each.choose) for each in resumed.epochs] == [
        (each.train, each.choose) for each in whole.epochs
    ]
    assert resumed.notes == [f"went on behind epoch {epoch}"]
    # One that had ended gives what it gave, without another epoch.
    ended = train(work(epochs=4), checkpoints=Checkpoints(tmp_path), on_epoch=killed_after(4))
    np.testing.assert_array_equal(flat(ended), flat(whole))


@pytest.mark.parametrize("what", ["cut", "flipped", "no arrays", "no JSON", "other schema"])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before_it(what: str, tmp_path: Path) -> None:
    whole = train(work(), checkpoints=Checkpoints(tmp_path))
    arrays, document = tmp_path / "epoch-000003.safetensors", tmp_path / "epoch-000003.json"
    content = arrays.read_bytes()
    match what:
        case "cut":
            arrays.write_bytes(content[:-7])
        case "flipped":
            arrays.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        case "no arrays":
            arrays.unlink()
        case "no JSON":
            document.write_text("{")
        case _:
            document.write_text(document.read_text().replace('"schema_version": 1', '"schema_version": 0'))
    resumed = train(work(), checkpoints=Checkpoints(tmp_path))
    np.testing.assert_array_equal(flat(resumed), flat(whole))
    assert resumed.notes[0].startswith("the checkpoint of epoch 3 is damaged (")
    assert resumed.notes[1] == "went on behind epoch 2"


def test_where_every_checkpoint_is_damaged_the_training_begins_anew(tmp_path: Path) -> None:
    whole = train(work(), checkpoints=Checkpoints(tmp_path))
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(b"")
    again = train(work(), checkpoints=Checkpoints(tmp_path))
    np.testing.assert_array_equal(flat(again), flat(whole))
    assert len(again.notes) == 2


def test_two_checkpoints_are_kept_and_none_is_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(work(), checkpoints=Checkpoints(tmp_path))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [f"epoch-00000{epoch}.{kind}" for epoch in (2, 3) for kind in ("json", "safetensors")]

    def full(_: int) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(stored.os, "fsync", full)
    with pytest.raises(SparkhuError, match=r"no checkpoint can be written to .*no space left"):
        train(work(), checkpoints=Checkpoints(tmp_path / "full"))
    assert Checkpoints(tmp_path / "full").newest("any") == (None, [])


@pytest.mark.parametrize("other", [{"seed": 5}, {"batch": 16}, {"name": "lstm"}])
def test_checkpoints_of_another_training_are_refused(other: dict[str, object], tmp_path: Path) -> None:
    train(work(epochs=1), checkpoints=Checkpoints(tmp_path))
    with pytest.raises(InputError, match="are of other data, settings or another seed"):
        train(work(**{"epochs": 1, **other}), checkpoints=Checkpoints(tmp_path))


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
    share = loop.Share.of(windows, given.plan, Single(), 0)
    losses = [gradients(given, windows, np.arange(low, low + 1))[-2:] for low in range(2)]
    assert float(losses[0][1]) == pytest.approx(3 / 1000)
    assert float(losses[1][1]) == pytest.approx(4 / 1000)
    assert share.steps == 5
    assert np.isfinite(flat(train(replace(given, train=windows)))).all()


def gradients(given: loop.Work, windows: WindowSet, which: Floats, **plan: object) -> object:
    from torch.nn.utils import parameters_to_vector

    torch.manual_seed(0)
    module = given.design.module()
    vector = parameters_to_vector(module.parameters()).detach()
    return loop.Gradients(module, vector, replace(given.plan, **plan)).of(windows, which)


def test_shares_of_a_batch_and_pieces_of_a_share_add_up_to_its_gradient() -> None:
    given = work(dropout=0.0)
    whole = gradients(given, given.train, np.arange(32))
    shares = [gradients(given, given.train, np.arange(low, high)) for low, high in ((0, 20), (20, 32), (32, 32))]
    torch.testing.assert_close(sum(shares), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(gradients(given, given.train, np.arange(32), micro_batch=5), whole, rtol=1e-4, atol=1e-5)


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
    with pytest.raises(SparkhuError, match="there are no windows to train on"):
        train(replace(work(), train=WindowSet.empty(L, H)))


class Two(Single):
    """Rank 0 of two, of which the other one does what a test says."""

    size = 2

    def __init__(self, added: float, *told: Floats) -> None:
        self.added, self.told = added, list(told)

    def all_reduce(self, array: Floats) -> Floats:
        return array + self.added if array.dtype == np.float32 else array

    def gather(self, array: Floats) -> list[Floats]:
        return [array, *(self.told or [array])]


def test_the_rank_whose_loss_is_no_number_is_named() -> None:
    with pytest.raises(InputError, match="in epoch 1, batch 1 of 5, on rank 1"):
        train(work(), ranks=Two(np.nan, np.array([0])))


def test_parameters_that_differ_between_ranks_stop_the_training() -> None:
    with pytest.raises(SparkhuError, match="after epoch 1 the parameters of rank 1 are not those of rank 0"):
        train(work(), ranks=Two(0.0, np.zeros(32, np.uint8)))
