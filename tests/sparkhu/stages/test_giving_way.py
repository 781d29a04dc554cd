"""Facts about a champion that cannot be opened: for what it gives way, and that for anything else it stays."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparkhu.errors import InputError, RegistryAwayError, SparkhuError
from sparkhu.evaluation.gate import Standing
from sparkhu.evaluation.reigning import Reigning
from sparkhu.models.bundle import DamagedBundleError, OutdatedBundleError
from sparkhu.models.naive import SeasonalNaive
from sparkhu.registry.versions import ModelVersion
from sparkhu.stages import standing
from tests.sparkhu.evaluation.test_gate import Oldest, bundle_of
from tests.sparkhu.made_shard import made_shard

MADE = made_shard("a")
VERSION = ModelVersion("m", "7", "run")
Found = tuple[Standing, Reigning | None]


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Exception | str], Found]:
    """What is found of a champion that opening fails for, or of one of a flavour."""

    def find(told: Exception | str) -> Found:
        def load(*_: object) -> object:
            if isinstance(told, Exception):
                raise told
            made = bundle_of(MADE, Oldest(4))
            naive = {name: {"own": SeasonalNaive(4, 2, 3)} for name in (told, "seasonal_naive")}
            return SimpleNamespace(flavor=told, models=naive, profile=made.profile, scalers=made.scalers), VERSION

        monkeypatch.setattr(standing, "champion_of", lambda _: VERSION)
        monkeypatch.setattr(standing, "load_champion", load)
        return standing.find_standing("m", MADE.profile, tmp_path)

    return find


def away(cause: Exception) -> RegistryAwayError:
    error = RegistryAwayError("failed")
    error.__cause__ = cause
    return error


class NoSuchThingError(Exception):
    error_code = "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("error", "gives_way"),
    [
        (DamagedBundleError("a file has changed"), True),
        (OutdatedBundleError("schema 1"), True),
        (away(NoSuchThingError()), True),
        (away(FileNotFoundError("a path of another machine")), False),
        (away(TimeoutError()), False),
        (InputError("schema 9"), False),
        (SparkhuError("unknown kind 'new'"), False),
        (ModuleNotFoundError("lightgbm"), False),
        (MemoryError(), False),
        (OSError(28, "no space left"), False),
        (KeyError("settings"), False),
    ],
)
def test_a_champion_gives_way_where_it_is_damaged_or_gone_and_else_stays(
    found: Callable[[Exception | str], Found], error: Exception, gives_way: bool
) -> None:
    stood, reigning = found(error)
    assert (reigning, stood.version, stood.takes_part, stood.gives_way) == (None, "7", False, gives_way)
    assert stood.note is not None


def test_a_mistake_of_the_program_is_not_passed_over(found: Callable[[Exception | str], Found]) -> None:
    with pytest.raises(AssertionError):
        found(AssertionError("never"))


@pytest.mark.parametrize(("flavor", "library"), [("lstm", "torch"), ("trees", "lightgbm")])
def test_a_champion_whose_library_is_not_installed_stays_and_is_not_asked(
    found: Callable[[Exception | str], Found], monkeypatch: pytest.MonkeyPatch, flavor: str, library: str
) -> None:
    assert found(flavor)[1] is not None
    monkeypatch.setattr(standing, "find_spec", lambda name: None if name == library else object())
    stood, reigning = found(flavor)
    assert (reigning, stood.takes_part, stood.gives_way) == (None, False, False)
    assert stood.told == f"it needs {library}, which is not installed here"
    assert found("linear")[1] is not None
