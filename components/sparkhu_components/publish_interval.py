"""Component: Put what a run made of an interval into the lake that it read, in one commit."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def publish_interval(
    results: Input[Dataset],
    published: Output[Dataset],
    lake: str = "",
    start: str = "",
    end: str = "",
    zone: str = "UTC",
) -> None:
    """Put what a run made of an interval into the lake that it read, in one commit; nothing where it read a source.

    Args:
        results: Results folder of the run.
        published: What was published, and in which version of the lake: published.json.
        lake: Lake that was read: a folder or s3://bucket/prefix; empty: the run read a source.
        start: First instant of the interval; empty: of the first row.
        end: End of the interval, which does not belong to it; empty: behind the last row.
        zone: Time zone of both where they name none.
    """
    from sparkhu.stages.lake_publishing import publish_interval as publish

    limits = {"start": start, "end": end, "zone": zone}
    published.metadata.update(publish(results=results.path, lake=lake, out=published.path, **limits))
