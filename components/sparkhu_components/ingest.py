"""Component: Read a source, sort it by series and time, and write it as shards of whole series."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def ingest(
    raw: Output[Dataset],
    source: str,
    time: str = "",
    value: str = "",
    id: str = "",
    wide: bool = False,
    zone: str = "UTC",
    time_format: str = "",
    extra: str = "",
    start: str = "",
    end: str = "",
    reading: dict[str, Any] = {},  # noqa: B006 - a default of the component, as Kubeflow Pipelines takes it
    max_failed_share: float = 0.5,
) -> None:
    """Read a source, sort it by series and time, and write it as shards of whole series.

    Args:
        raw: Rows as they were read.
        source: File, folder, glob or URI of the observations, or SQLAlchemy URL of a database. Write a password as
            ${NAME}: it is taken from the environment.
        time: Column of the observation times; empty: found.
        value: Column of the values; empty: found.
        id: Column of the series' names; empty: found.
        wide: Every column but the time column is a series.
        zone: Time zone of times without an offset.
        time_format: strptime format of the times, where the data alone cannot tell.
        extra: Further columns that travel along, with commas between them, or all; empty: none.
        start: First instant of the interval: dated folders before it are not opened; empty: all.
        end: End of the interval: dated folders behind it are not opened; empty: all.
        reading: How the source is read: table, query, delimiter, encoding, decimal; what is not there is found.
        max_failed_share: Largest share of failed series that the run goes on with.
    """
    from sparkhu.sections import Reading
    from sparkhu.sources import SourceOptions
    from sparkhu.stages.ingesting import ingest_source

    options = SourceOptions(
        time=time,
        value=value,
        id=id,
        wide=wide,
        zone=zone,
        time_format=time_format,
        extra=extra,
        start=start,
        end=end,
        **Reading.of(reading).plain(),
    )
    raw.metadata.update(ingest_source(source, options, out=raw.path, max_failed_share=max_failed_share))
