"""The JSON Schema of an archive's manifests, for other programs."""

from typing import Any

from sparkhu_retention.applying.archive import Manifest
from sparkhu_retention.policies.schemas import DIALECT


def json_schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schema of a manifest, by the name of the file that publishes it."""
    return {"archive_manifest.schema.json": {"$schema": DIALECT, **Manifest.model_json_schema(mode="serialization")}}
