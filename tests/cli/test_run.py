"""`sparkhu run`: what it refuses before anything starts, and what it leaves behind."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result

from sparkhu.errors import InputError, SparkhuError
from sparkhu.execution import recorded
from sparkhu_cli.main import sparkhu

SCORES = dict.fromkeys(("mse", "mae", "rmse", "smape", "mase", "wape", "coverage_80", "coverage_95"), 0.4)
METRICS = {
    "schema_version": 1,
    "units": "standardised",
    "champion": "linear",
    "linear": {**SCORES, "windows": 3, "points": 72},
    "seasonal_naive": {**SCORES, "mse": 0.8, "windows": 3, "points": 72},
    "groups": {
        "1h/24": {
            "linear": {**SCORES, "windows": 3, "points": 72},
            "seasonal_naive": {**SCORES, "mse": 0.8, "windows": 3, "points": 72},
        }
    },
    "series": [{"unique_id": "a", "group": "1h/24", "linear": {**SCORES, "windows": 3, "points": 72}}],
}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(sparkhu, [str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.csv"
    rows = "".join(f"2026-01-{day:02d},{day % 7}\n" for day in range(1, 29))
    path.write_text(f"ds,y\n{rows}")
    return path


def finished_run(module: str, pipeline: str, arguments: Mapping[str, Any], **options: Any) -> dict[str, Path]:
    """Do what the runner does, with one step that publishes and one that renders the report."""
    root: Path = options["root"]
    options["on_event"]({"kind": "step_started", "step": "publish"})
    with recorded("publish", inputs=[], outputs=[root / "results"]) as (notes, (draft,)):
        notes.rows_in, notes.rows_out, notes.counts = 28, 27, {"quarantined": 1}
        (draft / "metrics.json").write_text(json.dumps(METRICS))
        pl.DataFrame({"unique_id": ["a"]}).write_parquet(draft / "clean.parquet")
    for number, step in enumerate(("publish", "report")):
        record = {"step": step, "started": f"2100-01-01T00:00:0{number}+00:00", "seconds": 0.2}
        full = {**record, "rows_in": 28, "rows_out": 27}
        options["on_event"]({"kind": "step_finished", "step": step, "record": full})
    with options["log"].open("a") as log:
        log.write("what the tasks wrote\n")
    (root / "report.html").write_text("<html>")
    return {"results": root / "results", "report": root / "report.html"}


Runner = Callable[[Callable[..., dict[str, Path]]], None]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Put a function in the place of the local runner."""

    def place(function: Callable[..., dict[str, Path]]) -> None:
        monkeypatch.setattr("sparkhu_pipelines.local.running.run_locally", function)

    return place


def test_a_run_leaves_its_results_report_log_and_record(runner: Runner, source: Path, tmp_path: Path) -> None:
    runner(finished_run)
    out = tmp_path / "out"
    result = invoke("run", "--source", source, "--horizon", "7", "--out", out)
    assert result.exit_code == 0, result.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {
        "report.html",
        "run.json",
        "run.log",
        "metrics.json",
        "clean.parquet",
        "ledger.parquet",
        "history.json",
    }
    run = json.loads((out / "run.json").read_text())
    assert (run["parameters"]["horizon"], run["parameters"]["scaler"]) == (7, "standard")
    assert [step["step"] for step in run["steps"]] == ["publish", "report"]
    assert "what the tasks wrote" in (out / "run.log").read_text()


def test_a_run_ends_with_warnings_a_table_and_the_report_to_open(runner: Runner, source: Path, tmp_path: Path) -> None:
    runner(finished_run)
    out = tmp_path / "out"
    lines = invoke("run", "--source", source, "--out", out).stdout.splitlines()
    assert "! 1 warning" in lines
    assert "    1 row refused; see quarantine.parquet" in lines
    assert "1h/24       1  linear *        0.400  0.400  0.400  0.400" in lines
    assert "               seasonal_naive  0.800  0.400  0.400  0.400" in lines
    assert lines[-1] == f"Open the report: {out / 'report.html'}"


