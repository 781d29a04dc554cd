"""Pools of normalised residuals: what series lend each other where their own residuals are too few.

A residual is divided by its series' own error scale, pooled with those of others, and a quantile of the pool times the
borrower's scale is its half-width. So a series that is hard to forecast lends nothing to the width of an easy one.
Source: J. Lei et al., "Distribution-Free Predictive Inference for Regression", JASA 113 (2018), section 5.2 (locally
weighted split conformal).

Pools are histograms with logarithmic bins, so that they add up exactly over shards in bounded memory. A quantile is a
bin's upper end, at most 1.4 % too wide. The last bin holds all scores from 986,600 up and has no upper end.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 2048
SMALLEST, LARGEST = 1e-6, 1e6
NEIGHBOURS = 12
"""A step borrows from the steps around it as well, a twelfth of the horizon to each side: the pool of one step alone is
a few moments that all series share, and its quantiles jump from step to step."""
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pool:
    """The residuals of a group's series for one model, each in units of its series' error scale.

    Attributes:
        scores: Histograms (H, BINS) of residual / scale, a row a horizon step.
        scales: Histogram (BINS,) of the scales of the series.
    """

    scores: Counts
    scales: Counts

    @classmethod
    def of(cls, scores: Floats, scales: Floats) -> "Pool":
        """Count scores (windows, H) and the scales of the series; NaN is left out."""
        H, known = scores.shape[1], ~np.isnan(scores)
        step = np.broadcast_to(np.arange(H), scores.shape)[known]
        counts = np.bincount(step * BINS + _bins(scores[known]), minlength=H * BINS).reshape(H, BINS)
        return cls(counts, np.bincount(_bins(scales[~np.isnan(scales)]), minlength=BINS))

    def __add__(self, other: "Pool") -> "Pool":
        return Pool(self.scores + other.scores, self.scales + other.scales)

    def near(self) -> Counts:
        """Give the histograms (H, BINS) of each step and as many steps before as behind it."""
        steps, reach = np.arange(len(self.scores)), self.steps_near() // 2
        total = np.concatenate([np.zeros((1, BINS), np.int64), self.scores.cumsum(axis=0)])
        near: Counts = total[steps + reach + 1] - total[steps - reach]
        return near

    def steps_near(self) -> Counts:
        """Count the steps, (H,), whose histograms `near` adds for each."""
        H = len(self.scores)
        steps = np.arange(H)
        return 2 * np.minimum(H // NEIGHBOURS, np.minimum(steps, H - 1 - steps)) + 1


def upper_end(bin_number: int) -> float | None:
    """Give the upper end of a bin; None for the last, which has none."""
    return None if bin_number == BINS - 1 else SMALLEST * (LARGEST / SMALLEST) ** ((bin_number + 1) / BINS)


def mean_scale(scales: Counts) -> float | None:
    """Give the mean of a histogram of scales, each taken as the middle of its bin; None of none."""
    middles = SMALLEST * (LARGEST / SMALLEST) ** ((np.arange(BINS) + 0.5) / BINS)
    return float((scales * middles).sum() / scales.sum()) if scales.any() else None


def _bins(values: Floats) -> Counts:
    share = np.log(np.clip(values, SMALLEST, LARGEST) / SMALLEST) / np.log(LARGEST / SMALLEST)
    bins: Counts = np.minimum((share * BINS).astype(np.int64), BINS - 1)
    return bins
