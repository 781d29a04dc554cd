"""What stands for the objective where it was not measured: a Gaussian process, or trees as scikit-optimize has them."""

from typing import Final, Protocol

import numpy as np

from sparkhu.tuning.algorithms.axes import Places

TREES: Final = 100
BOOSTS: Final = 30
QUANTILES: Final = (0.16, 0.5, 0.84)
LEAST_DEVIATION: Final = 1e-6


class Surrogate(Protocol):
    """It has seen values at points of the unit cube."""

    def predict(self, points: Places) -> tuple[Places, Places]:
        """Give mean and deviation of the objective at each point."""


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
