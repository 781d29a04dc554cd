"""Find the reigning champion of a registered model, so that it can be scored beside its challengers."""

from importlib.util import find_spec
from pathlib import Path

import polars as pl

from sparkhu.errors import RegistryAwayError, SparkhuError
from sparkhu.evaluation.gate import NOBODY, Standing
from sparkhu.evaluation.reigning import Reigning, reigning_of
from sparkhu.models.bundle import DamagedBundleError, OutdatedBundleError
from sparkhu.registry import champion_of, load_champion
from sparkhu.training.known import RECIPES

UNREADABLE = (
    SparkhuError,
    OSError,
    MemoryError,
    ImportError,
    ValueError,
    LookupError,
    TypeError,
    pl.exceptions.PolarsError,
)
"""What opening a bundle raises that is whole, and of another Sparkhu or too much for this machine."""


def find_standing(model_name: str, plan: pl.DataFrame, folder: Path) -> tuple[Standing, Reigning | None]:
    """Find the champion of a model and say whether it can be compared with this run's models.

    A registry that is away and a bundle that cannot be read lose no run: the champion is not compared, and why is
    said. It gives way where its files are damaged, of an older schema than any that is read, or gone by what the
    registry says, and where it could not serve the series of this run. Else it stays: what this machine lacks, or
    cannot read, is nothing against it.

    Args:
        model_name: Name in the registry; empty: none is looked for.
        plan: As `plan_groups` gives it, of all series of this run.
        folder: Where its bundle is put; nothing of it is needed afterwards.
    """
    try:
        version = champion_of(model_name) if model_name else None
    except RegistryAwayError as error:
        return Standing(None, told=str(error)), None
    if version is None:
        return NOBODY, None
    try:
        bundle, version = load_champion(model_name, folder)
        reigning, told = reigning_of(bundle, plan)
    except UNREADABLE as error:
        return _unreadable(version.version, error), None
    if reigning is None:
        return Standing(version.version, told=told, gives_way=True), None
    if lacking := _lacking(bundle.flavor):
        return Standing(version.version, told=f"it needs {lacking}, which is not installed here"), None
    return Standing(version.version, told=told, takes_part=True), reigning


def _unreadable(number: str, error: BaseException) -> Standing:
    """Say why a bundle could not be opened, and whether its champion gives way for that."""
    if isinstance(error, RegistryAwayError):
        return Standing(number, told=f"its bundle cannot be fetched: {error}", gives_way=_is_gone(error))
    if isinstance(error, (DamagedBundleError, OutdatedBundleError)):
        return Standing(number, told=f"its bundle cannot be read: {error}", gives_way=True)
    return Standing(number, told=f"its bundle cannot be read here: {type(error).__name__}: {error}")


def _lacking(flavor: str) -> str:
    """Name the library that a model needs and this machine lacks; empty: it can forecast here."""
    needed = RECIPES[flavor].needs if flavor in RECIPES else ""
    return needed if needed and find_spec(needed) is None else ""


def _is_gone(error: RegistryAwayError) -> bool:
    """Say whether the registry says that there is none; a file that is not there may lie on another machine."""
    return getattr(error.__cause__, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"
