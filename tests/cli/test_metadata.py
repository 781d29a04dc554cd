"""`sparkhu metadata`: sync and show the catalogue."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKHU_CATALOGUE", f"sqlite:///{tmp_path}/catalogue.sqlite")
    (tmp_path / "sensors.csv").write_text("sensor,unit,valid_min,valid_max,owner\nb,K,0.5,50,ann\na,,,,bob\n")
    return tmp_path


def metadata(*arguments: str) -> Result:
    return CliRunner().invoke(sparkhu, ["metadata", *arguments])


def lines(*arguments: str) -> list[str]:
    result = metadata(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def test_sync_says_what_it_took_what_changed_and_what_is_next(folder: Path) -> None:
    assert lines("sync", "--metadata", "sensors.csv", "--name", "hall 1") == [
        "metadata: unique_id is column 'sensor'",
        "metadata: 'owner' left out",
        "✓ metadata of 2 series: 2 added, 0 changed, 0 removed, 0 unchanged",
        f"Catalogue: sqlite:///{folder}/catalogue.sqlite",
        "Next: sparkhu metadata show --name 'hall 1'",
    ]


def test_show_lists_the_series_of_each_source_with_the_columns_that_they_have(folder: Path) -> None:
    lines("sync", "--metadata", "sensors.csv", "--name", "hall")
    (folder / "pumps.csv").write_text("id,type\np,pump\n")
    lines("sync", "--metadata", "pumps.csv", "--name", "pumps")
    first, *table, second, header, pump = lines("show")
    assert first.startswith("hall: 2 series, synced 20")
    assert first.endswith(" UTC")
    assert table == [
        "unique_id  unit  valid_min  valid_max",
        "a          –             –          –",
        "b          K           0.5         50",
    ]
    assert second.startswith("pumps: 1 series, synced ")
    assert [header, pump] == ["unique_id  type", "p          pump"]
    assert lines("show", "--name", "pumps") == [second, header, pump]


def test_removed_series_are_shown_when_asked_for(folder: Path) -> None:
    lines("sync", "--metadata", "sensors.csv", "--name", "hall")
    (folder / "sensors.csv").write_text("sensor,unit\na,\n")
    assert "✓ metadata of 1 series: 0 added, 0 changed, 1 removed, 1 unchanged" in lines(
        "sync", "--metadata", "sensors.csv", "--name", "hall"
    )
    assert lines("show")[1:] == ["unique_id", "a"]
    title, header, kept, gone = lines("show", "--removed")
    assert title.startswith("hall: 1 series, 1 removed, synced ")
    assert header.split() == ["unique_id", "unit", "valid_min", "valid_max", "removed"]
    assert kept.split() == ["a", "–", "–", "–", "–"]
    assert gone.startswith("b          K           0.5         50  20")


def test_a_long_catalogue_is_cut_and_says_so(folder: Path) -> None:
    (folder / "many.csv").write_text("id,unit\n" + "\n".join(f"s{number:02d}," for number in range(60)) + "\n")
    lines("sync", "--metadata", "many.csv")
    assert lines("show")[-2:] == ["s49", "and 10 more; --limit 0 shows all"]
    assert lines("show", "--limit", "0")[-1] == "s59"
    assert len(lines("show", "--limit", "3")) == 6


def test_an_empty_catalogue_says_how_to_begin(folder: Path) -> None:
    assert lines("show") == [
        f"the catalogue sqlite:///{folder}/catalogue.sqlite is empty",
        "Next: sparkhu metadata sync --metadata sensors.csv",
    ]


def test_a_table_of_a_database_is_synced(folder: Path) -> None:
    with sa.create_engine(f"sqlite:///{folder}/plant.db", poolclass=sa.NullPool).begin() as connection:
        connection.execute(sa.text("CREATE TABLE sensors AS SELECT 7 AS id, 'bar' AS uom"))
    assert lines("sync", "--metadata", "sqlite:///plant.db", "--table", "sensors")[-1] == (
        f"Next: sparkhu metadata show --name 'sqlite:///{folder}/plant.db#sensors'"
    )
    assert lines("show")[1:] == ["unique_id  unit", "7          bar"]
    assert "1 unchanged" in "".join(
        lines("sync", "--metadata", "sqlite:///plant.db", "--query", "SELECT * FROM sensors", "--name",
              f"sqlite:///{folder}/plant.db#sensors")
    )  # fmt: skip


def test_a_column_that_may_be_misspelt_is_a_warning(folder: Path) -> None:
    (folder / "typo.csv").write_text("unique_id,unit,minimum_valid\na,kW,3\n")
    assert "! metadata: column 'minimum_valid' does not count; did you mean 'valid_min'? Rename it then" in lines(
        "sync", "--metadata", "typo.csv"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sync", "--metadata", "none.csv"], "there is no such file: 'none.csv'"),
        (["sync", "--metadata", "wrong.csv"], "series 'a' (row 1) has the valid range 9 to 5, which is reversed"),
        (["sync", "--metadata", "sensors.csv", "--table", "x"], "--table reads a database"),
        (["sync", "--metadata", "sensors.csv", "--id", "x"], "no column 'x' for the series' names; it has"),
        (["sync", "--metadata", "sensors.csv", "--id", "x"], "--id of `sparkhu metadata sync`"),
        (["sync", "--metadata", "base.csv"], "base.csv' says nothing of the series beside their names"),
        (["sync", "--metadata", "sqlite:///x.db", "--table", "t", "--encoding", "cp949"], "--encoding says how text"),
        (["show", "--name", "other"], "the catalogue has no source 'other' (--name); it has 'hall'."),
        (["sync"], "Missing option '--metadata'"),
        (["snyc"], "No such command 'snyc'"),
    ],
)
def test_what_the_user_has_to_mend_ends_with_2(folder: Path, arguments: list[str], message: str) -> None:
    lines("sync", "--metadata", "sensors.csv", "--name", "hall")
    before = lines("show", "--removed")
    (folder / "base.csv").write_text("unique_id,ds,y\na,2024-01-01,1\n")
    (folder / "wrong.csv").write_text("id,valid_min,valid_max\na,9,5\n")
    result = metadata(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert lines("show", "--removed") == before


def test_a_catalogue_that_cannot_be_connected_to_ends_with_2_and_shows_no_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SPARKHU_CATALOGUE", "postgresql+psycopg://ann:pea@127.0.0.1:1/x")
    for arguments in (["show"], ["sync", "--metadata", "sensors.csv"]):
        result = metadata("-v", *arguments)
        assert result.exit_code == 2
        assert "SPARKHU_CATALOGUE='postgresql+psycopg://ann:***@127.0.0.1:1/x' cannot be opened: conn" in result.stderr
        assert "pea" not in result.output


@pytest.mark.parametrize("name", ["sync", "show"])
def test_each_command_shows_an_example_that_parses(name: str) -> None:
    import click

    group = sparkhu.get_command(click.Context(sparkhu), "metadata")
    assert isinstance(group, click.Group)
    command = group.commands[name]
    shown = metadata(name, "--help").output.split("Example:\n")[1].strip().splitlines()
    for line in shown:
        assert line.strip().startswith(f"sparkhu metadata {name}")
        command.make_context(name, line.split()[3:])
    assert [each.name for each in command.params if isinstance(each, click.Option) and not each.help] == []
