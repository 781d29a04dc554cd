"""Which windows a rank draws: every window as often as any other, and as many steps on all ranks."""

import numpy as np
import pytest

from sparkhu.training.batches import Share
from sparkhu.training.plan import Plan


def shares(counts: tuple[int, ...], *, drawn: int, steps: int, seed: int = 0) -> list[Share]:
    return [Share(steps, drawn, counts, rank, seed) for rank in range(len(counts))]


@pytest.mark.parametrize("counts", [(100,), (64, 36), (97, 2, 1), (0, 100), (25, 25, 25, 25)])
def test_where_all_are_drawn_every_window_of_every_rank_is_seen_once(counts: tuple[int, ...]) -> None:
    for share, count in zip(shares(counts, drawn=100, steps=7), counts, strict=True):
        seen = np.concatenate(list(share.batches(3)))
        np.testing.assert_array_equal(np.sort(seen), np.arange(count))


@pytest.mark.parametrize(("counts", "drawn"), [((997, 2, 1), 100), ((500, 1), 3), ((3, 3, 3), 4)])
def test_steps_of_all_ranks_are_as_many_and_as_large_but_for_one_window(counts: tuple[int, ...], drawn: int) -> None:
    for epoch in range(1, 30):
        batches = [list(share.batches(epoch)) for share in shares(counts, drawn=drawn, steps=3)]
        assert {len(each) for each in batches} == {3}
        sizes = [sum(len(each[step]) for each in batches) for step in range(3)]
        assert sum(sizes) == drawn
        assert max(sizes) - min(sizes) <= 1
        for share, each in zip(shares(counts, drawn=drawn, steps=3), batches, strict=True):
            seen = np.concatenate(each)
            assert len(np.unique(seen)) == len(seen) <= share.counts[share.rank]


def test_a_rank_with_few_windows_is_drawn_from_in_its_proportion() -> None:
    epochs = 2_000
    drawn = [
        sum(share.places(e)[1] - share.places(e)[0] for e in range(epochs))
        for share in shares((950, 40, 10), drawn=50, steps=2)
    ]
    # 47.5, 2 and .5 windows an epoch: the last rank in every other one.
    np.testing.assert_allclose(np.array(drawn) / epochs, [47.5, 2, 0.5], rtol=0.06)
    rare = shares((950, 40, 10), drawn=50, steps=2)[2]
    seen = np.concatenate([np.concatenate(list(rare.batches(epoch))) for epoch in range(epochs)])
    np.testing.assert_allclose(np.bincount(seen, minlength=10), epochs * 0.05, rtol=0.4)


def test_another_seed_and_another_epoch_draw_others() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return np.concatenate(list(shares((100,), drawn=100, steps=4, seed=seed)[0].batches(epoch))).tolist()

    assert order(0, 1) == order(0, 1)
    assert order(0, 1) != order(0, 2)
    assert order(0, 1) != order(1, 1)


def test_no_windows_make_no_batches() -> None:
    assert [len(which) for which in shares((0,), drawn=0, steps=1)[0].batches(1)] == [0]


@pytest.mark.parametrize(
    ("windows", "batch", "epochs"),
    [(1, 8, 512), (20, 8, 176), (200, 8, 24), (1000, 15, 8), (8192, 128, 8), (16_384, 256, 8)],
)
def test_few_windows_take_as_many_steps_as_more(windows: int, batch: int, epochs: int) -> None:
    plan = Plan().for_windows(windows)
    assert (plan.batch, plan.epochs, plan.patience) == (batch, epochs, 3 * epochs // 8)
    assert plan.epochs * plan.steps(windows) >= 512


def test_a_smaller_batch_takes_smaller_steps_by_its_root() -> None:
    plan = Plan(batch=64)
    assert max(plan.rate(step, 16, 1e-3) for step in range(16 * plan.epochs)) == pytest.approx(1e-3 * 0.5)
