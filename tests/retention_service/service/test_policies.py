"""Policies, holds and the audit log over HTTP, on a real database."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.database import policy_versions
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.policies.comparing import Steps
from sparkhu_retention.policies.policy import Policy
from sparkhu_retention.policies.ranking import check_apart
from sparkhu_retention.service.embedded import Embedded

Client = Callable[..., TestClient]
POLICY = {"match": {"dataset": "logs/**"}, "archive_after": "1 year"}


def test_a_policy_is_read_back_as_it_was_written_and_each_change_is_a_version(client: Client) -> None:
    operator = client()
    first = operator.put("/v1/policies/logs", json=POLICY).json()
    again = operator.put("/v1/policies/logs", json=POLICY).json()
    changed = operator.put("/v1/policies/logs", json=POLICY | {"archive_after": "18 months"}).json()
    assert (first["version"], again["version"], changed["version"]) == (1, 1, 2)
    assert first["policy"] == {"schema_version": 1, "name": "logs", **POLICY}
    assert [each["policy"]["archive_after"] for each in operator.get("/v1/policies/logs").json()] == [
        "18 months",
        "1 year",
    ]
    assert [each["version"] for each in operator.get("/v1/policies").json()] == [2]


def test_a_removed_policy_is_out_of_force_and_stays_in_the_history(client: Client) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    removed = operator.delete("/v1/policies/logs").json()
    assert (removed["removed"], removed["warnings"]) == (True, [])
    assert operator.get("/v1/policies").json() == []
    assert [each["removed"] for each in operator.get("/v1/policies/logs").json()] == [True, False]
    assert operator.delete("/v1/policies/logs").status_code == 404
    lines = operator.get("/v1/history", params={"policy": "logs"}).json()["items"]
    assert [(line["what"], line["policy_version"], line["by"]) for line in lines] == [
        ("policy removed", 2, "key:a-operator"),
        ("policy saved", 1, "key:a-operator"),
    ]


def test_no_policy_takes_every_rule_back(client: Client) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY | {"floor": "2023-01-01"})
    made = operator.put("/v1/policies/logs", json=POLICY | {"floor": "2023-01-01", "no_policy": True}).json()
    assert set(made["policy"]) == {"schema_version", "name", "match", "no_policy"}


TOMORROW = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"floor": TOMORROW}, "floor"),
        ({"archive_after": "0 days"}, "archive_after"),
        ({"archive_after": "-1 year"}, "archive_after"),
        ({"archive_after": "3 fortnights"}, "archive_after"),
        ({"keep_newest": 0}, "keep_newest"),
        ({"archived_after": "1 year"}, "archived_after"),
        ({"zone": "Mars/Base"}, "zone"),
        ({"match": {"dataset": "logs/**", "path": "/"}}, "match.path"),
    ],
)
def test_what_a_policy_cannot_be_is_refused_with_the_name_of_the_field(
    client: Client, fields: dict[str, object], field: str
) -> None:
    answer = client().put("/v1/policies/logs", json=POLICY | fields)
    assert answer.status_code == 422
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert [each["field"] for each in problem["errors"]] == [field], problem
    assert (problem["status"], problem["request"]) == (422, answer.headers["x-request-id"])


def test_two_policies_about_the_very_same_are_refused_and_both_named(client: Client) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    refused = operator.put("/v1/policies/other", json=POLICY)
    assert refused.status_code == 422
    assert "'logs'" in refused.json()["detail"]
    assert "'other'" in refused.json()["detail"]
    assert operator.put("/v1/policies/logs", json=POLICY | {"name": "other"}).status_code == 422


def crossing(operator: TestClient) -> None:
    """Put two policies into force that two others tell apart."""
    for name, dataset in (("c", "a*a"), ("c2", "a"), ("a", "a*"), ("b", "*a")):
        answer = operator.put(f"/v1/policies/{name}", json={"match": {"dataset": dataset}, "archive_after": "1 year"})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "fields",
    [{"match": {"dataset": "a*aa*a"}, "archive_after": "1 year"}, {"match": {"dataset": "a*a"}, "hold": "case"}],
)
def test_a_change_by_which_two_others_come_to_cross_is_refused_and_both_named(
    client: Client, fields: dict[str, object]
) -> None:
    operator = client()
    crossing(operator)
    refused = operator.put("/v1/policies/c", json=fields)
    assert refused.status_code == 422
    assert "field 'match'" in refused.json()["detail"]
    assert "'a' and 'b' are equally specific for the dataset 'aa'" in refused.json()["detail"]
    assert operator.put("/v1/policies/c", json={"match": {"dataset": "a*a"}, "keep_newest": 2}).status_code == 200


def test_a_removal_by_which_two_others_come_to_cross_warns_and_both_are_named(client: Client) -> None:
    operator = client()
    crossing(operator)
    [warning] = operator.delete("/v1/policies/c").json()["warnings"]
    assert "'a' and 'b' are equally specific for the dataset 'aa'" in warning
    assert {each["name"] for each in operator.get("/v1/policies").json()} == {"a", "b", "c2"}
    assert operator.delete("/v1/policies/b").json()["warnings"] == []


def test_policies_are_compared_while_others_write_and_again_where_they_were_changed(
    operations: Embedded, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[list[str]] = []

    def check(new: list[Policy], others: list[Policy], steps: Steps) -> None:
        compared.append([each.name for each in others])
        if len(compared) == 1:
            with database.writing() as connection:
                policy_versions.save(
                    connection, "quick", {"name": "quick", **POLICY}, at=datetime.now(UTC), by="somebody"
                )
        check_apart(new, others, steps)

    monkeypatch.setattr("sparkhu_retention.service.enforcing.check_apart", check)
    with pytest.raises(InputError, match="'quick' and 'slow' are equally specific"):
        operations.set_policy({"name": "slow", **POLICY}, by="me")
    assert compared == [[], ["quick"]]
    assert [each.name for each in operations.policies()] == ["quick"]


def test_a_hold_stands_until_it_is_released(client: Client, place: Place) -> None:
    operator = client()
    wanted = {"storage": "plant", "dataset": "logs", "start": "2023-01-03T01:00:00+01:00", "reason": "an audit"}
    placed = operator.post("/v1/holds", json=wanted)
    assert placed.status_code == 201
    assert {name: placed.json()[name] for name in ("storage", "start", "by")} == {
        "storage": "plant",
        "start": "2023-01-03T00:00:00Z",
        "by": "key:a-operator",
    }
    identity = placed.json()["id"]
    assert [each["id"] for each in operator.get("/v1/holds").json()] == [identity]
    assert operator.delete(f"/v1/holds/{identity}").json()["released_by"] == "key:a-operator"
    assert operator.get("/v1/holds").json() == []
    assert len(operator.get("/v1/holds", params={"released": True}).json()) == 1
    assert operator.delete("/v1/holds/nothing").status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [
        {"storage": "nowhere", "reason": "x"},
        {"storage": "plant"},
        {"storage": "plant", "reason": ""},
        {"storage": "plant", "reason": "x\n[forged] line"},
        {"storage": "plant", "reason": "x", "start": "2023-01-02T00:00:00Z", "end": "2023-01-02T00:00:00Z"},
        {"storage": "plant", "reason": "x", "start": "2023-01-02T00:00:00"},
        {"reason": "x", "items": ["a"]},
    ],
)
def test_a_hold_that_cannot_be_is_refused(client: Client, wrong: dict[str, object]) -> None:
    operator = client()
    assert operator.post("/v1/holds", json=wrong).status_code in (404, 422)
    assert operator.get("/v1/holds").json() == []


def test_the_log_is_read_page_by_page_without_gap_or_repeat(client: Client) -> None:
    operator = client()
    for number in range(5):
        operator.put(f"/v1/policies/p{number}", json={"match": {"dataset": f"d{number}"}, "archive_after": "1 year"})
    seen, after = [], None
    while True:
        page = operator.get("/v1/history", params={"limit": 3, **({"after": after} if after else {})}).json()
        seen += [line["seq"] for line in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 7  # two keys and five policies
    assert operator.get("/v1/history", params={"after": "elsewhere"}).status_code == 422
    assert operator.get("/v1/history", params={"storage": "nowhere"}).status_code == 404


def test_the_log_of_an_item_or_a_policy_has_no_line_that_only_repeats_its_name(client: Client) -> None:
    operator = client()
    operator.put("/v1/policies/logs", json=POLICY)
    operator.put("/v1/policies/other", json={"match": {"dataset": "logs"}, "archive_after": "1 year"})
    for number in range(5):
        hold = {"storage": "plant", "items": [f"a{number}"], "reason": "logs"}
        assert operator.post("/v1/holds", json=hold).status_code == 201
    operator.post("/v1/holds", json={"storage": "plant", "items": ["logs", "a1"], "reason": "audit"})

    def found(**about: str) -> list[str]:
        page = operator.get("/v1/history", params={"limit": 1, **about}).json()
        lines = [page["items"][0]["what"]]
        while page["next"]:
            page = operator.get("/v1/history", params={"limit": 1, "after": page["next"], **about}).json()
            lines += [line["what"] for line in page["items"]]
        return lines

    assert found(policy="logs") == ["policy saved"]
    assert found(item="logs") == ["hold placed"]
    assert found(item="a1") == ["hold placed", "hold placed"]


def test_a_line_that_was_changed_behind_the_back_of_the_service_is_found(operations: Embedded) -> None:
    for days in (1, 2, 3):
        operations.set_policy({"name": "logs", "archive_after": f"{days} days"}, by="ann")
    assert operations.check_history() == 3
    with operations.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER retention_audit_no_update")
        connection.exec_driver_sql("UPDATE retention_audit SET who = 'nobody' WHERE number = 2")
    with pytest.raises(SparkhuError, match="line 2 of the audit log"):
        operations.check_history()


def test_a_body_that_is_no_json_is_told_as_the_body_and_where(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    answer = client().put("/v1/policies/logs", content=b"{'match': 1}", headers=headers)
    said = "is no JSON: expecting property name enclosed in double quotes at character 2"
    assert (answer.status_code, answer.json()["errors"]) == (422, [{"field": "body", "detail": said}])
    assert answer.json()["detail"] == f"body: {said}"
