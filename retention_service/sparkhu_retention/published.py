"""What other programs read of retention, as documents that describe it."""

from typing import Any

from sparkhu_retention.applying.schemas import json_schemas as archive_schemas
from sparkhu_retention.places import Places
from sparkhu_retention.policies.schemas import DIALECT
from sparkhu_retention.policies.schemas import json_schemas as policy_schemas


def json_schemas() -> dict[str, dict[str, Any]]:
    """Give the schemas of policies, storages and archives, and the OpenAPI document, by the names of their files."""
    from sparkhu_retention.service.app import openapi_document

    storages = {"$schema": DIALECT, **Places.model_json_schema(mode="validation")}
    described = {"storages.schema.json": storages, "retention.openapi.json": openapi_document()}
    return policy_schemas() | archive_schemas() | described
