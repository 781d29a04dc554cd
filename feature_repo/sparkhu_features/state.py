"""Where the feature store keeps its own state on this machine: the registry and the online rows."""

from pathlib import Path

from sparkhu.settings import Settings

FOLDER = "features"


def state_path(path: str) -> Path:
    """Give the place of a file of the feature store.

    Args:
        path: As `feature_store.yaml` names it; a relative one lies in `features` below Sparkhu's home.

    Example:
        >>> state_path("/data/registry.db")
        PosixPath('/data/registry.db')
    """
    given = Path(path)
    place = given if given.is_absolute() else Settings().home / FOLDER / given
    place.parent.mkdir(parents=True, exist_ok=True)
    return place
