"""Find the reigning champion of a registered model, so that it can be scored beside its challengers."""

from pathlib import Path

import polars as pl

from sparkhu.errors import RegistryAwayError
from sparkhu.evaluation.gate import NOBODY, Standing
from sparkhu.evaluation.reigning import Reigning, reigning_of
from sparkhu.registry import champion_of, load_champion


def find_standing(model_name: str, plan: pl.DataFrame, folder: Path) -> tuple[Standing, Reigning | None]:
    """Find the champion of a model and say whether it can be compared with this run's models.

    A registry that is away and a bundle that is damaged lose no run: the champion is not compared, and why is said.
    It stays where it could not be asked for, and gives way where it could not serve the series of this run.

    Args:
        model_name: Name in the registry; empty: none is looked for.
        plan: As `plan_groups` gives it, of all series of this run.
        folder: Where its bundle is put; nothing of it is needed afterwards.
    """
    try:
        version = champion_of(model_name) if model_name else None
    except RegistryAwayError as error:
        return Standing(None, told=str(error), gives_way=False), None
    if version is None:
        return NOBODY, None
    number = version.version
    try:
        bundle, loaded = load_champion(model_name, folder)
        reigning, told = reigning_of(bundle, plan)
    except RegistryAwayError as error:
        return Standing(number, told=f"its bundle cannot be fetched: {error}", gives_way=_is_gone(error)), None
    except Exception as error:  # noqa: BLE001 - whatever its files hold, they are another run's: this one goes on
        return Standing(number, told=f"its bundle cannot be read: {error}"), None
    return Standing(loaded.version, told=told, takes_part=reigning is not None), reigning


def _is_gone(error: RegistryAwayError) -> bool:
    """Say whether files are not there any more, rather than out of reach."""
    cause = error.__cause__
    return isinstance(cause, FileNotFoundError) or getattr(cause, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"
