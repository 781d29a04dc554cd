"""Policies: what is read back, what is refused, and with which words."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sparkhu.errors import InputError
from sparkhu_retention.policies.documents import read_policies, written
from sparkhu_retention.policies.period import CalendarPeriod
from sparkhu_retention.policies.policy import Policy, document_of, policy_of
from sparkhu_retention.policies.schemas import json_schemas

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
FULL: dict[str, Any] = {
    "schema_version": 1,
    "name": "rows",
    "match": {"storage": "s3://plant/lake", "dataset": "clean", "tags": {"team": "energy"}},
    "archive_after": "1 year",
    "delete_after": "10 years",
    "keep_newest": 2,
    "downsample": {"to": "1h", "by": "mean"},
    "floor": "2020-01-01",
    "hold": "case 12",
    "zone": "Europe/Berlin",
    "grace": "3 days",
}


def read(**changes: Any) -> Policy:
    return policy_of({"name": "rows", "archive_after": "1 year", **changes}, now=NOW)


def test_a_policy_is_read_back_as_it_was_written() -> None:
    policy = policy_of(FULL, now=NOW)
    assert policy.archive_after == CalendarPeriod(1, "year")
    assert policy_of(document_of(policy), now=NOW) == policy
    assert {**document_of(policy), "downsample": FULL["downsample"]} == FULL
    assert document_of(policy)["archive_after"] == "1 year"


def test_the_published_schema_takes_what_is_read_and_what_is_written() -> None:
    schema = json_schemas()["policy.schema.json"]
    jsonschema.validate(FULL, schema)
    jsonschema.validate(document_of(policy_of(FULL, now=NOW)), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**FULL, "archive": "1 year"}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**FULL, "archive_after": "1 fortnight"}, schema)


def test_no_policy_takes_every_other_field_back() -> None:
    policy = policy_of({**FULL, "no_policy": True}, now=NOW)
    assert document_of(policy) == {
        "schema_version": 1,
        "name": "rows",
        "match": FULL["match"],
        "no_policy": True,
    }


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"archive_after": "0 days"}, "'archive_after' cannot be '0 days'.*longer than nothing"),
        ({"archive_after": "-3 months"}, "'archive_after' cannot be '-3 months'"),
        ({"delete_after": "3 moons"}, "'delete_after' cannot be '3 moons'.*unit 'moons' is unknown; there is days"),
        ({"grace": "0 days"}, "'grace' cannot be '0 days'"),
        ({"archive_after": 30}, "'archive_after' cannot be 30.*number and a unit"),
        ({"floor": "2024-06-02"}, "'floor' must not lie in the future, got 2024-06-02; today is 2024-06-01 in UTC"),
        ({"floor": "2024-02-30"}, "'floor' cannot be '2024-02-30': it must be a day of the calendar"),
        ({"floor": 2020}, "'floor' cannot be 2020.*a day of the calendar, such as"),
        ({"keep_newest": 0}, "'keep_newest' cannot be 0"),
        ({"keep_newest": True}, "'keep_newest' cannot be True"),
        ({"zone": "Mars/Olympus"}, "'zone' cannot be 'Mars/Olympus'"),
        ({"hold": " "}, "'hold' cannot be ' '"),
        ({"name": "a b"}, "'name' cannot be 'a b': it must be 1 to 100 letters, digits"),
        ({"name": None}, "'name' cannot be None"),
        ({"archive_aftr": "1 year"}, "'archive_aftr' is unknown; did you mean archive_after"),
        ({"match": {"data": "x"}}, "'match.data' is unknown"),
        ({"match": {"tags": {"a": 1}}}, "'match.tags.a' cannot be 1"),
        ({"match": {"dataset": ""}}, "'match.dataset' cannot be ''"),
        ({"downsample": {"to": "1 hour"}}, "'downsample.to' cannot be '1 hour'"),
        ({"downsample": {"to": "1h", "by": "best"}}, "'downsample.by' cannot be 'best'"),
        ({"downsample": {"too": "1h"}}, "'downsample.to' is missing|'downsample.too' is unknown"),
        ({"schema_version": 2}, "'schema_version' cannot be 2"),
        ({"no_policy": "yes"}, "'no_policy' cannot be 'yes'"),
        ({"without_archive": True}, "'archive_after' archives"),
        ({"archive_after": None, "delete_after": "1 year"}, "'delete_after' counts for the archive"),
        ({"delete_after": "12 months"}, r"'delete_after' must be longer than archive_after \(1 year\)"),
        ({"archive_after": None}, "says nothing.*no_policy: true"),
        ({"archive_after": None, "without_archive": True}, "'without_archive' says how"),
        ({"archive_after": {"a": ["x" * 9_999]}}, "'archive_after' cannot be a mapping"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_name_of_the_field(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        read(**changes)


def test_the_floor_may_be_today_by_the_zone_of_the_policy() -> None:
    late = datetime(2024, 6, 1, 23, tzinfo=UTC)
    assert policy_of({"name": "a", "floor": "2024-06-02", "zone": "Asia/Tokyo"}, now=late).floor is not None
    with pytest.raises(InputError, match="today is 2024-06-01 in America/Lima"):
        policy_of({"name": "a", "floor": "2024-06-02", "zone": "America/Lima"}, now=late)


def test_files_hold_several_policies_and_folders_several_files(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(written([read(), read(name="b", match={"dataset": "logs/**"})]))
    (tmp_path / "notes.txt").write_text("no policy")
    (tmp_path / "b.yml").write_text("---\nname: c\nmatch: {dataset: x}\nfloor: 2020-01-01\n---\n")
    found = read_policies([tmp_path], now=NOW)
    assert [policy.name for policy in found] == ["rows", "b", "c"]
    assert found[0] == read()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\narchive_after: 0 days\n", "'FILE': field 'archive_after' cannot be '0 days'"),
        ("name: a\nfloor: 2020-01-01\n---\nname: b\nfloors: 1\n", "'FILE', document 2 .'b'.: field 'floors' is unkn"),
        ("name: a\nfloor: 2020-01-01\nfloor: 2021-01-01\n", "field 'floor' is given twice"),
        (
            "name: a\nfloor: 2020-02-30\n",
            "'FILE': field 'floor' cannot be '2020-02-30': it must be a day of the calendar",
        ),
        ("", "'FILE' is empty"),
        ("# nothing yet\n---\n", "'FILE' is empty"),
        ("- a\n", "'FILE' must map fields to values.*got a list"),
        ("{a\n", "is no YAML"),
        ("name: !!python/object/apply:os.system [ls]\n", "is no YAML"),
        ("name: a\nfloor: 2020-01-01\n---\nname: a\nfloor: 2020-01-01\n", "'name' must be given once, got 'a'"),
    ],
)
def test_a_mistake_names_the_file_and_the_document(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=says.replace("FILE", str(file))):
        read_policies([file], now=NOW)


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text("name: a b\nzone: Mars/Base\narchive_aftr: 1 year\n---\nname: b\n---\nname: c\nkeep_newest: 0\n")
    with pytest.raises(InputError) as refused:
        read_policies([file], now=NOW)
    first, second, third = str(refused.value).splitlines()
    assert "document 1 ('a b'): field 'name' cannot be" in first
    assert "field 'zone' cannot be 'Mars/Base'" in first
    assert "field 'archive_aftr' is unknown; did you mean archive_after?" in first
    assert "document 2 ('b'): policy 'b' says nothing" in second
    assert "document 3 ('c'): field 'keep_newest' cannot be 0" in third
    contradiction = {"without_archive": True, "delete_after": "1 month"}
    with pytest.raises(InputError, match=r"'archive_after' archives.*Besides, field 'delete_after' must be longer"):
        read(**contradiction)
    with pytest.raises(InputError, match="'colour' is unknown; there is schema_version, name, match"):
        read(colour="red")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_policies([tmp_path / "none.yaml"])
    with pytest.raises(InputError, match="holds no policies"):
        read_policies([tmp_path])
