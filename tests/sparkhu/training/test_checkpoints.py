"""Checkpoints: a training goes on from them to the same bits, from whole ones of the same training alone."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.base import Floats
from sparkhu.models.neural.forecaster import weights_of
from sparkhu.training import checkpoints as stored
from sparkhu.training.checkpoints import Checkpoint, Checkpoints
from sparkhu.training.loop import Trained, Work, train
from sparkhu.training.optimiser import Epoch
from sparkhu.training.window_sets import Runs, WindowSet
from tests.sparkhu.training.thread_ranks import on_ranks
from tests.sparkhu.training.toy_windows import work

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


@pytest.mark.parametrize(
    "what", ["cut", "flipped", "no arrays", "no JSON", "other schema", "other course", "other epoch"]
)
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
        case "other schema":
            document.write_text(document.read_text().replace('"schema_version": 1', '"schema_version": 0'))
        case "other course":
            document.write_text(re.sub('"best_loss": [0-9.]+', '"best_loss": 0.0', document.read_text()))
        case _:
            document.write_text(document.read_text().replace('"epoch": 3,', '"epoch": 2,', 1))
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
    assert Checkpoints(tmp_path / "full").newest({}) == (None, [])


def lifted(windows: WindowSet) -> WindowSet:
    """Change the last Y of a window."""
    rows = windows.y.rows(slice(None)).copy()
    rows[7, -1] += 1e-9
    return WindowSet(windows.x, Runs.of(rows))


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (work(epochs=1, seed=5), "seed 0, and not 5"),
        (work(epochs=1, batch=16), "the plan "),
        (work(epochs=1, learning_rate=0.02), "the plan "),
        (work(epochs=1, name="lstm"), "the model "),
        (replace(work(epochs=1), train=lifted(work().train)), "the windows "),
        (replace(work(epochs=1), choose=lifted(work().choose)), "the windows "),
        (replace(work(epochs=1), start=weights_of(work().design.module())), "the weights begun with "),
    ],
)
def test_checkpoints_of_another_training_are_refused_and_what_differs_is_named(
    other: Work, named: str, tmp_path: Path
) -> None:
    train(work(epochs=1), checkpoints=Checkpoints(tmp_path))
    with pytest.raises(InputError, match=f"are of another training: {named}.*give another folder"):
        train(other, checkpoints=Checkpoints(tmp_path))
    assert train(work(epochs=1), checkpoints=Checkpoints(tmp_path)).notes == ["went on behind epoch 1"]


def test_another_number_of_workers_does_not_go_on(tmp_path: Path) -> None:
    train(work(epochs=1), checkpoints=Checkpoints(tmp_path))

    def begin(rank: object) -> None:
        own = work(epochs=1)
        halves = {name: getattr(own, name).strided(rank.rank, 2) for name in ("train", "choose")}
        train(replace(own, **halves), ranks=rank, checkpoints=Checkpoints(tmp_path))

    for error in on_ranks(2, begin):
        assert isinstance(error, InputError)
        assert "number of workers 1, and not 2. Train on with what it was begun with" in str(error)


def state(epoch: int) -> Checkpoint:
    return Checkpoint(epoch, {"seed": 0}, {"flat": np.full(3, epoch, np.float32)}, {"best": epoch})


def test_the_last_two_whole_checkpoints_are_kept_and_damaged_ones_are_not_counted(tmp_path: Path) -> None:
    for epoch in (1, 2):
        Checkpoints(tmp_path).write(state(epoch))
    for epoch in (3, 7, 9):
        (tmp_path / f"epoch-{epoch:06d}.json").write_text("{}")
    (tmp_path / "epoch-000008.safetensors").write_bytes(b"without its JSON")
    store = Checkpoints(tmp_path)
    found, passed = store.newest({"seed": 0})
    assert found is not None
    assert (found.epoch, found.course["best"], len(passed)) == (2, 2, 3)
    # Epoch 2 is damaged now as well: behind epoch 3, the one before it that is whole is the first.
    (tmp_path / "epoch-000002.safetensors").write_bytes(b"")
    Checkpoints(tmp_path).write(state(3))
    kept = [f"epoch-00000{epoch}.{kind}" for epoch in (1, 3) for kind in ("json", "safetensors")]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept
    newest, passed = Checkpoints(tmp_path).newest({"seed": 0})
    assert newest is not None
    assert (newest.epoch, passed) == (3, [])
