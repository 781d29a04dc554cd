"""The command that `sparkhu retention history` names to put back what was removed."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu
from sparkhu_retention.database.opening import open_database
from sparkhu_retention.places import read_places
from sparkhu_retention.service.embedded import Embedded

ARCHIVED = "name: logs\narchive_after: 1 month\n"
REMOVED = "name: logs\nwithout_archive: true\ndelete_after: 1 month\n"
ODD = "day=2023-01-01/x'; touch OWNED;'.csv"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, ["retention", *arguments])


def write(root: Path, *names: str) -> None:
    for name in names:
        file = root / "live" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("1\n")


def applied_at(root: Path, at: datetime, policy: str = ARCHIVED) -> None:
    """Let what is due go, and purge what is past its grace, as of a time."""
    (root / "policy.yaml").write_text(policy)
    assert invoke("policies", "set", str(root / "policy.yaml")).exit_code == 0
    database = open_database("sqlite:///" + str(root / "home/retention.sqlite"))
    then = Embedded(database, read_places(root / "home/retention.yaml"), now=lambda: at)
    then.apply(then.make_plan("plant", by="test").id, by="test", watch=lambda _: None)
    then.close()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    for folder in ("live", "archive", "home"):
        (tmp_path / folder).mkdir()
    (tmp_path / "home/retention.yaml").write_text(
        f"storages:\n- name: plant\n  uri: {tmp_path}/live\n  kind: folder\n  archive: {tmp_path}/archive\n"
        "  options: {dates: 'day={date}'}\n"
    )
    return tmp_path


def command(*arguments: str) -> list[str]:
    """Give what a shell makes of the command that the history names; nothing where it names none."""
    told = invoke("history", *arguments).stdout.partition("comes back by: sparkhu ")[2]
    return shlex.split(told)


@pytest.mark.parametrize("name", [ODD, "-day=2023-01-01.csv", 'day=2023-01-01/$(touch OWNED) `x` "*.csv'])
def test_a_shell_takes_any_name_of_a_file_as_one_word(root: Path, name: str) -> None:
    write(root, name)
    applied_at(root, datetime.now(UTC))
    words = command()
    assert words[-1] == name
    assert CliRunner().invoke(sparkhu, words).exit_code == 0
    assert (root / "live" / name).read_text() == "1\n"
    assert command() == []


def test_no_command_is_named_for_what_can_come_back_no_more(root: Path) -> None:
    write(root, "day=2023-01-01/a.csv", "day=2023-01-02/b.csv")
    before = datetime.now(UTC) - timedelta(days=20)
    applied_at(root, before, REMOVED)
    assert command()[:-1] == ["retention", "restore", "--storage", "plant", "--run"]
    applied_at(root, before + timedelta(days=10), REMOVED)
    assert "purged" in invoke("history").stdout
    assert command() == []


def test_no_command_is_named_for_a_storage_that_has_no_name_any_longer(root: Path) -> None:
    write(root, ODD)
    applied_at(root, datetime.now(UTC))
    (root / "home/retention.yaml").write_text(f"storages:\n- {{name: other, uri: {root}/archive, kind: folder}}\n")
    assert ODD in invoke("history").stdout
    assert command() == []
