"""A Gaussian process with a Matérn 5/2 kernel, a length a column, and noise.

Rasmussen and Williams 2006, "Gaussian Processes for Machine Learning", algorithm 2.1 and section 5.4.1. The lengths are
the most probable ones under the prior of Hvarfner et al. 2024, "Vanilla Bayesian Optimization Performs Great in High
Dimensions", which keeps them from fitting a handful of trials too well.
"""

from typing import Final

import numpy as np

from sparkhu.tuning.algorithms.axes import Places

ROOT5: Final = 5**0.5
LEAST_NOISE: Final = 1e-6
SURE: Final = 1e-9
"""The least variance: that at an observation is 0 but for rounding."""
STEPS: Final = 50


class GaussianProcess:
    """What is believed of a function of points in the unit cube, after its values at some of them.

    Args:
        theta: Logarithms of the kernel's variance, of each column's length, of the noise's variance.
        points: [observation, column].
        values: Of mean 0 and deviation 1.
    """

    def __init__(self, theta: Places, points: Places, values: Places) -> None:
        from scipy.linalg import cho_factor, cho_solve

        self.variance, self.lengths = float(np.exp(theta[0])), np.exp(theta[1:-1])
        self.points = points
        kernel, _ = _matern(_distances(points, points, self.lengths))
        covariance = self.variance * kernel
        covariance[np.diag_indices_from(covariance)] += np.exp(theta[-1])
        factor = cho_factor(covariance, lower=True)
        self.inverse: Places = cho_solve(factor, np.eye(len(points)))
        self.alpha: Places = self.inverse @ values

    def predict(self, points: Places) -> tuple[Places, Places]:
        """Give mean and deviation of the function, without noise, at each point."""
        kernel, _ = _matern(_distances(points, self.points, self.lengths))
        cross = self.variance * kernel
        variance = self.variance - ((cross @ self.inverse) * cross).sum(axis=1)
        return cross @ self.alpha, np.sqrt(np.maximum(variance, SURE))

    def slopes(self, points: Places) -> tuple[Places, Places, Places, Places]:
        """Give mean and deviation at each point, and how each grows with each column: [point, column]."""
        kernel, slope = _matern(_distances(points, self.points, self.lengths))
        cross = self.variance * kernel
        solved = cross @ self.inverse
        deviation = np.sqrt(np.maximum(self.variance - (solved * cross).sum(axis=1), SURE))
        grown = (-self.variance * slope)[:, :, None] * (points[:, None] - self.points) / self.lengths**2
        of_mean = np.einsum("pnc,n->pc", grown, self.alpha)
        of_deviation = -np.einsum("pnc,pn->pc", grown, solved) / deviation[:, None]
        return cross @ self.alpha, deviation, of_mean, of_deviation


def most_probable(points: Places, values: Places) -> Places:
    """Find the `theta` that is most probable after some observations."""
    from scipy.optimize import minimize

    columns = points.shape[1]
    start = np.concatenate([[0.0], np.full(columns, np.log(0.5) + 0.5 * np.log(columns)), [np.log(1e-3)]])
    bounds = [(-4.0, 5.0), *[(np.log(0.02), np.log(50.0))] * columns, (np.log(LEAST_NOISE), 0.0)]
    squares = (points[:, None] - points) ** 2
    found = minimize(
        improbability, start, (squares, values), jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": STEPS}
    )
    return np.asarray(found.x)


def improbability(theta: Places, squares: Places, values: Places) -> tuple[float, Places]:
    """Give the negative logarithm of the posterior density of `theta`, but for a constant, and its gradient.

    Args:
        theta: As of `GaussianProcess`.
        squares: Squared distance of every two points in every column, [point, point, column].
        values: Of mean 0 and deviation 1.
    """
    from scipy.linalg import cho_factor, cho_solve

    variance, noise, inverse_squares = np.exp(theta[0]), np.exp(theta[-1]), np.exp(-2 * theta[1:-1])
    kernel, slope = _matern(squares @ inverse_squares)
    covariance = variance * kernel
    covariance[np.diag_indices_from(covariance)] += noise
    factor = cho_factor(covariance, lower=True)
    inverse = cho_solve(factor, np.eye(len(values)))
    alpha = inverse @ values
    weights = inverse - np.outer(alpha, alpha)
    of_lengths = variance * np.einsum("nm,nmc->c", weights * slope, squares) * inverse_squares
    gradient = 0.5 * np.concatenate([[variance * (weights * kernel).sum()], of_lengths, [noise * np.trace(weights)]])
    loss = 0.5 * values @ alpha + np.log(np.diag(factor[0])).sum()
    away = theta[1:-1] - (2**0.5 + 0.5 * np.log(len(theta) - 2))
    gradient[1:-1] += away / 3
    return float(loss + (away**2).sum() / 6), gradient


def _distances(ours: Places, theirs: Places, lengths: Places) -> Places:
    """Give the squared distances of points, in lengths."""
    a, b = ours / lengths, theirs / lengths
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    return np.asarray(np.maximum(squares, 0))


def _matern(squares: Places) -> tuple[Places, Places]:
    """Give the kernel at squared distances, and its slope: minus its derivative by half the square."""
    root = ROOT5 * np.sqrt(squares)
    fading = np.exp(-root)
    return (1 + root + root**2 / 3) * fading, 5 / 3 * (1 + root) * fading
