"""Where the feature store keeps its own state on this machine: the registry and the online rows, and whose they are.

Online rows are found by the names of series alone. So once they are those of a lake, no trial on a file and no other
lake writes over them.
"""

import fcntl
from pathlib import Path

from sparkhu.settings import Settings

FOLDER = "features"
OWNER = "lake.txt"
ONLINE_FILES = ("online.db", "online.db-wal", "online.db-shm")


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


def whose(lake: str) -> str:
    """Tell whose the online rows below Sparkhu's home are; a lake that finds those of no other makes them its own.

    Args:
        lake: URI of the lake that wants to bring rows online; empty: a run that read a source, which never owns them.

    Returns:
        The URI of the lake that owns them; empty: none does.
    """
    owner = state_path(OWNER)
    with state_path(f".{OWNER}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if lake and not owner.is_file():
            for name in ONLINE_FILES:  # what is there comes from trials on sources
                state_path(name).unlink(missing_ok=True)
            owner.write_text(f"{lake}\n")
        return owner.read_text().strip() if owner.is_file() else ""
