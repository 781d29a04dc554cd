"""Component: Take one of the groups that the shards of a dataset are shared out to."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def take_group(raw: Input[Dataset], taken: Output[Dataset], group: int, groups: int) -> None:
    """Take one of the groups that the shards of a dataset are shared out to.

    Args:
        raw: Rows as they were read, of all series.
        taken: Those of the group: some of the shards; none where there are fewer shards than groups.
        group: Number of the group, from 1.
        groups: How many groups there are.
    """
    from sparkhu.stages.grouping import take_group as take

    taken.metadata.update(take(raw=raw.path, out=taken.path, group=group, groups=groups))
