"""Component: Take one of the groups that the shards of a dataset are shared out to."""

from typing import NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def take_group(
    raw: Input[Dataset],
    taken: Output[Dataset],
    group: int,
    groups: int,
    lake: str = "",
    start: str = "",
    end: str = "",
) -> NamedTuple("Interval", [("start", str), ("end", str)]):  # type: ignore[valid-type]
    """Take one of the groups that the shards of a dataset are shared out to.

    Args:
        raw: Rows as they were read, of all series.
        taken: Those of the group: some of the shards; none where there are fewer shards than groups.
        group: Number of the group, from 1.
        groups: How many groups there are.
        lake: Lake that was read; empty: the run read a source.
        start: First instant of the run's interval; empty: all.
        end: End of the run's interval; empty: all.

    Returns:
        The interval that later steps keep to, as `ingest` gives it.
    """
    from sparkhu.lookback import kept_interval
    from sparkhu.stages.grouping import take_group as take

    taken.metadata.update(take(raw=raw.path, out=taken.path, group=group, groups=groups))
    return kept_interval(lake, start, end)
