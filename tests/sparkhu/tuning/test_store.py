"""The journal of a study tells after any kill what had happened before it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.tuning.store import JOURNAL, Journal
from sparkhu.tuning.trials import Measurement, Observation, Trial

IDENTITY = {"experiment": "tuned", "specification": "0" * 64}
NOON = datetime(2024, 5, 1, 12, 0, 0, 123456, tzinfo=UTC)
BEGUN = [Trial(0, "tuned-0000", {"lr": "0.1"}), Trial(1, "tuned-0001", {"lr": "é"}, {"bracket": "2"})]
ENDED = Trial(
    number=0,
    name="tuned-0000",
    assignment={"lr": "0.1"},
    status="Succeeded",
    started=NOON,
    ended=NOON,
    measurements=(Measurement(NOON, "loss", "0.10"), Measurement(NOON, "loss", "nan")),
    observations=(Observation("loss", "nan", "0.10", "0.10"),),
    objective=0.1,
    message="Trial has succeeded",
)


def write(folder: Path) -> None:
    journal = Journal(folder, IDENTITY)
    journal.begun(BEGUN)
    journal.ended([ENDED])
    journal.finished("ExperimentMaxTrialsReached", NOON)
    journal.close()


def read(folder: Path) -> tuple[list[Trial], str | None, datetime | None]:
    journal = Journal(folder, IDENTITY)
    journal.close()
    return journal.past.trials, journal.past.reason, journal.past.ended


def test_what_is_written_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    assert read(tmp_path) == ([ENDED, BEGUN[1]], "ExperimentMaxTrialsReached", NOON)


def test_a_study_that_goes_on_has_not_ended(tmp_path: Path) -> None:
    write(tmp_path)
    journal = Journal(tmp_path, IDENTITY)
    journal.restarted()
    journal.close()
    assert read(tmp_path) == ([ENDED, BEGUN[1]], None, None)


def test_a_journal_that_ends_anywhere_tells_its_whole_lines(tmp_path: Path) -> None:
    write(tmp_path)
    whole = (tmp_path / JOURNAL).read_bytes()
    first = whole.index(b"\n") + 1
    states = [[], [BEGUN[0]], BEGUN, [ENDED, BEGUN[1]], [ENDED, BEGUN[1]]]
    edges = {place + near for place, byte in enumerate(whole) if byte == 10 for near in (0, 1, 2)}
    for size in sorted({*range(0, len(whole), 23), *edges} - {len(whole), len(whole) + 1}):
        (tmp_path / JOURNAL).write_bytes(whole[:size])
        trials, reason, _ = read(tmp_path)
        lines = whole[:size].count(b"\n")
        assert trials == (states[lines - 1] if size >= first else [])
        assert reason is None


def test_a_trial_that_is_run_again_is_told_once(tmp_path: Path) -> None:
    write(tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    journal = Journal(tmp_path, IDENTITY)
    third = Trial(2, "tuned-0002", {"lr": "0.3"})
    journal.begun([BEGUN[1]])
    assert (tmp_path / JOURNAL).read_bytes() == before
    journal.begun([BEGUN[1], third])
    journal.close()
    assert read(tmp_path)[0] == [ENDED, BEGUN[1], third]


def again(folder: Path, line: int, **other: str) -> None:
    """Write a line of the journal a second time."""
    told = json.loads((folder / JOURNAL).read_text().splitlines()[line - 1])
    told["trial"] |= other
    with (folder / JOURNAL).open("a") as file:
        file.write(f"{json.dumps(told)}\n")


def test_a_journal_that_tells_twice_of_a_trial_under_way_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    again(tmp_path, 3)
    assert read(tmp_path)[0] == [ENDED, BEGUN[1]]


@pytest.mark.parametrize(("line", "other"), [(2, {}), (3, {"name": "tuned-0009"})])
def test_a_trial_that_has_ended_or_is_another_does_not_begin_again(
    tmp_path: Path, line: int, other: dict[str, str]
) -> None:
    write(tmp_path)
    again(tmp_path, line, **other)
    with pytest.raises(SparkhuError, match=r"line 6 of .* is damaged"):
        Journal(tmp_path, IDENTITY)


def test_what_is_written_after_a_torn_line_is_read(tmp_path: Path) -> None:
    write(tmp_path)
    file = tmp_path / JOURNAL
    file.write_bytes(file.read_bytes()[:-3])
    journal = Journal(tmp_path, IDENTITY)
    journal.finished("ExperimentGoalReached", NOON)
    journal.close()
    assert read(tmp_path)[1] == "ExperimentGoalReached"


def test_another_study_is_refused_by_what_differs(tmp_path: Path) -> None:
    write(tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(InputError) as raised:
        Journal(tmp_path, {**IDENTITY, "experiment": "other"})
    assert f'\'{tmp_path}\' holds another study: its experiment is "tuned", here it is "other"' in str(raised.value)
    assert (tmp_path / JOURNAL).read_bytes() == before


def test_a_part_that_one_of_them_lacks_differs(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(InputError, match=r"its goal is null, here it is 3"):
        Journal(tmp_path, {**IDENTITY, "goal": 3})
    with pytest.raises(InputError, match=r'its specification is "0+", here it is null'):
        Journal(tmp_path, {"experiment": "tuned"})


def test_two_processes_do_not_work_at_one_study(tmp_path: Path) -> None:
    held = Journal(tmp_path, IDENTITY)
    with pytest.raises(InputError, match="another process works at the study"):
        Journal(tmp_path, IDENTITY)
    held.close()
    Journal(tmp_path, IDENTITY).close()


@pytest.mark.parametrize(
    ("line", "text"),
    [(1, "{}"), (2, "nonsense"), (2, '{"kind":"other"}'), (3, '{"kind":"ended","trial":{"number":9}}')],
)
def test_a_damaged_line_is_named_and_nothing_is_cut(tmp_path: Path, line: int, text: str) -> None:
    write(tmp_path)
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    lines[line - 1] = text
    (tmp_path / JOURNAL).write_text("\n".join([*lines, ""]))
    with pytest.raises(SparkhuError, match=rf"line {line} of .*{JOURNAL}' is damaged"):
        Journal(tmp_path, IDENTITY)
    assert len((tmp_path / JOURNAL).read_text().splitlines()) == len(lines)


def test_a_write_that_fails_half_way_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, IDENTITY)
    before = (tmp_path / JOURNAL).read_bytes()
    write_some = os.write

    def full(handle: int, data: bytes) -> int:
        if len(data) < 20:
            raise OSError(28, "No space left on device")
        return write_some(handle, data[:10])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space left"):
        journal.begun(BEGUN)
    journal.close()
    assert (tmp_path / JOURNAL).read_bytes() == before
