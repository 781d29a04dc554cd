"""Bayesian optimisation: try where what is believed of the objective promises most.

The settings, and what they mean, are those of Katib's skopt service (`pkg/suggestion/v1beta1/skopt`). Two things
differ: the scale of a double is the one that its distribution says (Katib takes it as logarithmic, whatever is
written), and `gp_hedge` learns from the trials that each of its acquisitions chose, which bear its name as a label, so
that it needs no memory of its own.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from sparkhu.errors import InputError
from sparkhu.threads import on_one_thread
from sparkhu.tuning.algorithms.acquisitions import ACQUISITIONS, Acquisition
from sparkhu.tuning.algorithms.axes import Places, axes_of
from sparkhu.tuning.algorithms.cube import Cube
from sparkhu.tuning.algorithms.history import RUNNING, History
from sparkhu.tuning.algorithms.random_search import drawn, generator
from sparkhu.tuning.algorithms.settings import RANDOM_STATE, Reader, one_of, read_settings, seed_of, whole
from sparkhu.tuning.algorithms.suggesting import Suggestion
from sparkhu.tuning.algorithms.surrogates import Boosting, Forest, GaussianProcess, Surrogate, most_likely_kernel
from sparkhu.tuning.space import Direction, Space
from sparkhu.tuning.trials import Trial

if TYPE_CHECKING:
    from sklearn.gaussian_process.kernels import Kernel

ACQUISITION: Final = "bayesian-acquisition"
KNOWN: Final[Mapping[str, Reader]] = {
    **RANDOM_STATE,
    "base_estimator": one_of("GP", "RF", "ET", "GBRT"),
    "n_initial_points": whole(at_least=0),
    "acq_func": one_of("gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"),
    "acq_optimizer": one_of("auto", "sampling", "lbfgs"),
}
CANDIDATES: Final = 2000
STARTS: Final = 5
STEPS: Final = 30
DIFFERENCE: Final = 1e-6
LEAST_PROMISE: Final = 1e-12
"""Smaller ones are noise: the climb is scaled by what the starts promise, as it stops where slopes are small."""
MOST_FITTED: Final = 200
"""The lengths of the Gaussian process are found from so many trials; its mean knows all of them."""


class BayesianSearch:
    """Algorithm `bayesianoptimization`; a trial that runs counts as if it had the best value so far.

    Args:
        settings: `base_estimator` (`GP`), `n_initial_points` (10), `acq_func` (`gp_hedge`), `acq_optimizer` (`auto`),
            `random_state`.
        space: What is searched.
        direction: Of the objective.

    Raises:
        InputError: A setting or the space cannot be used.
    """

    def __init__(self, settings: Mapping[str, str], space: Space, direction: Direction) -> None:
        read = read_settings("bayesianoptimization", settings, KNOWN)
        self.seed = seed_of(read)
        self.estimator = str(read.get("base_estimator", "GP"))
        self.initial = cast("int", read.get("n_initial_points", 10))
        self.acquisition = str(read.get("acq_func", "gp_hedge"))
        optimizer = str(read.get("acq_optimizer", "auto"))
        _check(self.estimator, self.acquisition, optimizer)
        self.refining = optimizer != "sampling"
        self.axes = axes_of(space)
        self.cube = Cube(self.axes)
        self.history = History(self.axes, direction)
        self._chosen_by: dict[str, list[int]] = {name: [] for name in ACQUISITIONS}
        self._fitted: tuple[bytes, Kernel | None] = (b"", None)
        self._seen = 0

    def suggest(self, count: int, trials: Sequence[Trial]) -> list[Suggestion]:
        """Suggest `count` assignments; the first ones are drawn at random."""
        self.history.learn(trials)
        for row, trial in enumerate(trials[self._seen :], self._seen):
            if ACQUISITION in trial.labels:
                self._chosen_by[trial.labels[ACQUISITION]].append(row)
        self._seen = len(trials)
        found = []
        for number in range(len(trials), len(trials) + count):
            rng = generator(self.seed, number)
            early = np.isfinite(self.history.values).sum() < max(self.initial, 1)
            found.append(Suggestion(drawn(self.axes, rng)) if early else self._promising(rng))
            self.history.expect(found[-1].assignment)
        self.history.forget_expected(len(trials))
        return found

    @on_one_thread
    def _promising(self, rng: np.random.Generator) -> Suggestion:
        points, values = self._observed()
        name, best = self._acquisition(values, rng), float(np.nanmin(values))
        known = ~np.isnan(values) | (self.history.states == RUNNING)
        surrogate = self._surrogate(points[known], np.where(np.isnan(values), best, values)[known], rng)
        promise = ACQUISITIONS[name]
        candidates = _sorted(self.cube.draw(rng, CANDIDATES), surrogate, promise, best)
        if isinstance(surrogate, GaussianProcess) and self.refining and self.cube.numbers:
            refined = self.cube.snapped(refine(surrogate, promise, best, candidates[:STARTS], self.cube.numbers))
            first = _sorted(np.concatenate([refined, candidates[:STARTS]]), surrogate, promise, best)
            candidates = np.concatenate([first, candidates[STARTS:]])
        tried = {_rounded(point) for point in points}
        chosen = next((each for each in candidates if _rounded(each) not in tried), candidates[0])
        return Suggestion(self.cube.assignment(chosen), {ACQUISITION: name})

    def _observed(self) -> tuple[Places, Places]:
        """Give the points of all trials, and their values with mean 0 and deviation 1, nan where there is none."""
        values = scaled(np.where(np.isfinite(self.history.values), self.history.values, np.nan))
        return self.cube.points(self.history), (values - np.nanmean(values)) / (np.nanstd(values) or 1.0)

    def _acquisition(self, values: Places, rng: np.random.Generator) -> str:
        """Choose an acquisition; of `gp_hedge` the more often, the better what it chose."""
        if self.acquisition != "gp_hedge":
            return self.acquisition
        chosen = [values[rows] for rows in self._chosen_by.values()]
        gains = np.array([-np.nanmean(each) if np.isfinite(each).any() else 0.0 for each in chosen])
        chances = np.exp(gains - gains.max())
        return str(rng.choice([*self._chosen_by], p=chances / chances.sum()))

    def _surrogate(self, points: Places, believed: Places, rng: np.random.Generator) -> Surrogate:
        if self.estimator == "GP":
            return GaussianProcess(self._kernel(), points, believed)
        seed = int(rng.integers(2**31))
        return (
            Boosting(points, believed, seed)
            if self.estimator == "GBRT"
            else Forest(self.estimator, points, believed, seed)
        )

    def _kernel(self) -> "Kernel":
        """Fit the Gaussian process, anew whenever there is a sixteenth more to learn from.

        It depends on no other trial, not even by rounding: a study that goes on finds the kernel that it had.
        """
        scored = np.flatnonzero(np.isfinite(self.history.values))
        rows = scored[: len(scored) - len(scored) % max(1, len(scored) // 16)][-MOST_FITTED:]
        if self._fitted[0] != rows.tobytes():
            points, values = self.cube.points(self.history)[rows], scaled(self.history.values[rows])
            self._fitted = rows.tobytes(), most_likely_kernel(points, values)
        return self._fitted[1]


def scaled(values: Places) -> Places:
    """Bring values to at most 1 by a power of two, which changes no digit: squares of the largest floats are none."""
    _, exponent = np.frexp(np.nanmax(np.abs(values)))
    return np.asarray(np.ldexp(values, -exponent))


def refine(process: GaussianProcess, promise: Acquisition, best: float, starts: Places, numbers: int) -> Places:
    """Climb from each start to where most is promised, along the first `numbers` columns."""
    from scipy.optimize import minimize

    points, steps = starts.copy(), DIFFERENCE * np.eye(starts.shape[1])[:numbers]
    scale = max(float(np.abs(promise(*process.predict(starts), best)).max()), LEAST_PROMISE)

    def loss(flat: Places) -> tuple[float, Places]:
        points[:, :numbers] = flat.reshape(len(points), numbers)
        asked = np.concatenate([points[:, None], points[:, None] + steps], axis=1)
        mean, deviation = process.predict(asked.reshape(-1, points.shape[1]))
        gain = promise(mean, deviation, best).reshape(len(points), numbers + 1) / scale
        return -float(gain[:, 0].sum()), -((gain[:, 1:] - gain[:, :1]) / DIFFERENCE).ravel()

    start = starts[:, :numbers].ravel()
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, 1)] * len(start), options={"maxiter": STEPS})
    points[:, :numbers] = found.x.reshape(len(points), numbers)
    return points


def _rounded(point: Places) -> bytes:
    """Give what is equal for the same values, however they were computed."""
    return (np.round(point, 9) + 0.0).tobytes()


def _sorted(points: Places, surrogate: Surrogate, promise: Acquisition, best: float) -> Places:
    """Sort points, the most promising first."""
    return np.asarray(points[np.argsort(-promise(*surrogate.predict(points), best), kind="stable")])


def _check(estimator: str, acquisition: str, optimizer: str) -> None:
    if acquisition.endswith("ps"):
        raise InputError(
            f"setting acq_func of algorithm bayesianoptimization: {acquisition} needs the seconds of each trial, which "
            f"Katib does not give it either; use {acquisition.removesuffix('ps')}"
        )
    if optimizer == "lbfgs" and estimator != "GP":
        raise InputError(
            f"setting acq_optimizer of algorithm bayesianoptimization: lbfgs needs base_estimator GP, not {estimator}; "
            "use sampling"
        )
