import numpy as np
import pytest

from sparkhu.evaluation.pools import BINS, LARGEST, SMALLEST, Pool, mean_scale, upper_end


def test_scores_are_counted_by_step_and_scales_once() -> None:
    scores = np.array([[1.0, 2.0, np.nan], [1.0, np.nan, 1e-9], [1e9, 2.0, 1.0]])
    pool = Pool.of(scores, np.array([0.5, np.nan]))
    assert pool.scores.shape == (3, BINS)
    assert pool.scores.sum(axis=1).tolist() == [3, 2, 2]
    # What lies beyond the bins goes into the outermost.
    assert (pool.scores[0, -1], pool.scores[2, 0]) == (1, 1)
    assert pool.scales.sum() == 1


def test_a_score_lies_below_the_upper_end_of_its_bin_and_at_most_a_bin_below() -> None:
    for score in (2e-6, 0.3, 1.0, 17.0, 9e5):
        bin_number = int(Pool.of(np.array([[score]]), np.empty(0)).scores[0].argmax())
        end = upper_end(bin_number)
        assert end is not None
        assert score <= end <= score * 1.0136


def test_the_last_bin_begins_at_986600_and_has_no_upper_end() -> None:
    assert upper_end(BINS - 2) == pytest.approx(986_600, abs=50)
    assert upper_end(BINS - 1) is None
    assert upper_end(0) == SMALLEST * (LARGEST / SMALLEST) ** (1 / BINS)


def test_pools_of_shards_add_up_exactly() -> None:
    random = np.random.default_rng(0)
    scores, scales = random.lognormal(size=(50, 4)), random.lognormal(size=10)
    total = Pool.of(scores[:20], scales[:3]) + Pool.of(scores[20:], scales[3:])
    whole = Pool.of(scores, scales)
    np.testing.assert_array_equal(total.scores, whole.scores)
    np.testing.assert_array_equal(total.scales, whole.scales)


def test_a_step_is_near_as_many_steps_before_as_behind_it() -> None:
    # H = 24: two steps to each side at most, one for the second step, none for the first and the last. Step h has h
    # scores in bin 0.
    scores = np.zeros((24, BINS), np.int64)
    scores[:, 0] = np.arange(1, 25)
    near = Pool(scores, np.zeros(BINS, np.int64)).near()[:, 0]
    assert near[:3].tolist() == [1, 1 + 2 + 3, 1 + 2 + 3 + 4 + 5]
    assert near[-3:].tolist() == [20 + 21 + 22 + 23 + 24, 22 + 23 + 24, 24]
    # Below a dozen steps each stands alone.
    short = Pool(scores[:11], np.zeros(BINS, np.int64))
    np.testing.assert_array_equal(short.near(), short.scores)


def test_the_usual_scale_is_the_mean_of_the_scales() -> None:
    scales = np.array([0.1, 0.2, 0.9])
    assert mean_scale(Pool.of(np.empty((0, 1)), scales).scales) == pytest.approx(0.4, rel=0.007)
    assert mean_scale(np.zeros(BINS, np.int64)) is None
