"""Component: Bring the catalogue to what a source says of the series, and give their metadata to the run."""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def sync_metadata(
    metadata: Output[Dataset],
    uri: str = "",
    settings: dict[str, Any] = {},  # noqa: B006 - KFP's way of a default
) -> None:
    """Bring the catalogue to what a source says of the series, and give their metadata to the run.

    Args:
        metadata: One row a series: type, unit, group, valid range, alert levels; no row where there is no source.
        uri: File or database URL with one row a series; empty: there are no metadata.
        settings: How the metadata are read: table or query of a database, id (column of the series' names),
            encoding, and the name that the catalogue keeps them under.
    """
    from sparkhu.stages.metadata import sync_series

    metadata.metadata.update(sync_series(uri, settings, out=metadata.path))
