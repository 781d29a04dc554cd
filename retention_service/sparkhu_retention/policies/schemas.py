"""The JSON Schema of policies, for editors and other programs."""

from typing import Any, Final

from sparkhu_retention.policies.policy import Policy

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, dict[str, Any]]:
    """Give the JSON Schema of a policy, by the name of the file that publishes it."""
    return {"policy.schema.json": {"$schema": DIALECT, **Policy.model_json_schema(mode="validation")}}
