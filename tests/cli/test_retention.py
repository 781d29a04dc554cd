"""`sparkhu retention` on a real folder, database and archive, without a server."""

import json
import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu

POLICIES = """name: logs
match: {dataset: logs/**}
archive_after: 1 month
---
name: keep
match: {dataset: notes}
no_policy: true
"""
PART = "logs/day=2023-01-02/part.txt"
Retention = Callable[..., Result]


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, ["retention", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    for day in range(1, 5):
        file = tmp_path / f"live/logs/day=2023-01-{day:02d}/part.txt"
        file.parent.mkdir(parents=True)
        file.write_text(f"day {day}\n" * 100)
    (tmp_path / "home").mkdir()
    (tmp_path / "archive").mkdir()
    (tmp_path / "policies.yaml").write_text(POLICIES)
    (tmp_path / "home/retention.yaml").write_text(
        f"storages:\n- name: plant\n  uri: {tmp_path}/live\n  kind: folder\n  archive: {tmp_path}/archive\n"
        "  options: {dates: 'day={date}'}\n"
    )
    return tmp_path


def test_from_policies_over_a_plan_to_the_archive_and_back(folder: Path) -> None:
    part, text = folder / "live" / PART, "day 2\n" * 100
    done = invoke("policies", "set", str(folder / "policies.yaml"))
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        ["✓ logs  version 1", "✓ keep  version 1", "Next: sparkhu retention plan"],
    )
    assert "logs  version 1, as before" in invoke("policies", "set", str(folder / "policies.yaml")).stdout

    held = invoke(
        "hold", "add", "--storage", "plant", "--start", "2023-01-03", "--end", "2023-01-04", "--reason", "audit"
    )
    assert held.exit_code == 0, held.output
    plan = invoke("plan", "--items", "9")
    assert plan.exit_code == 0, plan.output
    rows = [line.split() for line in plan.stdout.splitlines()]
    assert ["archive", "logs", "3", "–", "2", "kB"] in rows
    assert ["held", "logs", "1", "–", "600", "B"] in rows
    assert any(PART in row for row in rows)
    assert any("audit" in " ".join(row) for row in rows)
    assert "Nothing was done. Next: sparkhu retention apply --plan" in plan.stdout

    asked = invoke("apply")
    assert (asked.exit_code, part.exists()) == (2, True)
    assert "--yes" in asked.stderr
    assert part.exists()
    applied = invoke("apply", "--yes", "--json")
    assert applied.exit_code == 0, applied.output
    assert json.loads(applied.stdout)[0]["done"]["buried"]["items"] == 3
    assert not part.exists()
    assert invoke("plan").stdout.splitlines()[-1] == "Nothing goes: what is due is held back."
    assert invoke("apply", "--yes").stdout.splitlines()[-1].endswith("; 1 held back, as planned")

    history = invoke("history", "--item", PART)
    assert [line.split()[4] for line in history.stdout.splitlines()[1:-1]] == ["buried", "verified", "archived"]
    checked = invoke("history", "--check")
    assert (checked.exit_code, "lines are what was written" in checked.stderr) == (0, True)
    restored = invoke("restore", "--storage", "plant", PART)
    assert restored.exit_code == 0, restored.output
    assert part.read_text() == text


def test_a_mistake_in_one_policy_changes_none(folder: Path) -> None:
    (folder / "policies.yaml").write_text(POLICIES + "---\nname: bad\narchive_after: 0 days\n")
    refused = invoke("policies", "set", str(folder / "policies.yaml"))
    assert refused.exit_code == 2
    assert "archive_after" in refused.stderr
    assert "no policy is in force" in invoke("policies", "list").stdout


def test_a_hold_that_ends_before_it_begins_is_refused_in_words(folder: Path) -> None:
    refused = invoke("hold", "add", "--reason", "x", "--start", "2024-02-01", "--end", "2024-01-01")
    assert refused.exit_code == 2
    assert refused.stderr.strip() == (
        "Error: end must lie after start, got 2024-02-01T00:00:00+00:00 to 2024-01-01T00:00:00+00:00"
    )


def test_a_hold_of_items_by_a_pattern_is_refused_with_the_way_out(folder: Path) -> None:
    refused = invoke("hold", "add", "--storage", "plant", "--reason", "x", "--item", PART, "--item", "logs/*")
    assert refused.exit_code == 2
    assert "option 'items.1' cannot be 'logs/*': it must be the id of one item, not a pattern" in refused.stderr
    assert invoke("hold", "list").stdout == "nothing is held\n"


