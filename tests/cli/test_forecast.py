"""`sparkhu forecast`: what it hands to the predict pipeline, and what it refuses before that starts."""

import inspect
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from sparkhu_cli.main import sparkhu


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "new.csv"
    path.write_text("ds,y\n" + "".join(f"2026-01-{day:02d},{day}\n" for day in range(1, 29)))
    return path


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    monkeypatch.setattr(
        "sparkhu_cli.pipeline_run.run_pipeline", lambda name, given, **rest: calls.append((name, given))
    )
    return calls


def forecast(*arguments: str | Path) -> Result:
    return CliRunner().invoke(sparkhu, ["forecast", *(str(argument) for argument in arguments)])


def test_the_predict_pipeline_gets_every_parameter_that_it_has(handed: list[Any], source: Path) -> None:
    from sparkhu_pipelines.predict import predict_pipeline

    assert forecast("--source", source, "--model", "shops", "--end", "2026-02-01").exit_code == 0
    [(name, arguments)] = handed
    assert (name, arguments["model_name"], arguments["end"]) == ("predict", "shops", "2026-02-01")
    assert set(arguments) == set(inspect.signature(predict_pipeline.pipeline_func).parameters)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--zone", "Mars/Base"], "'Mars/Base'"),
        (["--start", "soon"], "start must be an ISO time"),
        (["--value", "sold"], "no column 'sold'"),
        (["--model", ""], "model_name"),
    ],
)
def test_bad_options_end_with_2_before_anything_starts(
    handed: list[Any], source: Path, options: list[str], message: str
) -> None:
    result = forecast("--source", source, *options)
    assert (result.exit_code, handed) == (2, [])
    assert message in result.stderr
