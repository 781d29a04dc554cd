"""The task of a run that brings the feature store up to date."""

import json
from pathlib import Path
from typing import Any

from sparkhu.execution import metadata, recorded
from sparkhu.lake import Append, Lake, create_lake, open_lake
from sparkhu.sources import redacted
from sparkhu.stages.snapshotting import SNAPSHOTS, snapshot_tables
from sparkhu_features.state import OWNER, state_path, whose
from sparkhu_features.store import store_features

SCHEMA_VERSION = 1
DOCUMENT = "features.json"


def update_features(
    *, results: Path | str, lake: str, out: Path | str, published: Path | str | None = None, repo: str = ""
) -> dict[str, Any]:
    """Apply the definitions and bring the newest snapshots online, from a lake or from the results of one run.

    Args:
        results: Results folder of the run.
        lake: The lake that the run published into, with its snapshots; empty: the run had a source, and its snapshots
            are put into a small lake of its own in `out`.
        out: Folder to be written: `features.json`, which tells lake, version and online series by view; and that lake.
        published: What the run published into `lake`; it goes first, and its history goes on.
        repo: A `feature_store.yaml`; empty: registry and online rows lie below Sparkhu's home. Rows that are there from
            another lake stay, and so do those of a lake when the run had a source.

    Returns:
        What happened, for the artifact's metadata.

    Raises:
        InputError: There is no lake, table or results file.
        SparkhuError: The lake or the online store failed; the online rows are as they were.
    """
    inputs = [results] if published is None else [results, published]
    params = {"lake": redacted(lake), "repo": repo}
    with recorded("store_features", inputs=inputs, outputs=[out], params=params) as (notes, (draft,)):
        place = open_lake(lake) if lake else _own_lake(results, draft / "lake")
        version, online = place.version(), dict[str, int]()
        owner = "" if repo or SNAPSHOTS not in version.tables else whose(place.uri if lake else "")
        if owner not in ("", place.uri):
            notes.say(
                f"the online rows below Sparkhu's home stay those of the lake '{redacted(owner)}'. For others set "
                f"SPARKHU_HOME apart, or give them up: remove '{state_path(OWNER)}'."
            )
        elif SNAPSHOTS in version.tables:
            online = store_features(place.uri, repo=repo)
            notes.rows_in = version.table(SNAPSHOTS).rows
        else:
            notes.say("no snapshot has been taken yet, so nothing is brought online")
        notes.rows_out = sum(online.values())
        notes.counts = dict(online)
        content = {"schema_version": SCHEMA_VERSION, "lake": redacted(lake) or "lake", "version": version.number}
        (draft / DOCUMENT).write_text(json.dumps(content | {"online": online}, indent=1))
    return metadata(out)


def _own_lake(results: Path | str, folder: Path) -> Lake:
    """Put the snapshots of a run that has no lake into one of its own."""
    lake = create_lake(str(folder))
    changes = {name: Append(rows) for name, rows in snapshot_tables(results).items()}
    lake.commit(changes, run="store_features", based_on=lake.version())
    return lake
