"""What the steps would refuse of a run's parameters, found before anything starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sparkhu.errors import InputError

if TYPE_CHECKING:
    from sparkhu_pipelines.parameters import RunParameters


def check_parameters(parameters: "RunParameters") -> None:
    """Check what the steps would refuse, before anything starts.

    Raises:
        InputError: A step's own message about its parameter, with the section that it stands in.
    """
    from sparkhu.lookback import check_lookback
    from sparkhu.registry.versions import check_name
    from sparkhu.steps.gaps import MAX_NEW_ROWS, check_gaps
    from sparkhu.steps.regularity import check_regularity

    if bool(parameters.source) == bool(parameters.lake):
        both = f"got both, '{parameters.source}' and '{parameters.lake}'" if parameters.source else "got neither"
        raise InputError(f"a run reads either a source or a lake, {both}. Give --source URI or --lake URI.")
    check_lookback(parameters.lookback)
    check_gaps(
        start=parameters.start,
        end=parameters.end,
        zone=parameters.zone,
        preserve_last=parameters.preserve_last,
        max_new_rows=MAX_NEW_ROWS,
    )
    check_regularity(
        zone=parameters.zone,
        split=parameters.split,
        period=parameters.period,
        season_length=parameters.season_length,
    )
    _check_parts(parameters.split)
    check_name(parameters.model_name)
    _check_sections(parameters)


def _check_parts(text: str) -> None:
    """Check that no part of a split is empty."""
    from sparkhu.splits import parse_split

    split = parse_split(text)
    for part, size, use in (("validation", split.valid, "chosen"), ("test", split.test, "measured")):
        if not size:
            raise InputError(
                f"split needs a {part} part, on which models are {use}, got '{text}'; "
                "give training/validation/test such as 0.7/0.1/0.2 or 8640/2880/2880."
            )


def _check_sections(parameters: "RunParameters") -> None:
    from sparkhu.stages.fitting import check_training
    from sparkhu.stages.tuning_search import check_tuning
    from sparkhu.steps.anomalies import check_anomalies
    from sparkhu.steps.decomposition import check_decomposition
    from sparkhu.steps.description import check_description
    from sparkhu.steps.handling_pooling import check_handling
    from sparkhu.steps.pooling import check_pooling
    from sparkhu.steps.resampling import check_resampling

    split, zone = parameters.split, parameters.zone
    with _inside("statistics"):
        season_length, period = parameters.season_length, parameters.period
        given = parameters.statistics.model_dump()
        check_description(split=split, zone=zone, season_length=season_length, period=period, **given)
    with _inside("filling"):
        check_pooling(variants=parameters.filling.variants, choice=parameters.fill)
    with _inside("resampling"):
        check_resampling(zone=zone, **parameters.resampling.model_dump())
    with _inside("decomposition"):
        check_decomposition(method=parameters.decomposition.method, seasons=parameters.decomposition.seasons)
    with _inside("anomalies"):
        check_anomalies(zone=zone, **parameters.anomalies.model_dump())
    with _inside("handling"):
        check_handling(variants=parameters.handling.variants, choice=parameters.handling.choice)
    with _inside("tuning"):
        check_tuning(parameters.tuning, parameters.training)
    with _inside("training"):
        check_training(parameters.training)


@contextmanager
def _inside(section: str) -> Iterator[None]:
    """Name the section in the message about one of its settings."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{section}.{error}") from error
