"""Component: Give every missing instant of a regular series a row of its own."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def mark_gaps(
    observations: Input[Dataset],
    flags: Input[Dataset],
    profile: Input[Dataset],
    marked: Output[Dataset],
    start: str = "",
    end: str = "",
    zone: str = "UTC",
    preserve_last: bool = False,
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Give every missing instant of a regular series a row of its own.

    Args:
        observations: Observations: whole series, sorted by series and time.
        flags: Layer of outlier flags.
        profile: One row a series: way, period, season, borders of the split.
        marked: Observations with a marked row for each missing instant.
        start: First instant of the run's interval; empty: each series' own first point.
        end: First instant after the run's interval; empty: each series' own last point.
        zone: Time zone of `start` and `end` where they name none.
        preserve_last: Mark no row in the last period before `end`, so that the next interval does not
            collide.
        settings: max_new_rows: most rows that a series may get; one that needs more fails.
    """
    from sparkhu.execution import run_step
    from sparkhu.sections import Filling
    from sparkhu.steps.gaps import mark_gaps as step

    marked.metadata.update(
        run_step(
            step,
            name="mark_gaps",
            inputs={
                "observations": [observations.path, flags.path],
                "profile": profile.path,
            },
            outputs={
                "observations": (marked.path, "rows"),
            },
            params={
                "start": start,
                "end": end,
                "zone": zone,
                "preserve_last": preserve_last,
                "max_new_rows": Filling.of(settings).max_new_rows,
            },
        )
    )