def test_a_hold_says_what_it_is_on_and_how_much_falls_under_it(folder: Path) -> None:
    def added(*arguments: str) -> list[str]:
        done = invoke("hold", "add", "--reason", "audit", *arguments)
        assert done.exit_code == 0, done.output
        first, *others, _ = done.stdout.splitlines()
        return [first.partition(" on ")[2], *others]

    plant = ("--storage", "plant")
    assert added() == ["every dataset of every storage"]
    assert added(*plant, "--item", PART) == [f"item {PART} of plant", "1 item falls under it now"]
    assert added(*plant, "--item", "typo") == [
        "item typo of plant",
        "nothing falls under it now; what comes later will",
    ]
    assert added(*plant, "--item", PART, "--item", "typo") == [
        "2 items of plant",
        "1 item falls under it now; 1 of those named will when there",
    ]
    assert added(*plant, "--dataset", "logs", "--start", "2023-01-03") == [
        "dataset 'logs' of plant, from 2023-01-03 00:00:00 UTC",
        "2 items fall under it now",
    ]
    rows = [line.split() for line in invoke("hold", "list").stdout.splitlines()]
    assert rows[0][1:4] == ["storage", "datasets", "items"]
    assert [row[1:4] for row in rows[1:3]] == [["all", "all", "all"], ["plant", "–", PART]]
    assert rows[4][1:5] == ["plant", "–", "2", "items"]


def applied(folder: Path) -> str:
    """Let everything go; give the run."""
    assert invoke("policies", "set", str(folder / "policies.yaml")).exit_code == 0
    done = invoke("apply", "--yes", "--json")
    assert done.exit_code == 0, done.output
    return str(next(line["run"] for line in json.loads(invoke("history", "--json").stdout) if line["what"] == "buried"))


