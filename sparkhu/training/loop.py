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
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from sparkhu.errors import InputError, SparkhuError
from sparkhu.models.neural.forecaster import Design, Weights, set_weights, weights_of
from sparkhu.models.neural.running import best_device, reproducible, require_torch
from sparkhu.training.batches import Share
from sparkhu.training.checkpoints import Checkpoint, Checkpoints
from sparkhu.training.distribution.ranks import Array, Ranks, Single
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
        choose: The windows of this rank that say when to stop; where no Y of them is known on any rank, all epochs
            are run, and the last weights are kept.
        plan: How.
        learning_rate: Largest step of the optimiser, for a batch of 256 windows.
        seed: The same on all ranks.
        start: The weights that are begun with; None: drawn from the seed.
    """

    design: Design
    train: WindowSet
    choose: WindowSet
    plan: Plan
    learning_rate: float
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
        SparkhuError: There are no windows, an X has a missing value, the parameters of ranks differ, or a checkpoint
            cannot be written.
    """
    require_torch(work.design.name)
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
        self._plan = work.plan.for_windows(self._share.drawn)
        self._chooses = self._count()
        self._training = _described(work, ranks)
        self._gradients, self._state, self._notes = self._begin()

    def _count(self) -> bool:
        """Check that there is what can be learnt from, and say whether there is what can be chosen by; on all ranks."""
        sets = (self._work.train, self._work.choose)
        own = [(len(each) * each.x.size - each.x.known(), each.y.known()) for each in sets]
        counts = np.array(self._ranks.gather(np.array(own, dtype=np.int64)))
        if (lacking := counts[:, :, 0].sum(axis=1)).any():
            rank = int(lacking.argmax())
            raise SparkhuError(
                f"{lacking[rank]:,} values are missing in the inputs of windows on rank {rank}. Fill them."
            )
        train, choose = counts[:, :, 1].sum(axis=0)
        if not train:
            raise SparkhuError(
                "there are no windows to train on whose Y is known. Give longer series or a smaller input_size."
            )
        return bool(choose)

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
                found, notes = self._checkpoints.newest(self._training)
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
        state, plan = self._state, self._plan
        return state.epoch >= plan.epochs or (self._chooses and state.epoch - state.best >= plan.patience)

    def run_epoch(self) -> Epoch:
        """Run an epoch, look at the choosing windows, and write a checkpoint."""
        state = self._state
        began = time.monotonic()
        loss = self._learn(state.epoch + 1)
        seconds = time.monotonic() - began
        state.epoch += 1
        chosen = self._choose() if self._chooses else None
        if chosen is None or chosen < state.best_loss:
            state.best, state.best_loss = state.epoch, loss if chosen is None else chosen
            state.best_flat.copy_(state.flat)
        found = Epoch(state.epoch, self._plan.epochs, loss, chosen, round(seconds, 3))
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
        state, work, steps = self._state, self._work, self._share.steps
        losses = 0.0
        for batch, which in enumerate(self._share.batches(epoch)):
            own = self._gradients.of(work.train, which)
            loss, gradient = self._gradients.mean(self._summed(own))
            if not (np.isfinite(loss) and bool(gradient.isfinite().all())):
                finite = bool(own.isfinite().all())
                raise self._no_number(f"in epoch {epoch}, batch {batch + 1} of {steps}", finite)
            step = (epoch - 1) * steps + batch
            adam(state, gradient, self._plan, step + 1, self._plan.rate(step, steps, work.learning_rate))
            losses += loss
        return losses / steps

    def _choose(self) -> float:
        """Give the mean loss over the known values of the choosing windows of all ranks."""
        own = self._gradients.errors(self._work.choose)
        loss, known = np.sum(self._ranks.gather(own), axis=0)
        if not np.isfinite(loss):
            finite = bool(np.isfinite(own).all())
            raise self._no_number(f"on the choosing windows behind epoch {self._state.epoch}", finite)
        return float(loss / known)

    def _summed(self, own: "Tensor") -> "Tensor":
        import torch

        if self._ranks.size == 1:
            return own
        return torch.from_numpy(self._ranks.all_reduce(own.cpu().numpy())).to(own.device)

    def _no_number(self, where: str, finite: bool) -> InputError:
        """Say on which rank it is that the loss or its gradient is not finite; every rank calls it."""
        each = self._ranks.gather(np.array([finite], dtype=np.int64))
        rank = next((f"on rank {rank}" for rank, good in enumerate(each) if not good[0]), "in the sum of all ranks")
        return InputError(
            f"the loss is no number {where}, {rank}. Give a smaller learning_rate than {self._work.learning_rate:g}, "
            "or look for values that are very large in the series there."
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
            "best": state.best,
            "best_loss": state.best_loss,
            "epochs": [asdict(each) for each in state.epochs],
        }
        self._checkpoints.write(Checkpoint(state.epoch, self._training, arrays, course))


def _seed_of(seed: int, epoch: int, rank: int) -> int:
    return int(np.random.SeedSequence([seed, epoch, rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _described(work: Work, ranks: Ranks) -> dict[str, int | str]:
    """Tell all that decides the result, the values of the windows of all ranks among it."""
    own = b"".join(runs.digest() for part in (work.train, work.choose) for runs in (part.x, part.y))
    windows = b"".join(each.tobytes() for each in ranks.gather(np.frombuffer(own, dtype=np.uint8).copy()))
    design = asdict(replace(work.design, shape=dict(work.design.shape)))
    start = b"".join(
        name.encode() + np.ascontiguousarray(array).tobytes() for name, array in sorted((work.start or {}).items())
    )
    made = {
        "the model": json.dumps(design, sort_keys=True).encode(),
        "the plan": json.dumps({**work.plan.document(), "learning_rate": work.learning_rate}, sort_keys=True).encode(),
        "the windows": windows,
        "the weights begun with": start,
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in made.items()}
    return {"number of workers": ranks.size, "seed": work.seed, **digests}
