"""The one way in which neural models are trained: by one process, by several of torch's, by several of Horovod's.

Each rank looks at its own windows, adds up the gradient of its share of a batch, and all ranks add theirs; so each
step is that of one process over the whole batch, and the parameters of all ranks stay equal to the bit, which is
checked after every epoch. The choosing windows, which lie behind those of training in time, say when to stop, and the
weights of the best epoch are kept.

The random numbers of an epoch come from the seed, the epoch and the rank alone. With the weights and the moments of the
optimiser they are all that a training is made of: it goes on from a checkpoint to the same bits as if it had never
stopped.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.neural.forecaster import Design, Weights, set_weights, weights_of
from sparkhu.models.neural.running import best_device, reproducible
from sparkhu.training.batches import Share
from sparkhu.training.checkpoints import Checkpoint, Checkpoints
from sparkhu.training.distribution.ranks import Array, Ranks, Single, total
from sparkhu.training.gradients import Gradients
from sparkhu.training.optimiser import Epoch, State, adam
from sparkhu.training.plan import Plan
from sparkhu.training.window_sets import WindowSet

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training gives.

    Attributes:
        weights: Those of the best epoch.
        best: Its number; 0: the weights that were begun with.
        epochs: What each epoch brought.
        notes: What was passed over, such as a damaged checkpoint.
    """

    weights: Weights
    best: int
    epochs: list[Epoch]
    notes: list[str]


@dataclass(frozen=True, eq=False)
class Work:
    """What is trained.

    Attributes:
        design: Of the module.
        train: The windows of this rank that are learnt from.
        choose: The windows of this rank that say when to stop; without any on all ranks all epochs are run, and the
            last weights are kept.
        plan: How.
        seed: The same on all ranks.
        start: The weights that are begun with; None: drawn from the seed.
    """

    design: Design
    train: WindowSet
    choose: WindowSet
    plan: Plan
    seed: int
    start: Weights | None = None


