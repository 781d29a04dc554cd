"""The windows of local lines: where they lie, and what each point in them weighs.

Tricube weights over the nearest `window` points, in the form that STL uses (R. B. Cleveland et al., 1990, and its
Fortran program `stl`).
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sparkhu.kernels.compiling import compiled
from sparkhu.kernels.filters import BLOCK

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FLAT = 0.001
"""Nearer than this part of the width a point weighs 1; a line is fitted where points spread by this part of the row."""
NEAR = 0.999
"""Farther than this part of the width a point weighs nothing."""
KEPT = 1 << 18
"""Weights of windows that are kept for the next round; where there are more, computing them is as fast as reading."""


class Smoother(NamedTuple):
    """What is fitted.

    Attributes:
        window: Points that a fit looks at, odd.
        degree: 1, a line; 0, a constant.
        jump: Points from one fit to the next.
        stride: Columns: 1 for a series as a whole, more for the places of a cycle. Each place of a cycle gets a fit
            before its first point and one behind its last as well.
    """

    window: int
    degree: int
    jump: int
    stride: int


class Columns(NamedTuple):
    """Neighbouring columns of one length.

    Attributes:
        first: The first of them.
        number: How many there are.
        rows: Points in each.
        places: Fits that are made one by one: the row of each, and below it the first row of its window.
        kept: The weights of their windows, one after another; empty where they are too many.
    """

    first: int
    number: int
    rows: int
    places: Ints
    kept: Floats


class Room(NamedTuple):
    """Tables and room to work in.

    Attributes:
        distance: −n, …, −1, 0, 1, …, n, with n not below the distance of any point from a fit.
        cube: The third power of its size.
        plain: For the weights of a window.
        moment: For these times distance.
        square: For these times its square.
        level: For a sum a column, or a point of a block.
        slope: For another one.
    """

    distance: Floats
    cube: Floats
    plain: Floats
    moment: Floats
    square: Floats
    level: Floats
    slope: Floats


@compiled
def room(widest: int, columns: int) -> Room:
    """Make room for windows of so many points, which are no farther from their fits, and so many columns."""
    distance, cube = np.empty(2 * widest + 1), np.empty(2 * widest + 1)
    for place in range(2 * widest + 1):
        size = float(place - widest)
        distance[place], cube[place] = size, abs(size * size * size)
    block = max(BLOCK, columns)
    return Room(distance, cube, np.empty(widest), np.empty(widest), np.empty(widest), np.empty(block), np.empty(block))


@compiled
def _left_end(row: int, rows: int, window: int) -> int:
    """Say where the window of a row begins: around it, and at the ends as far as there are points."""
    return min(max(row - (window - 1) // 2, 0), max(rows - window, 0))


@compiled
def _places(rows: int, smoother: Smoother, filtered: bool) -> Ints:
    """List the fits that are made one by one (see `Columns`), those beyond the ends last.

    Every `jump`-th row and the last one, whose window, where it is no such row, stays that of the fit before it.
    """
    window, half = smoother.window, (smoother.window - 1) // 2
    jump = max(min(smoother.jump, rows - 1), 1)
    found, count = np.empty((2, rows + 3), np.int64), 0
    for row in range(0, rows, jump):
        if not (filtered and half <= row < rows - half):
            found[0, count], found[1, count] = row, _left_end(row, rows, window)
            count += 1
    behind = (rows - 1) // jump * jump
    if behind < rows - 1:
        found[0, count], found[1, count] = rows - 1, _left_end(behind, rows, window)
        count += 1
    if smoother.stride > 1:
        found[0, count], found[1, count] = -1, 0
        found[0, count + 1], found[1, count + 1] = rows, max(rows - window, 0)
        count += 2
    return found[:, :count]


@compiled
def _weigh(row: int, left: int, rows: int, window: int, space: Room) -> tuple[Floats, Floats]:
    """Give the weights of a window for a fit at a row, and the distances.

    Args:
        row: Where the fit is.
        left: First row of the window.
        rows: All rows.
        window: Points in the window; where it has more than there are rows, weights reach that much farther out.
        space: Room to work in.
    """
    width = min(window, rows)
    farthest = max(row - left, left + width - 1 - row)
    far = float(farthest + (window - rows) // 2 if window > rows else farthest)
    begin = len(space.distance) // 2 + left - row
    distance, cube, weights = space.distance[begin : begin + width], space.cube[begin:], space.plain[:width]
    scale = 1.0 / (far * far * far)
    for place in range(width):
        rest = 1.0 - cube[place] * scale
        weights[place] = rest * rest * rest
    for place in range(max(int(row - FLAT * far), left), min(int(row + FLAT * far) + 1, left + width)):
        if abs(place - row) <= FLAT * far:
            weights[place - left] = 1.0
    for place in range(width):
        if abs(distance[place]) <= NEAR * far:
            break
        weights[place] = 0.0
    for place in range(width - 1, -1, -1):
        if abs(distance[place]) <= NEAR * far:
            break
        weights[place] = 0.0
    return weights, distance


@compiled
def columns_of(first: int, count: int, rows: int, smoother: Smoother, filtered: bool, space: Room) -> Columns:
    """Lay out columns of one length: the fits that are made one by one and, where they are few, their weights."""
    places, width = _places(rows, smoother, filtered), min(rows, smoother.window)
    fits = places.shape[1] if count and places.shape[1] * width <= KEPT else 0
    kept = np.empty(fits * width)
    for number in range(fits):
        weights, _ = _weigh(places[0, number], places[1, number], rows, smoother.window, space)
        for place in range(width):
            kept[number * width + place] = weights[place]
    return Columns(first, count, rows, places, kept)


@compiled
def window_of(number: int, columns: Columns, window: int, space: Room) -> tuple[Floats, Floats]:
    """Give the weights of the window of a listed fit, and the distances."""
    row, left, width = columns.places[0, number], columns.places[1, number], min(window, columns.rows)
    if not len(columns.kept):
        return _weigh(row, left, columns.rows, window, space)
    begin = len(space.distance) // 2 + left - row
    return columns.kept[number * width : (number + 1) * width], space.distance[begin : begin + width]


@compiled
def moments(weights: Floats, distance: Floats, space: Room) -> tuple[Floats, Floats]:
    """Give weights times distance and times its square."""
    moment, square = space.moment[: len(weights)], space.square[: len(weights)]
    for place in range(len(weights)):
        moment[place] = weights[place] * distance[place]
        square[place] = moment[place] * distance[place]
    return moment, square


@compiled
def weigh_even(window: int, space: Room) -> tuple[Floats, Floats, Floats]:
    """Give the weights of a window that reaches equally far to both sides, and their moments.

    Without the points at its two ends, which weigh nothing.
    """
    weights, distance = _weigh(window // 2, window - window, window, window, space)
    moment, square = moments(weights, distance, space)
    return weights[1:-1], moment[1:-1], square[1:-1]
