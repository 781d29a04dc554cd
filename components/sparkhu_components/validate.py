"""Component: Refuse rows that cannot be used, and keep each of them in quarantine with its reason."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def validate(
    raw: Input[Dataset],
    metadata: Input[Dataset],
    observations: Output[Dataset],
    quarantine: Output[Dataset],
    limits: Output[Dataset],
    start: str = "",
    end: str = "",
    zone: str = "UTC",
) -> None:
    """Refuse rows that cannot be used, and keep each of them in quarantine with its reason.

    Args:
        raw: Rows as they were read.
        metadata: Valid range and alert levels of the series.
        observations: Rows that can be used, each marked where its value is at an alert level.
        quarantine: Refused rows, each with its reason.
        limits: Valid range of each series that has metadata.
        start: First instant of the run's interval; empty: no bound.
        end: First instant after the run's interval; empty: no bound.
        zone: Time zone of `start` and `end` where they name none.
    """
    from sparkhu.stages.validating import validate_rows

    observations.metadata.update(
        validate_rows(
            raw=raw.path,
            known=metadata.path,
            observations=observations.path,
            quarantine=quarantine.path,
            limits=limits.path,
            start=start,
            end=end,
            zone=zone,
        )
    )
