"""Results move in whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.folder_locks import is_held
from sparkhu_cli.staging import staged


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def publish(out: Path, **files: str) -> None:
    with staged(out) as stage:
        (stage.work / "scratch").write_text("thrown away")
        for name, text in files.items():
            (stage.results / name.replace("_", ".")).write_text(text)


def fail_half_way(out: Path, error: BaseException) -> None:
    with staged(out) as stage:
        (stage.results / "clean.parquet").write_text("half")
        raise error


def test_results_move_in_and_the_hidden_folder_goes(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "results"
    publish(out, run_json="{}", clean_parquet="c")
    assert names(out) == {"run.json", "clean.parquet"}


def test_run_json_is_removed_first_and_comes_back_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(tmp_path, run_json="old", clean_parquet="old", stats_parquet="old")
    seen: list[tuple[str, bool]] = []
    replace = Path.replace

    def watch(self: Path, target: Path) -> Path:
        seen.append((Path(target).name, (tmp_path / "run.json").exists()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watch)
    publish(tmp_path, run_json="new", clean_parquet="new", stats_parquet="new")
    assert seen == [("clean.parquet", False), ("stats.parquet", False), ("run.json", False)]
    assert (tmp_path / "run.json").read_text() == "new"


def test_a_failure_removes_the_folders_that_were_made(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_half_way(tmp_path / "deep" / "results", RuntimeError())
    assert names(tmp_path) == set()


def test_a_failure_leaves_the_earlier_results_as_they_were(tmp_path: Path) -> None:
    publish(tmp_path, run_json="old", clean_parquet="old")
    (tmp_path / "notes.txt").write_text("the user's")
    with pytest.raises(KeyboardInterrupt):
        fail_half_way(tmp_path, KeyboardInterrupt())
    assert names(tmp_path) == {"run.json", "clean.parquet", "notes.txt"}
    assert (tmp_path / "clean.parquet").read_text() == "old"


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("refused", ["clean.parquet", "stats.parquet", "run.json"])
def test_a_failure_while_moving_in_brings_the_earlier_result_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str, error: BaseException
) -> None:
    publish(tmp_path, run_json="old", clean_parquet="old", stats_parquet="old", choices_parquet="old")
    (tmp_path / "notes.txt").write_text("the user's")
    before = contents(tmp_path)
    replace = Path.replace

    def refuse(self: Path, target: Path) -> Path:
        if Path(target).name == refused:
            raise error
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(type(error)):
        publish(tmp_path, run_json="new", clean_parquet="new", stats_parquet="new", report_html="new")
    assert contents(tmp_path) == before


def test_a_failure_while_moving_aside_brings_back_what_was_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(tmp_path, run_json="old", clean_parquet="old", stats_parquet="old")
    before = contents(tmp_path)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if self == tmp_path / "stats.parquet":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match="Input/output"):
        publish(tmp_path, run_json="new")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_moving_in_waits_until_the_result_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    publish(tmp_path, run_json="old", clean_parquet="old", stats_parquet="old")
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target).name == "stats.parquet":
            os.kill(os.getpid(), number)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    before = signal.signal(number, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            publish(tmp_path, run_json="new", clean_parquet="new", stats_parquet="new")
        assert signal.getsignal(number) is stop
    finally:
        signal.signal(number, before)
    assert contents(tmp_path) == {"run.json": "new", "clean.parquet": "new", "stats.parquet": "new"}


def test_files_of_an_earlier_result_that_the_new_one_lacks_go(tmp_path: Path) -> None:
    publish(tmp_path, run_json="old", choices_parquet="old")
    (tmp_path / "notes.txt").write_text("the user's")
    publish(tmp_path, run_json="new")
    assert names(tmp_path) == {"run.json", "notes.txt"}


def test_models_that_wait_for_the_registry_are_not_dropped(tmp_path: Path) -> None:
    waiting = tmp_path / "unregistered"
    waiting.mkdir()
    (waiting / "registration.json").write_text('{"registered_at": null}')
    with pytest.raises(InputError, match=f"sparkhu register {tmp_path}"):
        publish(tmp_path, run_json="{}")
    assert names(tmp_path) == {"unregistered"}
    (waiting / "registration.json").write_text('{"registered_at": "2024-01-01T00:00:00+00:00"}')
    publish(tmp_path, run_json="{}")
    assert names(tmp_path) == {"run.json"}


def test_what_a_killed_run_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".sparkhu-0badc0de" / "work").mkdir(parents=True)
    publish(tmp_path, run_json="new")
    assert names(tmp_path) == {"run.json"}


def test_two_runs_cannot_write_one_folder(tmp_path: Path) -> None:
    with staged(tmp_path) as stage, pytest.raises(InputError, match="another run is writing into"), staged(tmp_path):
        pass
    assert not stage.work.exists()


def test_a_folder_is_held_while_a_run_writes_into_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert not is_held(out)
    with staged(out):
        assert is_held(out)
    assert not is_held(out)
    assert names(tmp_path) == {"out"}


def test_a_file_is_no_results_folder(tmp_path: Path) -> None:
    path = tmp_path / "results"
    path.write_text("x")
    with pytest.raises(InputError, match="is a file"), staged(path):
        pass


def test_a_killed_process_holds_no_folder(tmp_path: Path) -> None:
    code = (
        "import os, signal, pathlib, sys\n"
        "from sparkhu_cli.staging import staged\n"
        "with staged(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    paths = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert any(name.startswith(".sparkhu-") for name in names(tmp_path))
    publish(tmp_path, run_json="new")
    assert names(tmp_path) == {"run.json"}
