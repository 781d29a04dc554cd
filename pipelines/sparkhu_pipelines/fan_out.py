"""The forecast pipeline over groups of shards: its preparation runs once a group, side by side.

from sparkhu_pipelines.fan_out import forecast_pipeline_over

compiler.Compiler().compile(forecast_pipeline_over(8), "forecast.yaml")

The graph does not grow with the groups on paper, since they are the items of a loop, and not with the series at all: a
group holds as many as its shards do. Without groups a step maps over all shards in one task.
"""

from functools import wraps
from inspect import signature
from typing import Any

from kfp import dsl

from sparkhu.errors import InputError
from sparkhu_components.gather_groups import gather_groups
from sparkhu_components.pack_group import pack_group
from sparkhu_components.take_group import take_group
from sparkhu_pipelines.forecast import DESCRIPTION, NAME, Outputs, forecast, forecast_pipeline
from sparkhu_pipelines.preparation import Prepared, Rows, Source, bring_in, prepare

MOST_GROUPS = 100


def forecast_pipeline_over(groups: int) -> Any:
    """Make the forecast pipeline whose preparation runs over groups of shards.

    Args:
        groups: How many groups, from 1 to 100; 1: `forecast_pipeline` itself, without a loop. There may be more groups
            than shards: the groups that are left without one do nothing.

    Returns:
        The pipeline, with the arguments and outputs of `forecast_pipeline`, whose results it gives to the bit.

    Raises:
        InputError: There cannot be so many groups.
    """
    if not 1 <= groups <= MOST_GROUPS:
        raise InputError(f"fan-out must be from 1 to {MOST_GROUPS} groups of shards, got {groups}.")
    if groups == 1:
        return forecast_pipeline
    plain = forecast_pipeline.pipeline_func

    @wraps(plain)
    def over_groups(*arguments: Any) -> Outputs:
        given = dict(zip(signature(plain).parameters, arguments, strict=True))
        source = bring_in(given)
        return forecast(given, source, prepare_groups(given, source, groups))

    return dsl.pipeline(name=NAME, description=DESCRIPTION)(over_groups)


def prepare_groups(given: dict[str, Any], source: Source, groups: int) -> Prepared:
    """Add preparation to the pipeline that is being built, once a group, and what joins the groups.

    Args:
        given: The pipeline's arguments by name.
        source: Where the observations came from.
        groups: How many groups there are.
    """
    metadata = source.metadata.outputs["metadata"]
    interval = {name: given[name] for name in ("lake", "start", "end")}
    with dsl.ParallelFor(list(range(1, groups + 1)), name="groups-of-shards") as group:
        # The interval comes from a task of the loop: to KFP's local runner, a parameter that a task outside gives is
        # the item of the loop.
        taken = take_group(raw=source.raw.outputs["raw"], group=group, groups=groups, **interval)
        kept = {name: taken.outputs[name] for name in ("start", "end")}
        prepared = prepare(given, Rows(taken.outputs["taken"], **kept, metadata=metadata))
        packed = pack_group(**prepared._asdict())
    whole = gather_groups(
        packed=dsl.Collected(packed.outputs["packed"]),
        metadata=metadata,
        past=given["past"],
        lake=given["lake"],
    )
    return Prepared(**{name: whole.outputs[name] for name in Prepared._fields})
