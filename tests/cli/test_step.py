"""`sparkhu step`: one component on dataset folders."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from sparkhu import ledger
from sparkhu.errors import InputError
from sparkhu.execution import recorded
from sparkhu.frame import TIME
from sparkhu.shards import Kind, open_dataset, write_manifest, write_shard
from sparkhu_cli.components import arguments_of, load_component, parse_value, written_by
from sparkhu_cli.main import sparkhu
from sparkhu_components import COMPONENTS


def step(*arguments: str | Path) -> Result:
    return CliRunner().invoke(sparkhu, ["step", *(str(argument) for argument in arguments)])


def dataset(folder: Path, frame: pl.DataFrame, kind: Kind) -> Path:
    with recorded(folder.name, inputs=[], outputs=[folder]) as (notes, (draft,)):
        write_manifest(draft, kind, [write_shard(draft, "00000", frame)])
        notes.entries = ledger.entries(["a"])
    return folder


@pytest.fixture
def observations(tmp_path: Path) -> Path:
    times = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour) for hour in range(5)]
    times_column = pl.Series("ds", times, dtype=TIME)
    rows = pl.DataFrame({"unique_id": ["a"] * 5, "ds": times_column, "y": [1.0, 2.0, 3.0, 4.0, 100.0]})
    return dataset(tmp_path / "observations", rows.with_columns(available_at="ds"), "rows")


@pytest.fixture
def stats(tmp_path: Path) -> Path:
    table = pl.DataFrame({"unique_id": ["a"], "fit_q1": [2.0], "fit_q3": [4.0]})
    return dataset(tmp_path / "stats", table, "series")


def test_the_list_names_every_component_with_its_first_line() -> None:
    lines = step("--list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(COMPONENTS)
    assert any(line.endswith("Flag points beyond the fences of the interquartile range.") for line in lines)


def test_a_component_is_described_by_its_specification() -> None:
    text = step("flag_outliers", "--help").stdout
    assert "observations  Observations: whole series, sorted by series and time." in text
    assert "width (float)" in text
    assert "in interquartile ranges.  [1.5]" in text
    assert "--in NAME=DIR" in text
    assert "flags" in text


@pytest.mark.parametrize("name", COMPONENTS)
def test_every_component_can_be_described(name: str) -> None:
    result = step(name, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{name}: ")


def test_the_help_of_the_command_itself_has_an_example() -> None:
    assert "sparkhu step --list" in step("--help").stdout


def test_a_step_runs_on_folders_and_says_what_it_wrote(observations: Path, stats: Path, tmp_path: Path) -> None:
    # Quartiles 2 and 4: the upper fence at width 10 is 4 + 10·2 = 24, and 100 lies beyond it.
    out = tmp_path / "deep" / "out"
    result = step(
        "flag_outliers", "--in", f"observations={observations}", "--in", f"stats={stats}", "--set", "width=10",
        "--set", "action=flag_only", "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    assert result.stdout.splitlines()[0].startswith("✓ flag_outliers  5 → 5 rows")
    assert result.stdout.splitlines()[1] == f"Outputs: {out / 'flags'}"
    assert open_dataset(out / "flags").scan().collect()["is_outlier"].to_list() == [False] * 4 + [True]
    assert [path.name for path in out.iterdir()] == ["flags"]


def test_a_step_run_twice_replaces_its_output(observations: Path, stats: Path, tmp_path: Path) -> None:
    arguments = ("flag_outliers", "--in", f"observations={observations}", "--in", f"stats={stats}", "--out", tmp_path)
    assert step(*arguments).exit_code == 0
    assert step(*arguments).exit_code == 0


REFUSED = [
    (["flag_outlier"], "step 'flag_outlier' is unknown. Did you mean 'flag_outliers'?"),
    (["flag_outliers"], "step 'flag_outliers' needs more: --in observations=DIR --in stats=DIR."),
    (["flag_outliers", "--in", "observations"], "--in 'observations' has no '='."),
    (["flag_outliers", "--in", "observation=x"], "--in 'observation' is unknown. Did you mean 'observations'?"),
    (["flag_outliers", "--in", "stats=nowhere"], "--in stats: 'nowhere' does not exist."),
    (["flag_outliers", "--in", "stats=.", "--in", "stats=."], "--in 'stats' is given twice."),
    (["flag_outliers", "--set", "width=wide"], "--set width: 'wide' is no float. Give a number."),
    (["flag_outliers", "--set", "widht=2"], "--set 'widht' is unknown. Did you mean 'width'?"),
    (["flag_outliers", "--set", "zzz=2"], "--set 'zzz' is unknown. There is: width, action, max_share, way."),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED)
def test_wrong_arguments_end_with_2_and_name_the_parameter(arguments: list[str], message: str, tmp_path: Path) -> None:
    result = step(*arguments, "--out", tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert result.stderr.startswith(f"Error: {message}")


def test_a_value_that_the_step_refuses_leaves_nothing(observations: Path, stats: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = step(
        "flag_outliers", "--in", f"observations={observations}", "--in", f"stats={stats}", "--set", "width=-1",
        "--out", out,
    )  # fmt: skip
    assert (result.exit_code, out.exists()) == (2, False)
    assert "width must be a number of interquartile ranges" in result.stderr


def test_the_example_of_the_help_runs_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path / "home"))
    Path("sales.csv").write_text("ds,y\n" + "".join(f"2026-01-{day:02d},{day}\n" for day in range(1, 31)))
    lines = [
        line.split()[2:] for line in step("--help").stdout.splitlines() if line.strip().startswith("sparkhu step ")
    ]
    assert ["--list"] in lines
    for line in lines:
        result = step(*line)
        assert result.exit_code == 0, result.output
    assert open_dataset("work/validate/observations").rows == 30


@pytest.mark.parametrize("name", COMPONENTS)
def test_what_is_written_has_a_folder_each_and_no_value_has_one(name: str) -> None:
    component = load_component(name)
    values = {key for key, item in (component.component_spec.outputs or {}).items() if item.type == "String"}
    assert set(written_by(component)) == set(component.component_spec.outputs or {}) - values


def test_a_folder_that_holds_no_dataset_is_named(stats: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = step(
        "flag_outliers", "--in", f"observations={tmp_path / 'empty'}", "--in", f"stats={stats}", "--out", tmp_path
    )
    assert result.exit_code == 2
    assert "holds no dataset" in result.stderr


def test_out_is_required_and_no_step_shows_the_help() -> None:
    assert "Missing option '--out'" in step("flag_outliers").stderr
    nothing = step()
    assert (nothing.exit_code, "sparkhu step --list" in nothing.stdout) == (2, True)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("String", "a b", "a b"),
        ("Integer", "12", 12),
        ("Float", "1e3", 1000.0),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
        ("List", "[1, 2]", [1, 2]),
        ("Dict", '{"a": 1}', {"a": 1}),
    ],
)
def test_values_are_read_by_their_declared_type(kind: str, text: str, value: object) -> None:
    read = parse_value("p", kind, text)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("Integer", "1.5", "a number"),
        ("Boolean", "yes", "true or false"),
        ("List", "1,2", "a JSON list"),
        ("Dict", "a=1", "a JSON object"),
    ],
)
def test_a_value_of_another_type_names_the_parameter_and_what_to_give(kind: str, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=rf"--set p: '{text}' is no {kind.lower()}\. Give {expected}\."):
        parse_value("p", kind, text)


def test_an_input_that_takes_several_folders_is_given_often(tmp_path: Path) -> None:
    for name in ("one", "two", "metadata"):
        (tmp_path / name).mkdir()
    component = load_component("gather_groups")
    metadata = f"metadata={tmp_path / 'metadata'}"
    found = arguments_of(component, [f"packed={tmp_path / 'one'}", metadata, f"packed={tmp_path / 'two'}"], [])
    assert [artifact.path for artifact in found["packed"]] == [str(tmp_path / "one"), str(tmp_path / "two")]
    assert found["metadata"].path == str(tmp_path / "metadata")
    assert [artifact.path for artifact in arguments_of(component, [metadata, f"packed={tmp_path}"], [])["packed"]] == [
        str(tmp_path)
    ]
