"""`tuning.json`: what the model accepts, its schema accepts, and what one refuses the other refuses."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import ValidationError

from sparkhu.errors import InputError
from sparkhu.results import FILES, json_schemas
from sparkhu.stages.tuned import read_tuned
from sparkhu.tuning.document import Tuning, parse_tuning

SCHEMA = json_schemas()["tuning.schema.json"]
GROUP = {
    "model": "linear",
    "group": "1h/24",
    "fingerprint": "ab" * 32,
    "origin": "search",
    "found_at": "2026-11-22T10:00:00+00:00",
    "algorithm": "tpe",
    "trials": 24,
    "reason": "all trials were made",
    "defaults": {"objective": 0.41, "assignment": {"strength": "0.01"}},
    "best": {"trial": 17, "objective": 0.40, "assignment": {"strength": "0.1"}},
    "chosen": "best",
    "assignment": {"strength": "0.1"},
    "importance": {"strength": 1.0},
}


def document(**changes: Any) -> dict[str, Any]:
    objective = {"metric": "validation_mse", "direction": "minimize"}
    return {"schema_version": 2, "objective": objective, "groups": [{**GROUP, **changes}]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"origin": "store"},
        {"best": None, "chosen": "defaults", "importance": {}},
        {"defaults": {"objective": None, "assignment": {}}},
    ],
)
def test_what_is_written_follows_the_schema_and_is_read_back(changes: dict[str, Any]) -> None:
    tuning = Tuning.model_validate(document(**changes))
    written = tuning.model_dump_json()
    jsonschema.validate(json.loads(written), SCHEMA)
    assert Tuning.model_validate_json(written) == tuning


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"origin": "guess"}, ("groups", 0, "origin")),
        ({"trials": -1}, ("groups", 0, "trials")),
        ({"assignment": {"strength": 0.1}}, ("groups", 0, "assignment", "strength")),
        ({"best": {"trial": 1, "objective": None, "assignment": {}}}, ("groups", 0, "best", "objective")),
        ({"extra": 1}, ("groups", 0, "extra")),
    ],
)
def test_what_does_not_follow_the_schema_is_refused_by_both(changes: dict[str, Any], place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        Tuning.model_validate(document(**changes))
    assert caught.value.errors()[0]["loc"] == place
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document(**changes), SCHEMA)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (
            {"schema_version": 1, "model": "linear", "objective": {}, "groups": []},
            r"tuning.json' has tuning schema 1, this version of Sparkhu reads 2\. Run .*sparkhu step tune.*run\.json",
        ),
        ([], "tuning.json' has tuning schema None, this version"),
        (document(trials=-1), r"does not follow its schema at 'groups\.0\.trials': .*\. Tune again\."),
    ],
)
def test_a_document_of_another_schema_says_what_to_run(tmp_path: Path, told: Any, message: str) -> None:
    (tmp_path / "tuning.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match=message):
        parse_tuning(told, tmp_path / "tuning.json")
    with pytest.raises(InputError, match=message):
        read_tuned(tmp_path, "linear")


def test_the_schema_is_one_and_every_field_is_described() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    models = [SCHEMA, *SCHEMA["$defs"].values()]
    silent = [name for model in models for name, field in model["properties"].items() if "description" not in field]
    assert silent == []


def test_document_and_trials_are_among_the_results() -> None:
    assert {"tuning.json", "trials.parquet"} <= set(FILES)
