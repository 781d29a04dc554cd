import threading

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from sparkhu.threads import for_each, on_one_thread
from sparkhu.training.gram import gram_shard
from sparkhu.training.ridge import fit_groups
from sparkhu.training.windows import assemble
from tests.sparkhu.made_shard import made_shard


def blas_threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


def test_a_function_runs_on_one_thread_and_the_process_gets_its_own_back() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        before = blas_threads()
        assert on_one_thread(blas_threads)() == {1}
        assert blas_threads() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_weights_are_the_same_to_the_bit_on_any_number_of_threads(threads: int) -> None:
    made = made_shard("a", "b", "c", n=2000, borders=(1400, 1600, 2000), sizes=(200, 60))
    wanted = fit_groups(gram_shard(assemble(*made)))[0]["1h/3"]
    with threadpool_limits(limits=threads, user_api="blas"):
        found = fit_groups(gram_shard(assemble(*made)))[0]["1h/3"]
    np.testing.assert_array_equal(found.weights, wanted.weights)
    np.testing.assert_array_equal(found.evaluation_weights, wanted.evaluation_weights)


def test_every_number_gets_its_result_in_order_on_as_many_threads_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    for threads in (1, 3):
        monkeypatch.setattr("polars.thread_pool_size", lambda threads=threads: threads)
        names = for_each(lambda number: (number * number, threading.current_thread().name), 50)
        assert [square for square, _ in names] == [number * number for number in range(50)]
        assert {name.startswith("sparkhu-series") for _, name in names} == {threads > 1}
    assert for_each(lambda number: number, 0) == []


def test_the_error_of_the_lowest_number_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polars.thread_pool_size", lambda: 2)

    def fail(number: int) -> None:
        if number in {3, 7}:
            raise ValueError(f"number {number}")

    with pytest.raises(ValueError, match="number 3"):
        for_each(fail, 20)
