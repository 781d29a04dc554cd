"""Component: Read a source or an interval of a lake, sort it by series and time, and write it as shards."""

from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import Dataset, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def ingest(
    raw: Output[Dataset],
    history: Output[Dataset],
    versions: Output[Dataset],
    source: str = "",
    lake: str = "",
    time: str = "",
    value: str = "",
    id: str = "",
    wide: bool = False,
    zone: str = "UTC",
    time_format: str = "",
    extra: str = "",
    start: str = "",
    end: str = "",
    lookback: str = "",
    reading: dict[str, Any] = {},  # noqa: B006 - a default of the component, as Kubeflow Pipelines takes it
    max_failed_share: float = 0.5,
) -> NamedTuple("Interval", [("start", str), ("end", str)]):  # type: ignore[valid-type]
    """Read a source or an interval of a lake, sort it by series and time, and write it as shards of whole series.

    Args:
        raw: Rows as they were read.
        history: What was known of a lake's series by the end, one row a series; empty where a source is read.
        versions: The versions of a lake's points that were revised; empty where a source is read.
        source: File, folder, glob or URI of the observations, or SQLAlchemy URL of a database. Write a password as
            ${NAME}: it is taken from the environment. Empty: a lake is read.
        lake: Lake whose observations are read instead of a source: a folder or s3://bucket/prefix.
        time: Column of the observation times; empty: found.
        value: Column of the values; empty: found.
        id: Column of the series' names; empty: found.
        wide: Every column but the time column is a series.
        zone: Time zone of times without an offset.
        time_format: strptime format of the times, where the data alone cannot tell.
        extra: Further columns that travel along, with commas between them, or all; empty: none.
        start: First instant of the interval: dated folders before it are not opened; empty: all. A lake is read from
            the look-back before it.
        end: End of the interval: dated folders behind it are not opened; empty: all.
        lookback: How far before start a lake is read, such as 60d, or all; empty: what the seasons of its series want.
        reading: How the source is read: table, query, delimiter, encoding, decimal; what is not there is found.
        max_failed_share: Largest share of failed series that the run goes on with.

    Returns:
        The interval that later steps keep to: as given for a source; of a lake what is read, so no start.
    """
    from sparkhu.lookback import kept_interval
    from sparkhu.sections import Reading
    from sparkhu.settings import Settings
    from sparkhu.sources import SourceOptions
    from sparkhu.stages.ingesting import ingest_source
    from sparkhu.stages.lake_reading import read_interval
    from sparkhu.steps.ingestion import ROWS_PER_SHARD

    limits: dict[str, Any] = {
        "max_failed_share": max_failed_share,
        "rows_per_shard": Settings().rows_per_shard or ROWS_PER_SHARD,
    }
    if lake:
        raw.metadata.update(
            read_interval(
                lake,
                out=raw.path,
                history=history.path,
                versions=versions.path,
                start=start,
                end=end,
                zone=zone,
                lookback=lookback,
                **limits,
            )
        )
        return kept_interval(lake, start, end)
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
    places = {"out": raw.path, "history": history.path, "versions": versions.path}
    raw.metadata.update(ingest_source(source, options, **places, **limits))
    return kept_interval(lake, start, end)
