"""Component: Gather forecasts of new data in one folder of files that other programs read."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def publish_forecasts(
    sequences: Input[Dataset],
    forecasts: Input[Dataset],
    duplicates: Input[Dataset],
    quarantine: Input[Dataset],
    results: Output[Dataset],
) -> None:
    """Gather forecasts of new data in one folder of files that other programs read.

    Args:
        sequences: Evenly spaced observations.
        forecasts: Forecasts.
        duplicates: Instants that had several rows.
        quarantine: Refused rows.
        results: clean, forecasts, ledger, quarantine and duplicates as Parquet.
    """
    from sparkhu.stages.publishing import publish_results

    results.metadata.update(
        publish_results(
            clean={"sequences": sequences.path},
            tables={
                "forecasts": [forecasts.path],
                "duplicates": [duplicates.path],
                "quarantine": [quarantine.path],
            },
            documents={},
            out=results.path,
        )
    )
