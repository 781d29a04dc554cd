"""Component: Bring the feature store up to date: apply its definitions, materialise the newest snapshots."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Output

from sparkhu_components.images import STEPS


@dsl.component(base_image=STEPS, install_kfp_package=False)
def store_features(
    results: Input[Dataset],
    published: Input[Dataset],
    features: Output[Dataset],
    lake: str = "",
    repo: str = "",
) -> None:
    """Bring the feature store up to date: apply its definitions, materialise the newest snapshots.

    Args:
        results: Results folder of the run.
        published: What the run published into the lake; nothing where it read a source.
        features: Lake, version and number of online series by view: features.json; and a lake of the run's own
            snapshots where it read a source.
        lake: Lake that was read and published into: a folder or s3://bucket/prefix; empty: the run read a source.
        repo: A feature_store.yaml, such as that of a cluster; empty: registry and online rows lie in Sparkhu's home.
    """
    from sparkhu_features.stage import update_features

    features.metadata.update(
        update_features(results=results.path, published=published.path, lake=lake, out=features.path, repo=repo)
    )
