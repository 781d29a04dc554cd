"""The command as a whole: help, version, how it ends."""

import errno
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click
import pytest
from click.testing import CliRunner, Result

from sparkhu.errors import InputError, SparkhuError
from sparkhu_cli.main import COMMANDS, sparkhu

REPOSITORY = Path(__file__).parents[2]
QUICK_SECONDS = 0.5


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_answer_at_once(option: str) -> None:
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        done = python("-c", "from sparkhu_cli.main import main; main()", option)
        seconds.append(time.perf_counter() - began)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < QUICK_SECONDS


def test_the_command_is_there_as_a_module_where_it_is_not_on_the_path() -> None:
    done = python("-m", "sparkhu_cli", "--version")
    assert (done.returncode, done.stdout.startswith("sparkhu ")) == (0, True)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom sparkhu_cli.main import sparkhu\n"
        "sparkhu(['--help'], standalone_mode=False)\n"
        "print('heavy:', sorted({'polars', 'numpy', 'pandas', 'pydantic', 'kfp', 'mlflow'} & set(sys.modules)))"
    )
    assert python("-c", code).stdout.splitlines()[-1] == "heavy: []"


def test_the_version_is_the_distributions() -> None:
    assert re.fullmatch(r"sparkhu \d+\.\d+\.\d+\S*\n", CliRunner().invoke(sparkhu, ["--version"]).output)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_listed_and_shows_an_example(name: str) -> None:
    shown = CliRunner().invoke(sparkhu, [name, "--help"]).output
    example = shown.split("Example:\n")[1].strip().splitlines()
    assert re.search(rf"^  {name} ", CliRunner().invoke(sparkhu, ["--help"]).output, re.MULTILINE)
    assert all(line.strip().startswith(f"sparkhu {name} ") for line in example)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_parse(name: str) -> None:
    context = click.Context(sparkhu)
    command: Any = sparkhu.get_command(context, name)
    for line in command.example.strip().splitlines():
        parsed = command.make_context(name, shlex.split(line)[2:], parent=context)
        assert {each.name for each in command.params if each.expose_value} <= parsed.params.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_every_command_is_described(name: str) -> None:
    command = sparkhu.get_command(click.Context(sparkhu), name)
    assert command is not None
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_an_unknown_command_ends_with_2() -> None:
    result = CliRunner().invoke(sparkhu, ["runn"])
    assert result.exit_code == 2
    assert "No such command 'runn'" in result.stderr


Fails = Callable[[BaseException, list[str]], Result]


@pytest.fixture
def check_that_raises(monkeypatch: pytest.MonkeyPatch) -> Fails:
    from sparkhu_cli import check

    def invoke(error: BaseException, arguments: list[str]) -> Result:
        def fail(**options: object) -> NoReturn:
            raise error

        monkeypatch.setattr(check.command, "callback", fail)
        return CliRunner().invoke(sparkhu, arguments)

    return invoke


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (InputError("no such file"), 2, "Error: no such file\n"),
        (SparkhuError("registry is down"), 1, "Error: registry is down\n"),
        (
            SparkhuError("step fill failed: No space left on device (os error 28)."),
            1,
            (
                "Error: step fill failed: No space left on device (os error 28). Nothing was left half-written; "
                "make room on the disk and run again.\n"
            ),
        ),
        (KeyboardInterrupt(), 130, "Error: interrupted; nothing was written\n"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/out/clean.parquet"),
            1,
            (
                "Error: the disk is full: cannot write '/out/clean.parquet'. Nothing was left half-written; "
                "make room on the disk and run again.\n"
            ),
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/out"), 1, "Error: Permission denied: '/out'\n"),
        (
            ModuleNotFoundError("No module named 'kfp'", name="kfp"),
            1,
            "Error: this command needs 'kfp'. Install it with: pip install 'sparkhu[pipelines]'\n",
        ),
    ],
)
def test_an_expected_failure_is_one_message_and_its_code(
    check_that_raises: Fails, error: BaseException, code: int, message: str
) -> None:
    result = check_that_raises(error, ["check", "x.csv"])
    assert (result.exit_code, result.stderr, result.stdout) == (code, message, "")


def test_the_traceback_of_an_unexpected_failure_is_in_the_log_alone(check_that_raises: Fails) -> None:
    result = check_that_raises(ZeroDivisionError("division by zero"), ["check", "x.csv"])
    message, log = result.stderr.splitlines()
    assert result.exit_code == 1
    assert message == "Error: unexpected failure: ZeroDivisionError: division by zero"
    text = Path(log.removeprefix("Log: ")).read_text()
    assert "Traceback" in text
    assert "ZeroDivisionError" in text


@pytest.mark.parametrize("arguments", [["-v", "check", "x.csv"], ["check", "x.csv", "-v"]])
def test_v_shows_the_traceback_on_either_side_of_the_command(check_that_raises: Fails, arguments: list[str]) -> None:
    result = check_that_raises(ZeroDivisionError("division by zero"), arguments)
    assert "Traceback" in result.stderr
    assert result.stdout == ""


def test_a_closed_pipe_ends_in_silence(check_that_raises: Fails) -> None:
    result = check_that_raises(OSError(errno.EPIPE, "Broken pipe"), ["check", "x.csv"])
    assert result.stderr == ""


def test_the_log_of_a_run_survives_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    from sparkhu_cli.session import Session

    session = Session()
    session.open_log("run")

    def refuse(record: logging.LogRecord) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(session.handlers[0], "format", refuse)
    logging.getLogger("sparkhu").error("first")
    assert session.handlers[0] not in logging.getLogger().handlers
    session.close()
