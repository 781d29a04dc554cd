"""How well a strategy fills this very series: known points are hidden, filled again, and compared.

Masks are drawn from the known points of the training part, each with a known point directly on both sides. They
depend on the series alone (its name seeds the draw), so they are the same for every strategy and in every shard.
"""

from functools import lru_cache
from hashlib import blake2b

import numpy as np
import polars as pl

from sparkhu.steps.estimates import Masks, Strategy, in_units
from sparkhu.steps.points import Points
from sparkhu.steps.segmented import Bools, Floats, Ints

MASKS = 20
"""Masks a series and length; fewer where it has fewer places for them."""
SHORT_LENGTHS = (1, 4)
POINTS_PER_MASK = 3
"""A length is measured where the training part knows this many times as many points."""

SCORES: dict[str, pl.DataType] = {
    "unique_id": pl.String(),
    "strategy": pl.String(),
    "mask_length": pl.Int64(),
    "mae": pl.Float64(),
    "points": pl.Int64(),
    "weight": pl.Float64(),
}


def seed_of(unique_id: str) -> int:
    """Make a seed from a series' name, the same on every machine and in every Python process."""
    return int.from_bytes(blake2b(unique_id.encode(), digest_size=8).digest(), "little")


def draw_masks(points: Points) -> list[Masks]:
    """Draw the masks of every series.

    The places where a mask of `m` points fits (known points only, a known point on both sides, all in the training
    part) are cut into 20 equal stretches, and one place is drawn from each; with 20 places or fewer, all are taken.

    Args:
        points: The shard; a season of 0 or 1 points is none.

    Returns:
        Masks by length, each sorted by series; only the lengths that some series is long enough for.
    """
    known = points.owner.sum_ints(points.sample)
    draws = _uniforms(tuple(points.owner.ids))
    wanted = [(m, np.ones(len(known), np.bool_), column) for column, m in enumerate(SHORT_LENGTHS)]
    seasons = [m for m in np.unique(points.season_length).tolist() if m > 1 and m not in SHORT_LENGTHS]
    wanted += [(m, points.season_length == m, len(SHORT_LENGTHS)) for m in seasons]
    found = []
    for length, series, column in sorted(wanted, key=lambda item: item[0]):
        long_enough = series & (known >= POINTS_PER_MASK * length)
        mask = _place(points, length, long_enough, draws[:, column])
        if len(mask.first):
            found.append(mask)
    return found


@lru_cache(maxsize=2)
def _uniforms(names: tuple[str, ...]) -> Floats:
    """Draw the random numbers of each series from its own generator, shape (series, 3 kinds of length, masks).

    Those of a shard are kept for the next strategy: making a generator a series takes longer than the rest of a draw.
    """
    draws = [np.random.default_rng(seed_of(name)).random((3, MASKS)) for name in names]
    return np.array(draws).reshape(-1, 3, MASKS)


def _place(points: Points, length: int, series: Bools, draws: Floats) -> Masks:
    """Draw the masks of one length; places are counted through the stretches of known points, in their order."""
    known = points.sample_stretches
    places = np.maximum(known.lengths - length - 1, 0) * series[known.number]
    counts = np.bincount(known.number, weights=places, minlength=len(series)).astype(np.int64)
    first = np.cumsum(counts) - counts
    stretch = np.arange(MASKS)
    low = stretch * counts[:, None] // MASKS
    size = (stretch + 1) * counts[:, None] // MASKS - low
    # With fewer places than masks some stretches are empty: they draw nothing, the others hold one place each.
    picked = (first[:, None] + low + (draws * size).astype(np.int64))[size > 0]
    until = np.cumsum(places)
    own = np.searchsorted(until, picked, side="right")
    return Masks(length, known.first[own] + 1 + picked - (until - places)[own], known.number[own])


def weights(points: Points, measured: Bools, lengths: Ints) -> Floats:
    """Weigh the mask lengths of each series as long as its real gaps are.

    A missing point of the training part counts for the measured length that is nearest to the length of its gap,
    the shorter of two as near. Without such a point, the measured lengths weigh the same.

    Args:
        points: The shard.
        measured: Which lengths are measured for each series, shape (series, lengths).
        lengths: The lengths, ascending.

    Returns:
        Weights, shape (series, lengths), that sum to 1 for each series with a measured length.
    """
    training = points.fit[points.missing_rows]
    rows, number = points.missing_rows[training], points.missing_number[training]
    distance = np.abs(points.gap_length(rows)[:, None] - lengths).astype(np.float64)
    distance[~measured[number]] = np.inf
    counts = np.zeros(measured.shape)
    if len(lengths):
        np.add.at(counts, (number, distance.argmin(axis=1)), 1.0)
    counts *= measured
    total = counts.sum(axis=1, keepdims=True)
    uniform = measured / np.maximum(measured.sum(axis=1, keepdims=True), 1)
    share: Floats = np.divide(counts, total, out=uniform, where=total > 0)
    return share


class Trial:
    """Masked points of a shard, drawn once for all strategies that are measured on them."""

    def __init__(self, points: Points) -> None:
        self.points, self._masks = points, draw_masks(points)
        self._small, self._unit = in_units(points)
        self._truths = [self._small.y[mask.rows] for mask in self._masks]
        self._lengths = np.array([mask.length for mask in self._masks], np.int64)
        self._hidden = np.zeros((len(points.owner.lengths), len(self._masks)), np.int64)
        for place, mask in enumerate(self._masks):
            self._hidden[:, place] = np.bincount(mask.number, minlength=len(self._hidden)) * mask.length
        self._weights = weights(points, self._hidden > 0, self._lengths)

    def score(self, name: str, strategy: Strategy) -> pl.DataFrame:
        """Measure a strategy on the masks of every series, as if there were nothing behind the training part.

        Args:
            name: The strategy's label in the table.
            strategy: What fills.

        Returns:
            `unique_id`, `strategy`, `mask_length`, `mae` (mean absolute error over the hidden points, in the unit of
            `y`; null where the strategy could not fill them all, or the error of huge values is not finite), `points`
            (hidden points), `weight`; sorted by series.
        """
        errors = np.zeros(self._hidden.shape)
        refills = zip(self._masks, strategy.refill(self._small.training, self._masks), self._truths, strict=True)
        for place, (mask, refilled, truth) in enumerate(refills):
            first = np.flatnonzero(np.diff(mask.number, prepend=-1))
            errors[mask.number[first], place] = np.add.reduceat(np.abs(refilled - truth).ravel(), first * mask.length)
        series, column = np.nonzero(self._hidden)
        hidden = self._hidden[series, column]
        with np.errstate(over="ignore"):
            mae = errors[series, column] / hidden * self._unit[series]
        columns = {
            "unique_id": self.points.owner.ids.gather(series),
            "strategy": pl.repeat(name, len(series), dtype=pl.String, eager=True),
            "mask_length": self._lengths[column],
            "mae": pl.Series(np.where(np.isfinite(mae), mae, np.nan)).fill_nan(None),
            "points": hidden,
            "weight": self._weights[series, column],
        }
        return pl.DataFrame(columns, schema=SCORES)


def score(points: Points, name: str, strategy: Strategy) -> pl.DataFrame:
    """Measure one strategy, see `Trial.score`."""
    return Trial(points).score(name, strategy)
