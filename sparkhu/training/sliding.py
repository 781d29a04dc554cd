"""The Gram matrix of windows that slide over a series, without a product a window.

Neighbouring windows w_t = (x_t … x_{t+L−1}, y_t … y_{t+H−1}) share all values but the first and the last. Over a run
of n windows S = Σ w_t w_tᵀ obeys, within each of its blocks,

    S[i + 1, j + 1] = S[i, j] + w[n + i] w[n + j] − w[i] w[j],

so it is known from its first row and column, which are correlations, and from two products a run. What is multiplied
grows with the runs and not with the windows: for L + H = 432 some hundred times less. (The covariance method of linear
prediction: J. Makhoul, "Linear Prediction: A Tutorial Review", Proc. IEEE 63 (1975), section II.C.)

Windows are looked at less their newest input, which a constant added to a run does not change; so each run is shifted
to its mean first, and little is lost to cancellation.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np

from sparkhu.training.parts import Floats, Integers
from sparkhu.training.window_sets import Runs

FEWEST: Final = 16
"""Windows of a run from which on sliding takes less than a product a window."""
AT_ONCE: Final = 256
"""Runs whose ends are held at once."""


class Run(NamedTuple):
    """Windows one behind the other: the first, and how many there are."""

    first: int
    windows: int


def runs_of(x: Runs, y: Runs) -> list[Run]:
    """Find the runs in which both X and Y slide by one value from window to window."""
    if not len(x.starts):
        return []
    begins = np.flatnonzero((np.diff(x.starts) != 1) | (np.diff(y.starts) != 1)) + 1
    firsts = np.concatenate([[0], begins])
    counts = np.diff(firsts, append=len(x.starts))
    return [Run(first, count) for first, count in zip(firsts.tolist(), counts.tolist(), strict=True)]


def sliding_gram(x: Runs, y: Runs, runs: list[Run]) -> Floats:
    """Sum z zᵀ over the windows of runs, with z = (x − last x, 1, y − last x).

    Args:
        x: (n, L), no value missing.
        y: (n, H), likewise.
        runs: Which of the windows, as `runs_of` gives them.

    Returns:
        (L + 1 + H, L + 1 + H), symmetric.
    """
    L, H = x.size, y.size
    sums = _Sums(L, H)
    for low in range(0, len(runs), AT_ONCE):
        sums.add(list(_pieces(x, y, runs[low : low + AT_ONCE])))
    return _less_newest(sums.matrix(), sums.means(), sum(run.windows for run in runs), L)


class _Piece(NamedTuple):
    """The shifted values of X and Y of a run of n windows: (n − 1 + L,) and (n − 1 + H,)."""

    a: Floats
    b: Floats
    windows: int


def _pieces(x: Runs, y: Runs, runs: list[Run]) -> Iterator[_Piece]:
    for first, count in runs:
        a = x.values[x.starts[first] :][: count - 1 + x.size]
        b = y.values[y.starts[first] :][: count - 1 + y.size]
        shift = a[0] + (a - a[0]).mean()
        yield _Piece(a - shift, b - shift, count)


class _Sums:
    """What S is made from: first rows and columns of its blocks, what is added along diagonals, and Σ w."""

    def __init__(self, L: int, H: int) -> None:
        self.L, self.H = L, H
        self.xx, self.xy, self.yx, self.yy = np.zeros(L), np.zeros(H), np.zeros(L), np.zeros(H)
        self.first, self.moves = np.zeros(2), np.zeros(L + H - 2)
        self.steps = np.zeros((L + H - 2, L + H - 2))

    def add(self, pieces: list[_Piece]) -> None:
        """Add runs."""
        heads, tails = (np.empty((len(pieces), len(self.moves))) for _ in range(2))
        for row, (a, b, n) in enumerate(pieces):
            self.xx += np.correlate(a, a[:n])
            self.xy += np.correlate(b, a[:n])
            self.yx += np.correlate(a, b[:n])
            self.yy += np.correlate(b, b[:n])
            self.first += a[:n].sum(), b[:n].sum()
            heads[row] = np.concatenate([a[: self.L - 1], b[: self.H - 1]])
            tails[row] = np.concatenate([a[n:], b[n:]])
        self.moves += (tails - heads).sum(axis=0)
        self.steps += tails.T @ tails - heads.T @ heads

    def matrix(self) -> Floats:
        """Give S, (L + H, L + H)."""
        L, cut = self.L, self.L - 1
        whole = np.empty((L + self.H, L + self.H))
        _along_diagonals(whole[:L, :L], self.xx, self.xx, self.steps[:cut, :cut])
        _along_diagonals(whole[:L, L:], self.xy, self.yx, self.steps[:cut, cut:])
        _along_diagonals(whole[L:, L:], self.yy, self.yy, self.steps[cut:, cut:])
        whole[L:, :L] = whole[:L, L:].T
        return whole

    def means(self) -> Floats:
        """Give Σ w, (L + H,)."""
        moves = np.split(self.moves, [self.L - 1])
        return np.concatenate(
            [first + np.append(0, np.cumsum(each)) for first, each in zip(self.first, moves, strict=True)]
        )


def _along_diagonals(block: Floats, row: Floats, column: Floats, steps: Floats) -> None:
    """Fill a block from its first row and column."""
    block[0], block[:, 0] = row, column
    for at, step in enumerate(steps):
        block[at + 1, 1:] = block[at, :-1] + step


def _less_newest(matrix: Floats, sums: Floats, windows: int, L: int) -> Floats:
    """Make Σ z zᵀ from Σ w wᵀ and Σ w: the newest input taken from all, and a one put behind the inputs."""
    newest = matrix[L - 1]
    moved = matrix - newest[:, None] - newest[None, :] + newest[L - 1]
    total = sums - sums[L - 1]
    moved[L - 1], moved[:, L - 1] = 0.0, 0.0
    found = np.insert(np.insert(moved, L, total, axis=0), L, 0.0, axis=1)
    found[:, L] = np.insert(total, L, float(windows))
    return found


def numbers(runs: list[Run]) -> Integers:
    """Give the numbers of the windows of runs."""
    return np.concatenate([np.empty(0, np.int64), *(np.arange(run.first, run.first + run.windows) for run in runs)])
