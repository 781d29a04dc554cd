"""What stands for the objective where it was not measured: a Gaussian process, or trees as scikit-optimize has them."""

from typing import TYPE_CHECKING, Final, Protocol

import numpy as np

from sparkhu.tuning.algorithms.axes import Places

if TYPE_CHECKING:
    from sklearn.gaussian_process.kernels import Kernel

TREES: Final = 100
BOOSTS: Final = 30
QUANTILES: Final = (0.16, 0.5, 0.84)
LEAST_DEVIATION: Final = 1e-6
LEAST_NOISE: Final = 1e-6
STEPS: Final = 50


class Surrogate(Protocol):
    """It has seen values at points of the unit cube."""

    def predict(self, points: Places) -> tuple[Places, Places]:
        """Give mean and deviation of the objective at each point."""


class GaussianProcess:
    """Base estimator `GP`: the deviation is that of the objective itself, without the noise of trials.

    Args:
        kernel: The sum of what varies over points and of white noise, as `most_likely_kernel` gives it.
        points: [observation, column].
        values: Of the observations.
    """

    def __init__(self, kernel: "Kernel", points: Places, values: Places) -> None:
        from sklearn.gaussian_process import GaussianProcessRegressor

        signal, noise = kernel.k1, kernel.k2.noise_level
        self.regressor = GaussianProcessRegressor(signal, alpha=noise, optimizer=None, normalize_y=True)
        self.regressor.fit(points, values)

    def predict(self, points: Places) -> tuple[Places, Places]:
        """Give mean and deviation at each point."""
        mean, deviation = self.regressor.predict(points, return_std=True)
        return mean, np.maximum(deviation, LEAST_DEVIATION)


def most_likely_kernel(points: Places, values: Places) -> "Kernel":
    """Find the kernel, with a length a column, and the noise that make the observations most likely.

    The kernel and its bounds are those of scikit-optimize, but for the noise, which is at most the whole deviation. It
    begins anew each time, whatever was found before: a study that goes on finds what it would have found.
    """
    from scipy.optimize import minimize
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    signal = ConstantKernel(1.0, (0.01, 1000.0)) * Matern([1.0] * points.shape[1], (0.01, 100.0), nu=2.5)
    kernel = signal + WhiteKernel(1e-3, (LEAST_NOISE, 1.0))
    regressor = GaussianProcessRegressor(kernel, alpha=0.0, optimizer=None, normalize_y=True).fit(points, values)

    def unlikelihood(theta: Places) -> tuple[float, Places]:
        likelihood, slope = regressor.log_marginal_likelihood(theta, eval_gradient=True, clone_kernel=False)
        return -likelihood, -slope

    # The regressor's own search is the same, but warns of each column that does not matter: its length is at a bound.
    start, bounds = regressor.kernel_.theta, regressor.kernel_.bounds
    found = minimize(unlikelihood, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS})
    return regressor.kernel_.clone_with_theta(found.x)


class Forest:
    """Base estimators `RF` and `ET`: the deviation is that of the trees."""

    def __init__(self, name: str, points: Places, values: Places, seed: int) -> None:
        from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

        made = RandomForestRegressor if name == "RF" else ExtraTreesRegressor
        self.trees = made(TREES, min_samples_leaf=3, bootstrap=name == "RF", random_state=seed)
        self.trees.fit(points, values)

    def predict(self, points: Places) -> tuple[Places, Places]:
        """Give mean and deviation over the trees at each point."""
        each = np.stack([tree.predict(points) for tree in self.trees.estimators_])
        return each.mean(axis=0), np.maximum(each.std(axis=0), LEAST_DEVIATION)


class Boosting:
    """Base estimator `GBRT`: gradient boosting of three quantiles, one deviation below the median and one above."""

    def __init__(self, points: Places, values: Places, seed: int) -> None:
        from sklearn.ensemble import GradientBoostingRegressor

        self.models = [
            GradientBoostingRegressor(loss="quantile", alpha=share, n_estimators=BOOSTS, random_state=seed)
            for share in QUANTILES
        ]
        for model in self.models:
            model.fit(points, values)

    def predict(self, points: Places) -> tuple[Places, Places]:
        """Give median and deviation at each point."""
        low, middle, high = (model.predict(points) for model in self.models)
        return middle, np.maximum((high - low) / 2, LEAST_DEVIATION)
