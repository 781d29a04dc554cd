"""Training, validation and test part of every series, in order of time.

A split is written `0.7/0.1/0.2` (shares of each series' own observed rows) or `8640/2880/2880` (numbers of observed
rows, as published protocols give them), counted from the front. An observed row has a non-null `y`. The borders are
instants: a part holds the rows of `[border, next border)`.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl

from sparkhu.errors import InputError
from sparkhu.frame import TIME, accepts_pandas, check_frame, whole_segments

_DECIMALS = 9
_WAY_OUT = "give training/validation/test as shares that add up to 1 (0.7/0.1/0.2) or as rows (8640/2880/2880)"


@dataclass(frozen=True)
class Split:
    """How observed rows are shared out between training, validation and test.

    Attributes:
        train: Share of the rows, or number of rows, of the training part; more than 0.
        valid: The same of the validation part.
        test: The same of the test part.
        shares: Whether the three are shares of a series' rows; else they are numbers of rows.

    Raises:
        InputError: A part is negative, there is no training part, shares do not add up to 1, or rows are not whole.
    """

    train: Fraction
    valid: Fraction
    test: Fraction
    shares: bool

    def __post_init__(self) -> None:
        parts = (self.train, self.valid, self.test)
        written = "/".join(f"{float(part):g}" for part in parts)
        if min(parts) < 0 or self.train == 0:
            raise InputError(f"split needs a training part and no negative one, got {written}; {_WAY_OUT}")
        if self.shares and sum(parts) != 1:
            raise InputError(f"split has shares that add up to {float(sum(parts)):g}, got {written}; {_WAY_OUT}")
        if not self.shares and any(part.denominator != 1 or part >= 2**62 for part in parts):
            raise InputError(f"split has parts that are no whole number of rows, got {written}; {_WAY_OUT}")
        if any(part.denominator > 10**_DECIMALS for part in parts):
            raise InputError(f"split has shares of more than {_DECIMALS} decimals, got {written}; {_WAY_OUT}")

    def borders(self, rows: pl.Series) -> tuple[pl.Series, pl.Series, pl.Series]:
        """Count the rows in front of the end of the training, validation and test part.

        Shares are cut downwards and exactly, in whole numbers: 0.7/0.1/0.2 of 10 rows end at 7, 8 and 10.

        Args:
            rows: Observed rows of each series.

        Returns:
            Three Int64 series; none exceeds `rows`.
        """
        counts = rows.to_numpy().astype(np.int64)
        ends = []
        for share in (self.train, self.train + self.valid, self.train + self.valid + self.test):
            rounded_down = counts * share.numerator // share.denominator if self.shares else int(share)
            ends.append(pl.Series(np.minimum(counts, rounded_down)))
        return ends[0], ends[1], ends[2]


def parse_split(text: str) -> Split:
    """Read a split such as `0.7/0.1/0.2` (with a decimal point: shares) or `8640/2880/2880` (whole numbers: rows).

    Raises:
        InputError: The text is no such split; the message shows it and the two forms.
    """
    parts = [part.strip() for part in text.split("/")]
    if len(parts) != 3 or not all(re.fullmatch(r"-?(\d{1,18}\.?\d*|\.\d+)", part, re.ASCII) for part in parts):
        raise InputError(f"split must be three numbers with / between them, got '{text}'; {_WAY_OUT}")
    train, valid, test = (Fraction(part) for part in parts)
    return Split(train, valid, test, shares=any("." in part for part in parts))


@accepts_pandas
def split_times(frame: pl.DataFrame, split: Split | str) -> pl.DataFrame:
    """Find the instants at which the parts of every series end.

    A border is the instant of the first observed row behind the part. Where the split ends with the last observed
    row, or asks for more rows than there are, the border is one microsecond after the last observed row.

    Args:
        frame: Observation frame, sorted; rows with a null `y` do not count.
        split: The split, or its text.

    Returns:
        `unique_id`, `train_end`, `valid_end`, `test_end`, one row a series in the frame's order; null without any
        observed row.

    Raises:
        InputError: The split or a column cannot be used, or the rows of a series stand in several places.

    Example:
        >>> split_times(frame, "8640/2880/2880")  # test_end is the instant of row 14,401, exclusive
    """
    check_frame(frame, "unique_id", "ds", "y")
    parts = split if isinstance(split, Split) else parse_split(split)
    first, rows = whole_segments(frame)
    observed = frame["y"].is_not_null().to_numpy()
    lengths = np.add.reduceat(observed, first, dtype=np.int64) if len(first) else rows
    some, starts = lengths > 0, np.cumsum(lengths) - lengths
    known, instants = np.flatnonzero(observed), frame["ds"].to_physical().to_numpy()
    times = []
    for name, end in zip(("train_end", "valid_end", "test_end"), parts.borders(pl.Series(lengths)), strict=True):
        behind_last = end.to_numpy() == lengths
        place = starts + np.where(behind_last, lengths - 1, end.to_numpy())
        border = np.zeros(len(lengths), np.int64)
        border[some] = instants[known[place[some]]] + behind_last[some]
        times.append(pl.Series(name, border).set(pl.Series(~some), None).cast(TIME))
    return pl.DataFrame([frame["unique_id"].gather(first), *times])
