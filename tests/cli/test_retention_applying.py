"""`sparkhu retention apply` over time, and over several storages of which some fail."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu
from sparkhu_retention.database.opening import open_database
from sparkhu_retention.places import read_places
from sparkhu_retention.service.embedded import Embedded

POLICY = "name: logs\nmatch: {dataset: logs/**}\narchive_after: 1 month\ngrace: 14 days\n"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, ["retention", *arguments])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two storages of four old files each."""
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    storages = ["storages:"]
    for name in ("north", "south"):
        for day in range(1, 5):
            file = tmp_path / name / f"logs/day=2023-01-{day:02d}/part.txt"
            file.parent.mkdir(parents=True)
            file.write_text(f"day {day}\n" * 100)
        (tmp_path / f"cold-{name}").mkdir()
        storages += [f"- name: {name}", f"  uri: {tmp_path}/{name}", "  kind: folder"]
        storages += [f"  archive: {tmp_path}/cold-{name}", "  options: {dates: 'day={date}'}"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home/retention.yaml").write_text("\n".join(storages))
    (tmp_path / "policies.yaml").write_text(POLICY)
    assert invoke("policies", "set", str(tmp_path / "policies.yaml")).exit_code == 0
    return tmp_path


def buried_at(folder: Path, at: datetime) -> None:
    """Apply a plan of the storage north as it was at a time."""
    database = open_database("sqlite:///" + str(folder / "home" / "retention.sqlite"))
    places = read_places(folder / "home/retention.yaml")
    then = Embedded(database, places, now=lambda: at)
    then.apply(then.make_plan("north", by="test").id, by="test", watch=lambda _: None)
    then.close()


def tombstones(folder: Path) -> list[Path]:
    return [file for file in (folder / "north").rglob("*") if file.is_file()]


def test_what_is_past_its_grace_is_counted_and_not_purged_unasked(folder: Path) -> None:
    buried_at(folder, datetime.now(UTC) - timedelta(days=20))
    assert len(tombstones(folder)) == 4

    planned = invoke("plan", "--storage", "north")
    refused = invoke("apply", "--storage", "north")

    assert " ".join(planned.stdout.splitlines()[-2].split()) == "purge its grace is over 4 – 2 kB"
    assert planned.stdout.splitlines()[-1].startswith("Nothing was done. Next: sparkhu retention apply")
    assert (refused.exit_code, len(tombstones(folder))) == (2, 4)
    assert "purge 4 items of 2 kB whose grace is over; say --yes" in refused.stderr
    purged = invoke("apply", "--storage", "north", "--yes", "--json")
    assert (json.loads(purged.stdout)[0]["done"]["purged"]["items"], tombstones(folder)) == (4, [])
    assert json.loads(invoke("plan", "--storage", "north", "--json").stdout)[0]["past_grace"]["items"] == 0


def test_the_plan_says_what_is_put_back_and_why(folder: Path) -> None:
    buried_at(folder, datetime.now(UTC) - timedelta(days=1))
    (folder / "other.yaml").write_text(POLICY.replace("name: logs", "name: renamed"))
    invoke("policies", "remove", "logs")
    removed = invoke("plan", "--storage", "north").stdout.splitlines()
    assert "restore policy 'logs' is no longer in force for it 4 – 2 kB" in [" ".join(line.split()) for line in removed]
    assert removed[-1].startswith("Nothing was done. Next: sparkhu retention apply")

    invoke("policies", "set", str(folder / "other.yaml"))
    assert "restore" not in invoke("plan", "--storage", "north").stdout
    done = json.loads(invoke("apply", "--storage", "north", "--yes", "--json").stdout)[0]["done"]
    assert (done, len(tombstones(folder))) == ({}, 4)


def test_the_plan_says_why_the_rest_stays_and_what_no_period_reaches(folder: Path) -> None:
    for name in ("notes.txt", "logs/readme.txt", "logs/day=2999-01-01/part.txt"):
        (folder / "north" / name).parent.mkdir(exist_ok=True)
        (folder / "north" / name).write_text("x")
    told = [" ".join(line.split()) for line in invoke("plan", "--storage", "north").stdout.splitlines()]
    assert "not due yet: archived 1 month after its end logs 2999-02-02 00:00:00 1 – 1 B" in told
    assert "no policy is about it – – 1 – 1 B" in told
    assert told[-3:-1] == [
        "! 1 item has no date that `dates` finds, so that no period ends",
        "! no policy is about 1 item",
    ]


def test_the_plan_says_that_the_archive_is_missing_or_cannot_be_used(folder: Path) -> None:
    (folder / "cold-north").rmdir()
    assert "! " not in invoke("plan", "--storage", "north").stdout, "the first run makes it"
    (folder / "cold-north").write_text("in the way")
    storages = folder / "home/retention.yaml"
    field = f"! field 'archive' of the storage 'north' in '{storages}'"
    told = invoke("plan", "--storage", "north").stdout
    assert f"{field}, '{folder}/cold-north', cannot be used, and 4 items should go there: " in told
    storages.write_text(storages.read_text().replace(f"  archive: {folder}/cold-north\n", ""))
    told = invoke("plan", "--storage", "north").stdout
    assert f"{field} is not set, and 4 items should be archived. Give a folder or s3://bucket/prefix there" in told


def test_what_is_in_its_grace_is_not_counted_as_purged(folder: Path) -> None:
    buried_at(folder, datetime.now(UTC) - timedelta(days=13))
    assert invoke("plan", "--storage", "north").stdout.splitlines()[-1] == "Nothing is due."


def test_a_storage_that_cannot_be_reached_keeps_no_other_from_its_turn(folder: Path) -> None:
    (folder / "north").rename(folder / "elsewhere")
    planned = invoke("plan", "--json")
    assert planned.exit_code in (1, 2)
    assert "north" in planned.stderr
    assert [each["storage"] for each in json.loads(planned.stdout)] == ["south"]
    applied = invoke("apply", "--yes", "--json")
    assert applied.exit_code in (1, 2)
    assert "north" in applied.stderr
    assert [each["storage"] for each in json.loads(applied.stdout)] == ["south"]
    assert list((folder / "south/logs").rglob("*.txt")) == []


def test_a_storage_whose_run_fails_keeps_no_other_from_its_turn(folder: Path) -> None:
    (folder / "cold-north").rmdir()
    (folder / "cold-north").write_text("in the way")
    applied = invoke("apply", "--yes")
    assert applied.exit_code in (1, 2)
    assert "north" in applied.stderr
    assert len(tombstones(folder)) == 4
    done = next(line for line in applied.stdout.splitlines() if line.startswith("✓ south: "))
    assert "4 archived (2 kB)" in done
    assert list((folder / "south/logs").rglob("*.txt")) == []


def test_a_plan_of_another_storage_than_the_one_that_is_named_is_not_applied(folder: Path) -> None:
    plan = json.loads(invoke("plan", "--storage", "north", "--json").stdout)[0]["id"]
    refused = invoke("apply", "--plan", plan, "--storage", "south", "--yes")
    assert refused.exit_code == 2
    assert "is of the storage 'north'" in refused.stderr
    assert invoke("apply", "--plan", plan, "--storage", "north", "--yes").exit_code == 0
