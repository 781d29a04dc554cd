"""Component: Refuse rows that cannot be used, and keep each of them in quarantine with its reason."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def validate(
    raw: Input[Dataset],
    observations: Output[Dataset],
    quarantine: Output[Dataset],
    start: str = "",
    end: str = "",
    zone: str = "UTC",
) -> None:
    """Refuse rows that cannot be used, and keep each of them in quarantine with its reason.

    Args:
        raw: Rows as they were read.
        observations: Rows that can be used.
        quarantine: Refused rows, each with its reason.
        start: First instant of the run's interval; empty: no bound.
        end: First instant after the run's interval; empty: no bound.
        zone: Time zone of `start` and `end` where they name none.
    """
    from sparkhu.execution import run_step
    from sparkhu.steps.validation import validate as step

    observations.metadata.update(
        run_step(
            step,
            name="validate",
            inputs={
                "observations": raw.path,
            },
            outputs={
                "observations": (observations.path, "rows"),
                "quarantine": (quarantine.path, "series"),
            },
            params={"start": start, "end": end, "zone": zone},
        )
    )
