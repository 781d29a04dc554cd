"""Requests made from the OpenAPI document, sound and broken ones: no answer is a failure of the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from sparkhu_retention.database.opening import open_database
from sparkhu_retention.places import Place
from sparkhu_retention.service.app import make_app
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.settings import RetentionSettings

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Served:
    """A service over a folder of files, and a key of an operator."""

    def __init__(self, folder: Path) -> None:
        for day in range(1, 4):
            file = folder / f"live/logs/day=2023-01-{day:02d}/part.txt"
            file.parent.mkdir(parents=True)
            file.write_text("value\n")
        (folder / "archive").mkdir()
        options = {"dates": "day={date}"}
        place = Place(
            name="plant", uri=str(folder / "live"), kind="folder", archive=str(folder / "archive"), options=options
        )
        self.database = open_database(f"sqlite:///{folder / 'retention.sqlite'}")
        self.operations = Embedded(self.database, {"plant": place})
        keys = Keys(self.database)
        self.headers = {"Authorization": f"Bearer {keys.add('fuzz', 'operator', by='test')}"}
        self.app = make_app(self.operations, keys, RetentionSettings(rate=1e9, burst=1_000_000))
        self.policy = {"name": "p", "match": {"dataset": "logs/**"}, "archive_after": "1 month"}
        self.operations.set_policy(self.policy, by="test")
        self.plan = self.operations.make_plan("plant", by="test").id


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"))
    yield made
    made.app.state.parts.runs.wait()
    made.database.close()


@pytest.fixture(scope="module")
def api_schema(served: Served) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/openapi.json", served.app)


schema = schemathesis.pytest.from_fixture("api_schema")


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_the_server_fail_and_every_answer_is_as_described(case: Case, served: Served) -> None:
    # Some requests are about what is there, or most would end at the first look-up.
    known = {"plan": served.plan, "name": "p"}
    for name, value in known.items():
        drawn = str(case.path_parameters.get(name, ""))
        if len(drawn) % 2:
            case.path_parameters[name] = value
    answer = case.call(headers=served.headers)
    case.validate_response(answer, checks=CHECKS)


def test_the_document_says_how_to_sign_in(api_schema: schemathesis.BaseSchema) -> None:
    raw = api_schema.raw_schema
    assert raw["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert raw["paths"]["/v1/policies"]["get"]["security"] == [{"key": []}]
    bodies = [
        method["requestBody"]["content"]["application/json"]
        for path in raw["paths"].values()
        for method in path.values()
        if "requestBody" in method
    ]
    assert len(bodies) == 5
