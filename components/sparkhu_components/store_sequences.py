"""Component: Store what forecasters are given, and what they are judged by, in a table that training looks up in."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def store_sequences(
    sequences: Input[Dataset], inputs: Input[Dataset], versions: Input[Dataset], table: Output[Dataset]
) -> None:
    """Store what forecasters are given, and what they are judged by, in a table that training looks up in.

    Args:
        sequences: Evenly spaced observations of all series.
        inputs: Layer of what forecasters are given: y, available_at, fill_strategy, anomaly_strategy.
        versions: The versions of points that were revised.
        table: A lake of two tables: inputs, what forecasters are given; truths, the values given and observed.
    """
    from sparkhu.stages.storing import store_sequences as store

    rows = [sequences.path, inputs.path]
    table.metadata.update(store(sequences=rows, versions=versions.path, table=table.path))
