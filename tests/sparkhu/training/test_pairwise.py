import numpy as np
import pytest

from sparkhu.training.pairwise import PairwiseSum


def tree(count: int) -> str:
    total = PairwiseSum[str](lambda first, second: f"({first}+{second})")
    for number in range(count):
        total.append(str(number))
    return total.total("nothing")


@pytest.mark.parametrize(
    ("count", "written"),
    [(0, "nothing"), (1, "0"), (3, "((0+1)+2)"), (5, "(((0+1)+(2+3))+4)"), (7, "(((0+1)+(2+3))+((4+5)+6))")],
)
def test_values_are_added_in_pairs(count: int, written: str) -> None:
    assert tree(count) == written


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("count", [1, 6, 8, 13, 21])
def test_blocks_that_were_summed_elsewhere_give_the_same_tree(count: int, level: int) -> None:
    width = 2**level
    total = PairwiseSum[str](lambda first, second: f"({first}+{second})")
    for low in range(0, count, width):
        block = PairwiseSum[str](lambda first, second: f"({first}+{second})")
        for number in range(low, min(low + width, count)):
            block.append(str(number))
        total.append(block.total(""))
    assert total.total("") == tree(count)


def test_its_error_is_that_of_few_additions() -> None:
    values = np.random.default_rng(0).random(2**15).astype(np.float32)
    total = PairwiseSum[np.float32](lambda first, second: np.float32(first + second))
    for value in values:
        total.append(value)
    exact = float(values.astype(np.float64).sum())
    assert abs(float(total.total(np.float32(0))) / exact - 1) < 16 * 2**-24
