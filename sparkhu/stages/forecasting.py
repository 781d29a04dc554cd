"""Forecast every series with a model bundle."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sparkhu.execution import metadata, run_step
from sparkhu.forecasting import forecast
from sparkhu.models.bundle import read_bundle


def forecast_series(
    *, sequences: Sequence[Path | str], champion: Path | str, out: Path | str, zone: str = "UTC"
) -> dict[str, Any]:
    """Forecast every series from its newest points.

    Args:
        sequences: Evenly spaced rows of all series, and the layer of what forecasters are given.
        champion: Folder of the model bundle.
        out: Folder of the forecasts, to be written.
        zone: Zone in which days, months and quarters begin.

    Returns:
        What happened, for the artifact's metadata.
    """
    bundle = read_bundle(Path(champion))
    step = partial(
        forecast,
        profile=bundle.profile,
        scalers=bundle.scalers,
        intervals=bundle.intervals,
        models=bundle.models,
        champion=bundle.flavor,
    )
    run_step(
        step,
        name="make_forecasts",
        inputs={"sequences": sequences},
        outputs={"forecasts": (out, "series")},
        params={"zone": zone},
        also=[champion],
    )
    return metadata(out)
