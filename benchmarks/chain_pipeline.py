"""The chain of preprocessing steps as a pipeline of Kubeflow: what `pipeline.py` runs on this machine."""

from kfp import dsl
from kfp.dsl import Dataset

from sparkhu_components.describe import describe
from sparkhu_components.detect_regularity import detect_regularity
from sparkhu_components.drop_duplicates import drop_duplicates
from sparkhu_components.fill_last import fill_last
from sparkhu_components.fill_linear import fill_linear
from sparkhu_components.fill_mean import fill_mean
from sparkhu_components.fill_median import fill_median
from sparkhu_components.fill_next import fill_next
from sparkhu_components.fit_scalers import fit_scalers
from sparkhu_components.flag_outliers import flag_outliers
from sparkhu_components.mark_gaps import mark_gaps
from sparkhu_components.pool_fills import pool_fills
from sparkhu_components.split_by_regularity import split_by_regularity
from sparkhu_components.sync_metadata import sync_metadata
from sparkhu_components.validate import validate

FILLS = {"mean": fill_mean, "median": fill_median, "last": fill_last, "next": fill_next, "linear": fill_linear}
UNUSED = ("mode", "spline", "seasonal", "moving_average")


@dsl.pipeline(name="sparkhu-chain")
def chain_pipeline(raw: str) -> Dataset:
    """Validate, deduplicate, describe, split, flag, mark gaps, fill in five ways, choose, and fit scalers.

    Args:
        raw: Folder of rows as they were read.
    """
    rows = dsl.importer(artifact_uri=raw, artifact_class=Dataset, reimport=False)
    metadata = sync_metadata()
    valid = validate(raw=rows.output, metadata=metadata.outputs["metadata"])
    unique = drop_duplicates(observations=valid.outputs["observations"]).outputs["unique"]
    stats = describe(observations=unique, settings={"stationarity_points": 0}).outputs["stats"]
    profile = detect_regularity(observations=unique).outputs["profile"]
    regular = split_by_regularity(observations=unique, profile=profile).outputs["regular"]
    flags = flag_outliers(observations=regular, stats=stats).outputs["flags"]
    marked = mark_gaps(observations=regular, flags=flags, profile=profile).outputs["marked"]
    fills = {name: fill(observations=marked, profile=profile) for name, fill in FILLS.items()}
    # The component takes all nine strategies; those that are not compared here are stood in for.
    every = {**fills, **dict.fromkeys(UNUSED, fills["linear"])}
    layers = {f"{name}_fill": task.outputs["filled"] for name, task in every.items()}
    scores = {f"{name}_scores": task.outputs["scores"] for name, task in every.items()}
    settings = {"settings": {"variants": list(FILLS)}, "limits": valid.outputs["limits"]}
    pooled = pool_fills(observations=marked, **settings, **layers, **scores)
    scaled = fit_scalers(sequences=marked, inputs=pooled.outputs["filled"], profile=profile)
    return scaled.outputs["scalers"]