def test_what_a_run_removed_comes_back_by_its_name_by_patterns_and_by_what_it_covers(folder: Path) -> None:
    run = applied(folder)
    plant = ("restore", "--storage", "plant")

    def there() -> list[str]:
        return sorted(path.parent.name[-2:] for path in (folder / "live/logs").rglob("part.txt"))

    assert invoke(*plant, "--start", "2023-01-03", "--end", "2023-01-04").exit_code == 0
    assert there() == ["03"]
    assert "1 restored" in invoke(*plant, "logs/*-02/**").stdout
    assert there() == ["02", "03"]
    assert "2 restored" in invoke(*plant, "--run", run).stdout
    assert there() == ["01", "02", "03", "04"]
    assert "nothing to do" in invoke(*plant, "--run", run).stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "items, run, start or end must say what comes back"),
        ((PART, "logs/typo"), "ITEMS must name what was removed from the storage; 'logs/typo' was not"),
        (("--run", "typo"), "--run must be a run that took items out of the storage, got 'typo'"),
        (("--run", "a b"), "--run cannot be 'a b': it must be 1 to 100 letters"),
        (("**", "--start", "2024-01-01"), "nothing that was removed is meant"),
        (("**", "--start", "soon"), "--start must be a time such as"),
    ],
)
def test_what_cannot_be_restored_is_refused_before_a_run_begins(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    applied(folder)
    lines = invoke("history", "--json").stdout
    refused = invoke("restore", "--storage", "plant", *arguments)
    assert (refused.exit_code, says in refused.stderr) == (2, True), refused.stderr
    assert invoke("history", "--json").stdout == lines
    assert invoke("hold", "list").stdout == "nothing is held\n"


def test_the_history_tells_of_a_batch_how_much_under_which_policy_and_what_puts_it_back(folder: Path) -> None:
    run = applied(folder)
    first, *lines, last = invoke("history").stdout.splitlines()
    assert first.split()[:2] == ["line", "at"]
    assert last.endswith(f"sparkhu retention restore --storage plant --run {run}")
    told = {line.split()[4]: line.split() for line in lines if not line.startswith(("1 plan", "older"))}
    assert told["buried"][0] == "8"
    assert told["buried"][5:] == ["plant", "4", "logs", "version", "1", run, "–"]
    assert told["planned"][5:8] == ["plant", "4", "–"]
    assert not any("None" in line or "null" in line for line in lines)
    assert sum("planned" in line for line in lines) == 1
    assert "1 plan of nothing left out; --json shows all" in lines


def test_a_failure_is_told_once(folder: Path) -> None:
    applied(folder)
    (folder / "live" / PART).write_text("written anew")
    failed = invoke("restore", "--storage", "plant", "--end", "2023-01-04")
    assert failed.exit_code == 1
    assert failed.output.count("is there again") == 1
    assert "plant: 1 item could not be dealt with. The others are back." in failed.stderr


def test_an_empty_file_of_policies_is_no_success(folder: Path) -> None:
    (folder / "policies.yaml").write_text("")
    refused = invoke("policies", "set", str(folder / "policies.yaml"))
    assert (refused.exit_code, "is empty. Write a policy into it" in refused.stderr) == (2, True)


def test_a_policy_that_contradicts_one_in_force_keeps_the_others_out_too(folder: Path) -> None:
    invoke("policies", "set", str(folder / "policies.yaml"))
    sound = "name: first\nmatch: {dataset: a}\nkeep_newest: 2\n"
    (folder / "more.yaml").write_text(sound + "---\nname: second\nmatch: {dataset: logs/**}\nkeep_newest: 1\n")
    refused = invoke("policies", "set", str(folder / "more.yaml"))
    assert refused.exit_code == 2
    assert "'logs'" in refused.stderr
    listed = json.loads(invoke("policies", "list", "--json").stdout)
    assert [each["name"] for each in listed] == ["keep", "logs"]


def test_a_policy_of_a_storage_that_there_is_none_of_is_told(folder: Path) -> None:
    (folder / "policies.yaml").write_text("name: logs\nmatch: {storage: plnt}\nkeep_newest: 2\n")
    lines = invoke("policies", "set", str(folder / "policies.yaml")).stdout.splitlines()
    assert lines[0] == "✓ logs  version 1"
    assert lines[1].startswith("! field 'match.storage' is 'plnt', which is neither the name nor the URI of a storage")
    assert lines[1].endswith("there is 'plant'")


def test_two_policies_may_change_places_in_one_step(folder: Path) -> None:
    written = "name: a\nmatch: {{dataset: {}}}\nkeep_newest: 2\n---\nname: b\nmatch: {{dataset: {}}}\nkeep_newest: 3\n"
    (folder / "policies.yaml").write_text(written.format("x", "y"))
    invoke("policies", "set", str(folder / "policies.yaml"))
    (folder / "policies.yaml").write_text(written.format("y", "x"))
    swapped = invoke("policies", "set", str(folder / "policies.yaml"))
    assert swapped.stdout.splitlines()[:2] == ["✓ a  version 2", "✓ b  version 2"]


def test_a_file_of_storages_that_is_named_must_be_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = str(folder / "typo.yaml")
    for arguments in (
        ("storages",),
        ("plan",),
        ("serve", "--port", "0"),
        ("history",),
        ("policies", "list"),
        ("policies", "show", "logs"),
        ("policies", "set", str(folder / "policies.yaml")),
        ("policies", "remove", "logs"),
        ("hold", "list"),
    ):
        refused = invoke(*arguments, "--storages", missing)
        assert (refused.exit_code, "typo.yaml" in refused.stderr) == (2, True), arguments
    monkeypatch.setenv("SPARKHU_RETENTION_STORAGES", missing)
    assert "typo.yaml" in invoke("plan").stderr
    monkeypatch.delenv("SPARKHU_RETENTION_STORAGES")
    (folder / "home/retention.yaml").unlink()
    assert invoke("storages", "--json").stdout == "[]\n"


def test_the_history_names_the_user_that_the_system_knows_and_is_read_to_its_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    invoke("policies", "set", str(folder / "policies.yaml"))
    first = invoke("history", "--limit", "1")
    assert f"command:{pwd.getpwuid(os.getuid()).pw_name}" in first.stdout
    assert first.stdout.splitlines()[-1] == "older lines: --before 2"
    rest = json.loads(invoke("history", "--before", "2", "--json").stdout)
    assert [line["seq"] for line in rest] == [1]


def test_a_policy_is_shown_as_yaml_that_is_read_again(folder: Path) -> None:
    invoke("policies", "set", str(folder / "policies.yaml"))
    shown = invoke("policies", "show", "logs")
    (folder / "again.yaml").write_text(shown.stdout)
    assert "logs  version 1, as before" in invoke("policies", "set", str(folder / "again.yaml")).stdout
    assert invoke("policies", "remove", "logs").exit_code == 0
    listed = json.loads(invoke("policies", "list", "--json").stdout)
    assert [each["name"] for each in listed] == ["keep"]
    assert invoke("policies", "show", "nothing").exit_code == 2
    removed = invoke("policies", "show", "logs").stdout
    assert "# version 2" in removed
    assert "taken out of force" in removed
    assert "policies show logs --versions" in removed
    assert "{}" not in removed


def test_the_removal_of_a_policy_warns_of_those_that_it_alone_told_apart(folder: Path) -> None:
    datasets = {"one": "a*", "two": "*a", "third": "a*a", "short": "a"}
    (folder / "four.yaml").write_text(
        "\n---\n".join(
            f"name: {name}\nmatch: {{dataset: '{dataset}'}}\narchive_after: 1 year"
            for name, dataset in datasets.items()
        )
    )
    assert invoke("policies", "set", str(folder / "four.yaml")).exit_code == 0
    removed = invoke("policies", "remove", "third")
    assert removed.exit_code == 0
    shown = " ".join(removed.stdout.split())
    assert "policy 'third' is out of force" in shown
    crossing = "'one' and 'two' are equally specific for the dataset 'aa'"
    assert crossing in shown
    assert crossing in " ".join(invoke("policies", "list").stdout.split())
    assert invoke("policies", "remove", "two").exit_code == 0
    assert "equally specific" not in invoke("policies", "list").stdout


def test_a_run_that_fails_exits_with_1_and_leaves_the_source(folder: Path) -> None:

    from sparkhu_retention.applying.leases import take
    from sparkhu_retention.database.opening import open_database

    invoke("policies", "set", str(folder / "policies.yaml"))
    database = open_database("sqlite:///" + str(folder / "home" / "retention.sqlite"))
    lease = take(database, "another runner")
    refused = invoke("apply", "--yes")
    assert (refused.exit_code, (folder / "live" / PART).exists()) == (1, True)
    assert "another runner" in refused.stderr
    lease.release()
    database.close()


def test_what_is_not_there_is_an_error_of_the_input(folder: Path) -> None:
    for arguments in (
        ("plan", "--storage", "nowhere"),
        ("apply", "--plan", "nothing", "--yes"),
        ("restore", "--storage", "plant", "logs/never"),
        ("hold", "release", "nothing"),
        ("hold", "add", "--reason", "x", "--start", "yesterday"),
        ("key", "revoke", "nobody"),
        ("key", "add", "no such name", "--role", "viewer"),
        ("plan", "--storages", str(folder / "policies.yaml")),
    ):
        refused = invoke(*arguments)
        assert refused.exit_code == 2, (arguments, refused.output)
        assert refused.stderr.count("\n") <= 3


def test_a_key_is_written_alone_to_the_standard_output_and_kept_nowhere(folder: Path) -> None:
    made = invoke("key", "add", "ann", "--role", "operator")
    key = made.stdout.strip()
    assert key.startswith("spk_")
    assert len(key) > 40
    assert "key 'ann' of the role operator" in made.stderr
    assert [each["name"] for each in json.loads(invoke("key", "list", "--json").stdout)] == ["ann"]
    assert invoke("key", "revoke", "ann").exit_code == 0
    kept = b"".join(path.read_bytes() for path in (folder / "home").rglob("*") if path.is_file())
    assert key.removeprefix("spk_").encode() not in kept


def test_an_open_address_without_keys_is_refused_before_anybody_listens(folder: Path) -> None:
    refused = invoke("serve", "--host", "0.0.0.0")
    assert refused.exit_code == 2
    assert "key add" in refused.stderr


def test_a_hold_that_ended_before_is_said_to_have(folder: Path) -> None:
    placed = json.loads(invoke("hold", "list", "--json").stdout)
    assert placed == []
    invoke("hold", "add", "--storage", "plant", "--reason", "audit")
    (hold,) = json.loads(invoke("hold", "list", "--json").stdout)
    assert "is released" in invoke("hold", "release", hold["id"]).stdout
    again = invoke("hold", "release", hold["id"])
    assert (again.exit_code, "was released already: since 20" in again.stdout) == (0, True)


def test_days_of_a_hold_are_those_of_its_zone(folder: Path) -> None:
    span = ("--start", "2023-01-03", "--end", "2023-01-04T12:00Z")
    invoke("hold", "add", "--storage", "plant", *span, "--zone", "Europe/Berlin", "--reason", "audit")
    (hold,) = json.loads(invoke("hold", "list", "--json").stdout)
    assert (hold["start"], hold["end"]) == ("2023-01-02T23:00:00Z", "2023-01-04T12:00:00Z")
    refused = invoke("hold", "add", "--zone", "Mars/Base", "--reason", "audit")
    assert (refused.exit_code, "IANA" in refused.stderr) == (2, True)


def test_the_kind_of_a_storage_is_told_where_its_file_leaves_it_out(folder: Path) -> None:
    (folder / "home/retention.yaml").write_text(f"storages:\n- {{name: plant, uri: {folder}/live}}\n")
    assert json.loads(invoke("storages", "--json").stdout)[0]["kind"] == "folder"