def test_a_password_is_passed_on_sealed_and_written_down_as_hidden(runner: Runner, tmp_path: Path) -> None:
    passed: dict[str, Any] = {}

    def run(module: str, pipeline: str, arguments: Mapping[str, Any], **options: Any) -> dict[str, Path]:
        passed.update(arguments)
        return finished_run(module, pipeline, arguments, **options)

    runner(run)
    result = invoke("run", "--source", "ftp://ann:pea@host/a.csv", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert passed["source"].startswith("ftp://ann:${SPARKHU_SECRET_")
    parameters = json.loads((tmp_path / "out" / "run.json").read_text())["parameters"]
    assert parameters["source"] == "ftp://ann:***@host/a.csv"


@pytest.mark.parametrize(
    ("error", "code"), [(InputError("no horizon"), 2), (SparkhuError("no room"), 1), (KeyboardInterrupt(), 130)]
)
def test_a_run_that_fails_leaves_nothing(
    runner: Runner, source: Path, tmp_path: Path, error: BaseException, code: int
) -> None:
    def fail(*arguments: object, root: Path, **options: object) -> dict[str, Path]:
        (root / "half").write_text("x")
        raise error

    runner(fail)
    result = invoke("run", "--source", source, "--out", tmp_path / "deep" / "out")
    assert result.exit_code == code
    assert result.stderr.splitlines()[0].startswith("Error: ")
    assert result.stderr.splitlines()[1].startswith("Log: ")
    assert {path.name for path in tmp_path.iterdir()} == {"source.csv"}


BAD_OPTIONS = [
    (["--horizon", "-3"], "-3 is not in the range x>=1"),
    (["--input-size", "0"], "0 is not in the range x>=1"),
    (["--season-length", "many"], "'many' is not a valid integer"),
    (["--preset", "etth"], "preset 'etth' is unknown; there is ett."),
    (["--horizon", "28"], "horizon 28 is longer than every series; the longest, 'source', has 28 points"),
    (["--input-size", "28"], "input_size 28 with a horizon of 1 fits in no series"),
    (["--zone", "Mars/Base"], "'Mars/Base'"),
    (["--start", "soon"], "start must be an ISO time"),
    (["--start", "2026-02-01", "--end", "2026-01-01"], "end must lie after start"),
    (["--split", "0.9/0.9/0.9"], "split has shares that add up to 2.7"),
    (["--period", "5x"], "period must be a number and a unit"),
    (["--params", "missing.yaml"], "'missing.yaml' does not exist"),
    (["--distribution", "torch", "--workers", "9999"], "training.workers must be"),
    (
        ["--distribution", "torch", "--set", "training.engine=kubernetes", "--set", "training.storage=s3://plant/t"],
        "training.namespace is empty, and this is no pod; name the namespace.",
    ),
]


@pytest.mark.parametrize(("options", "message"), BAD_OPTIONS)
def test_bad_options_end_with_2(source: Path, tmp_path: Path, options: list[str], message: str) -> None:
    result = invoke("run", "--source", source, "--out", tmp_path / "out", *options)
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert message in result.stderr
    assert "Traceback" not in result.stderr


BAD_FILES = [
    ("horizonn: 24", "parameter 'horizonn' is unknown; did you mean horizon?"),
    ("outlier_width: -1", "parameter 'outlier_width' cannot be -1"),
    ("max_failed_share: 2", "parameter 'max_failed_share' cannot be 2"),
    ("scaler: biggest", "parameter 'scaler' cannot be 'biggest'"),
    ("- horizon", "must map names to values"),
    ("a: [", "is no YAML"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES)
def test_bad_parameter_files_end_with_2(source: Path, tmp_path: Path, text: str, message: str) -> None:
    params = tmp_path / "params.yaml"
    params.write_text(text)
    result = invoke("run", "--source", source, "--params", params, "--out", tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert message in result.stderr


def test_options_win_over_the_file_and_the_file_over_the_preset(runner: Runner, source: Path, tmp_path: Path) -> None:
    runner(finished_run)
    params = tmp_path / "params.yaml"
    params.write_text("horizon: 5\nscaler: robust\ninput_size: 9\n")
    out = tmp_path / "out"
    result = invoke("run", "--source", source, "--preset", "ett", "--params", params, "--horizon", "6", "--out", out)
    assert result.exit_code == 0, result.stderr
    parameters = json.loads((out / "run.json").read_text())["parameters"]
    picked = {name: parameters[name] for name in ("horizon", "scaler", "input_size", "split")}
    assert picked == {"horizon": 6, "scaler": "robust", "input_size": 9, "split": "8640/2880/2880"}


BAD_SOURCES = {
    "empty file": ("", [], "nothing in it"),
    "header only": ("ds,y\n", [], "no row"),
    "missing column": ("ds,y\n2026-01-01,1\n", ["--value", "sold"], "no column 'sold'"),
    "doubled column": ("ds,y,y\n2026-01-01,1,2\n", [], "'y'"),
    "no parsable time": ("ds,y\nsoon,1\nlater,2\n", ["--time", "ds"], "time"),
    "no number": ("ds,y\n2026-01-01,a\n2026-01-02,b\n", ["--value", "y"], "number"),
}


@pytest.mark.parametrize("case", BAD_SOURCES)
def test_a_source_that_cannot_be_used_ends_with_2(tmp_path: Path, case: str) -> None:
    text, options, message = BAD_SOURCES[case]
    path = tmp_path / "bad.csv"
    path.write_text(text)
    for command in (["run", "--source", path, "--out", tmp_path / "out"], ["check", path]):
        result = invoke(*command, *options)
        assert (result.exit_code, (tmp_path / "out").exists()) == (2, False), result.stderr
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_a_source_that_is_not_there_ends_with_2(tmp_path: Path) -> None:
    result = invoke("run", "--source", tmp_path / "none.csv", "--out", tmp_path / "out")
    assert (result.exit_code, (tmp_path / "out").exists()) == (2, False)
    assert "none.csv" in result.stderr


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([], ("sparkhu_pipelines.forecast", "forecast_pipeline", None)),
        (["--fan-out", "1"], ("sparkhu_pipelines.forecast", "forecast_pipeline", None)),
        (["--fan-out", "5"], ("sparkhu_pipelines.fan_out", "forecast_pipeline_over", 5)),
    ],
)
def test_fan_out_chooses_the_pipeline(
    runner: Runner, source: Path, tmp_path: Path, more: list[str], wanted: tuple[str, str, int | None]
) -> None:
    chosen = []

    def run(module: str, pipeline: str, arguments: Mapping[str, Any], **options: Any) -> dict[str, Path]:
        chosen.append((module, pipeline, options["groups"]))
        return finished_run(module, pipeline, arguments, **options)

    runner(run)
    assert invoke("run", "--source", source, "--out", tmp_path / "out", *more).exit_code == 0
    assert chosen == [wanted]