def train(
    work: Work,
    *,
    ranks: Ranks | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Train a module, from the newest whole checkpoint on where there is one.

    The same work on as many ranks gives the same bits. With another number of ranks the batches are made of other
    windows, and the result differs as with another seed.

    Args:
        work: What is trained; all but its windows is equal on all ranks.
        ranks: The processes that train together; none: this one alone.
        checkpoints: Where a checkpoint is written after every epoch, by rank 0 alone.
        on_epoch: Is called on rank 0 after every epoch, its checkpoint written.

    Raises:
        InputError: The loss is no number, torch is not installed, or the checkpoints are of another training.
        SparkhuError: There are no windows, the parameters of ranks differ, or a checkpoint cannot be written.
    """
    together = ranks or Single()
    with reproducible():
        training = _Training(work, together, checkpoints)
        while not training.over():
            found = training.run_epoch()
            if on_epoch and together.rank == 0:
                on_epoch(found)
        return training.result()


class _Training:
    def __init__(self, work: Work, ranks: Ranks, checkpoints: Checkpoints | None) -> None:
        self._work, self._ranks, self._checkpoints = work, ranks, checkpoints
        self._share = Share.of(work.train, work.plan, ranks, work.seed)
        windows = {"train": total(ranks, len(work.train)), "choose": total(ranks, len(work.choose))}
        if not windows["train"]:
            raise SparkhuError("there are no windows to train on. Give longer series or a smaller input_size.")
        self._chooses = windows["choose"] > 0
        self._key = _key(work, windows)
        self._gradients, self._state, self._notes = self._begin()

    def _begin(self) -> tuple[Gradients, State, list[str]]:
        import torch
        from torch.nn.utils import parameters_to_vector

        work = self._work
        torch.manual_seed(work.seed)
        module = work.design.module()
        if work.start is not None:
            set_weights(module, work.start)
        flat = parameters_to_vector(module.parameters()).detach().to(best_device())
        none = torch.zeros_like(flat)
        state = State(0, flat, none.clone(), none.clone(), flat.clone())
        state.flat.copy_(
            torch.frombuffer(bytearray(self._ranks.broadcast(flat.cpu().numpy().tobytes())), dtype=flat.dtype)
        )
        notes = self._resume(state)
        return Gradients(module, state.flat, work.plan), state, notes

    def _resume(self, state: State) -> list[str]:
        """Put the newest checkpoint into the state; rank 0 reads it for all."""
        import torch
        from safetensors.numpy import load, save

        found, notes = None, list[str]()
        problem, content = "", b""
        if self._checkpoints and self._ranks.rank == 0:
            try:
                found, notes = self._checkpoints.newest(self._key)
            except InputError as error:
                problem = str(error)
            if found:
                content = save(dict(found.arrays))
        told = {"problem": problem, "notes": notes, "course": dict(found.course) if found else None}
        told = json.loads(self._ranks.broadcast(json.dumps({**told, "epoch": found.epoch if found else 0}).encode()))
        if told["problem"]:
            raise InputError(told["problem"])
        if told["course"] is None:
            return list(told["notes"])
        arrays = load(self._ranks.broadcast(content))
        for name in ("flat", "mean", "square", "best_flat"):
            getattr(state, name).copy_(torch.tensor(arrays[name]))
        course = told["course"]
        state.epoch, state.best, state.best_loss = told["epoch"], course["best"], course["best_loss"]
        state.epochs = [Epoch(**each) for each in course["epochs"]]
        return [*told["notes"], f"went on behind epoch {state.epoch}"]

    def over(self) -> bool:
        """Say whether the last epoch was run, or the loss has not become better for a while."""
        state, plan = self._state, self._work.plan
        return state.epoch >= plan.epochs or (self._chooses and state.epoch - state.best >= plan.patience)

    def run_epoch(self) -> Epoch:
        """Run an epoch, look at the choosing windows, and write a checkpoint."""
        state = self._state
        began = time.monotonic()
        loss = self._learn(state.epoch + 1)
        seconds = time.monotonic() - began
        state.epoch += 1
        chosen = self._gradients.loss_of(self._work.choose, self._ranks) if self._chooses else None
        if chosen is None or chosen < state.best_loss:
            state.best, state.best_loss = state.epoch, loss if chosen is None else chosen
            state.best_flat.copy_(state.flat)
        found = Epoch(state.epoch, loss, chosen, round(seconds, 3))
        state.epochs.append(found)
        self._check_equal()
        self._keep()
        return found

    def result(self) -> Trained:
        """Give the weights of the best epoch."""
        state = self._state
        weights = weights_of(self._gradients.with_flat(state.best_flat))
        return Trained(weights, state.best, state.epochs, self._notes)

    def _learn(self, epoch: int) -> float:
        import torch

        torch.manual_seed(_seed_of(self._work.seed, epoch, self._ranks.rank))
        state, plan, steps = self._state, self._work.plan, self._share.steps
        losses = 0.0
        for batch, which in enumerate(self._share.batches(self._work.train, epoch)):
            own = self._gradients.of(self._work.train, which)
            summed = self._summed(own)
            loss, gradient = self._gradients.mean(summed)
            if not np.isfinite(loss + float(gradient.norm())):
                raise self._no_number(own, epoch, batch + 1)
            step = (epoch - 1) * steps + batch
            adam(state, gradient, plan, step + 1, plan.rate(step, steps))
            losses += loss
        return losses / steps

    def _summed(self, own: "Tensor") -> "Tensor":
        import torch

        if self._ranks.size == 1:
            return own
        return torch.from_numpy(self._ranks.all_reduce(own.cpu().numpy())).to(own.device)

    def _no_number(self, own: "Tensor", epoch: int, batch: int) -> InputError:
        finite = np.array([bool(own.isfinite().all())], dtype=np.int64)
        rank = next((i for i, each in enumerate(self._ranks.gather(finite)) if not each[0]), 0)
        return InputError(
            f"the loss is no number in epoch {epoch}, batch {batch} of {self._share.steps}, on rank {rank}. "
            f"Give a smaller learning_rate than {self._work.plan.learning_rate:g}, or look for values that are very "
            "large in the series of that rank."
        )

    def _check_equal(self) -> None:
        """Check that the parameters of all ranks are equal to the bit."""
        digest = hashlib.sha256(self._state.flat.cpu().numpy().tobytes()).digest()
        digests: list[Array] = self._ranks.gather(np.frombuffer(digest, dtype=np.uint8).copy())
        unlike = [rank for rank, each in enumerate(digests) if (each != digests[0]).any()]
        if unlike:
            raise SparkhuError(
                f"after epoch {self._state.epoch} the parameters of rank {unlike[0]} are not those of rank 0. "
                "Run all ranks on the same versions of torch and kinds of processors."
            )

    def _keep(self) -> None:
        state = self._state
        if self._checkpoints is None or self._ranks.rank != 0:
            return
        arrays = {name: getattr(state, name).cpu().numpy() for name in ("flat", "mean", "square", "best_flat")}
        course = {
            "seed": self._work.seed,
            "ranks": self._ranks.size,
            "best": state.best,
            "best_loss": state.best_loss,
            "epochs": [asdict(each) for each in state.epochs],
        }
        self._checkpoints.write(Checkpoint(state.epoch, self._key, arrays, course))


def _seed_of(seed: int, epoch: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _key(work: Work, windows: Mapping[str, float]) -> str:
    """Name all that decides the result but the values of the windows and the number of ranks."""
    started = hashlib.sha256()
    for name, array in sorted((work.start or {}).items()):
        started.update(name.encode() + np.ascontiguousarray(array).tobytes())
    told: dict[str, Any] = {"design": asdict(replace(work.design, shape=dict(work.design.shape)))}
    told |= {"plan": work.plan.document(), "seed": work.seed, "windows": windows, "start": started.hexdigest()}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
