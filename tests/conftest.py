"""What all tests share: hypothesis profiles, a state folder of their own, the evaluation data."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "quick", max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("quick"), max_examples=500, derandomize=False)
settings.register_profile(
    "mutation", settings.get_profile("quick"), max_examples=10, database=None, phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def pytest_itemcollected(item: pytest.Item) -> None:
    """Keep the tests of a file in one process, where they share what takes long to make, unless they say otherwise."""
    if item.get_closest_marker("xdist_group") is None:
        item.add_marker(pytest.mark.xdist_group(item.path.relative_to(item.config.rootpath).as_posix()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """See that groups are heeded: some releases of pytest and pytest-xdist together do not, and take twice as long."""
    lost = [item.nodeid for item in session.items if "@" not in item.nodeid]
    if session.config.getoption("loadgroup", default=False) and lost:
        raise pytest.UsageError(
            f"pytest-xdist did not put '{lost[0]}' into a group. Install what requirements/dev.txt names."
        )


@pytest.fixture(scope="session", autouse=True)
def sparkhu_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep registry, logs and caches of the tests away from the user's own."""
    home = tmp_path_factory.mktemp("sparkhu-home")
    with pytest.MonkeyPatch.context() as patch:
        for variable in [name for name in os.environ if name.startswith("SPARKHU_")]:
            if variable != "SPARKHU_EVALUATION_DATA":
                patch.delenv(variable)
        patch.setenv("SPARKHU_HOME", str(home))
        yield home


@pytest.fixture(scope="session", autouse=True)
def heeded_interrupts() -> Iterator[None]:
    """Let processes of the tests heed Ctrl-C also where the tests run in the background, which ignores it."""
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def evaluation_data() -> Path:
    """The folder of published data sets (ett, m4, nab, prices) that real-data tests read."""
    folder = os.environ.get("SPARKHU_EVALUATION_DATA")
    if not folder:
        pytest.skip("SPARKHU_EVALUATION_DATA names no folder of evaluation data")
    path = Path(folder)
    assert path.is_dir(), f"SPARKHU_EVALUATION_DATA={folder} is no folder"
    return path
