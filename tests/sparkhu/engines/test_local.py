import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from sparkhu.engines import LocalEngine, LostItem
from sparkhu.errors import InputError


def square(number: int) -> int:
    return number * number


def slow_first(number: int) -> int:
    time.sleep(0.3 if number == 0 else 0.0)
    return number


def process_and_threads(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("POLARS_MAX_THREADS")


def marked(folder: Path, number: int) -> int:
    if number == 0:
        raise ValueError("shard 0 is broken")
    time.sleep(0.05)
    (folder / str(number)).touch()
    return number


def killed_at(victim: int, number: int) -> int:
    time.sleep(0.05)
    if number == victim:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def variable(name: str) -> str | None:
    return os.environ.get(name)


def named_and_slow(folder: Path, _: int) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def work_until_killed(folder: str) -> None:
    list(LocalEngine(2).map(partial(named_and_slow, Path(folder)), range(2)))


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("function", [square, slow_first])
def test_results_come_in_the_order_of_the_items(function: Callable[[int], int], workers: int) -> None:
    assert list(LocalEngine(workers).map(function, range(6))) == [function(number) for number in range(6)]


def test_nothing_to_map_gives_nothing() -> None:
    assert list(LocalEngine(2).map(square, [])) == []


def test_one_worker_or_one_item_works_in_this_process() -> None:
    assert [pid for pid, _ in LocalEngine(1).map(process_and_threads, range(3))] == [os.getpid()] * 3
    assert [pid for pid, _ in LocalEngine(2).map(process_and_threads, range(1))] == [os.getpid()]


def test_workers_are_other_processes_of_one_thread_each_and_the_environment_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    found = list(LocalEngine(2).map(process_and_threads, range(4)))
    assert os.getpid() not in {pid for pid, _ in found}
    assert {threads for _, threads in found} == {"1"}
    assert "POLARS_MAX_THREADS" not in os.environ
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_an_exception_goes_on_and_what_waits_is_cancelled(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="shard 0 is broken"):
        list(LocalEngine(2).map(partial(marked, tmp_path), range(200)))
    done = len(list(tmp_path.iterdir()))
    assert done < 100
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) == done


def test_a_reader_that_stops_early_ends_the_pool(tmp_path: Path) -> None:
    results = LocalEngine(2).map(partial(marked, tmp_path), range(1, 200))
    assert next(results) == 1
    results.close()  # type: ignore[attr-defined]
    done = len(list(tmp_path.iterdir()))
    assert done < 100
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) == done


@pytest.mark.parametrize("victim", [0, 1, 5, 19])
def test_a_killed_worker_is_told_with_its_item(victim: int) -> None:
    with pytest.raises(LostItem, match=r"a worker process was killed.*2 were at work\. Set SPARKHU_WORKERS") as lost:
        list(LocalEngine(2).map(partial(killed_at, victim), range(20)))
    assert lost.value.number == victim


def test_workers_have_the_environment_of_each_map(monkeypatch: pytest.MonkeyPatch) -> None:
    for told in ("first", "second"):
        monkeypatch.setenv("SPARKHU_HOME", told)
        assert list(LocalEngine(2).map(variable, ["SPARKHU_HOME"] * 2)) == [told] * 2
    monkeypatch.delenv("SPARKHU_HOME")
    assert list(LocalEngine(2).map(variable, ["SPARKHU_HOME"] * 2)) == [None] * 2


def test_workers_of_a_killed_process_end(tmp_path: Path) -> None:
    code = f"from tests.sparkhu.engines.test_local import work_until_killed; work_until_killed({str(tmp_path)!r})"
    engine = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    engine.kill()
    engine.wait()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert engine.pid not in workers
    wait_for(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))


def test_a_long_temporary_folder_is_no_matter(tmp_path: Path) -> None:
    # A server listens at a path of its temporary folder, and paths of sockets are short.
    folder = tmp_path / ("long-" * 30)
    folder.mkdir()
    code = "from sparkhu.engines import LocalEngine; print(list(LocalEngine(2).map(len, ['a', 'bc'])))"
    variables = {**os.environ, "TMPDIR": str(folder)}
    told = subprocess.run([sys.executable, "-c", code], env=variables, check=True, capture_output=True, text=True)
    assert told.stdout == "[1, 2]\n"


@pytest.mark.parametrize("workers", [0, -2])
def test_fewer_than_one_worker_is_refused(workers: int) -> None:
    with pytest.raises(InputError, match=f"workers must be at least 1, got {workers}"):
        LocalEngine(workers)


def test_by_default_every_core_works() -> None:
    assert LocalEngine().at_once == len(os.sched_getaffinity(0))
