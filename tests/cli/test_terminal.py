"""Lines on a terminal and elsewhere."""

import io

import pytest

from sparkhu_cli.terminal import Terminal, number_text, seconds_text


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
    ],
)
def test_durations_have_the_digits_they_deserve(seconds: float, text: str) -> None:
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, "0"),
        (0.3725, "0.372"),
        (0.00012, "0.00012"),
        (1.2345, "1.23"),
        (42.25, "42.2"),
        (12345.6, "12,346"),
    ],
)
def test_errors_have_three_digits(value: float | None, text: str) -> None:
    assert number_text(value) == text


def test_a_stream_that_is_no_terminal_gets_plain_lines_and_no_passing_one() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.passing("working")
    terminal.marked("✓", "done")
    terminal.aside("quiet")
    terminal.clear()
    assert stream.getvalue() == "✓ done\nquiet\n"


def test_on_a_terminal_the_passing_line_is_overwritten_and_marks_are_coloured() -> None:
    stream = Screen()
    terminal = Terminal(stream)
    terminal.passing("working")
    terminal.marked("✓", "done")
    assert stream.getvalue() == "working\r\x1b[2K\x1b[32m✓\x1b[0m done\n"


def test_clear_takes_the_passing_line_away_once() -> None:
    stream = Screen()
    terminal = Terminal(stream)
    terminal.passing("working")
    terminal.clear()
    terminal.clear()
    assert stream.getvalue() == "working\r\x1b[2K"


def test_a_passing_line_is_cut_to_the_width_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    stream = Screen()
    Terminal(stream).passing("a line longer than ten")
    assert stream.getvalue() == "a line lo"


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Screen()
    Terminal(stream).marked("✗", "failed")
    assert stream.getvalue() == "✗ failed\n"


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Screen()
    terminal = Terminal(stream)
    terminal.passing("working")
    terminal.marked("✗", "failed")
    assert stream.getvalue() == "✗ failed\n"


def test_a_table_has_columns_as_wide_as_they_need() -> None:
    stream = io.StringIO()
    Terminal(stream).table(("name", "n"), [("a", "1"), ("longer", "1,000")], ("<", ">"))
    assert stream.getvalue() == "name        n\na           1\nlonger  1,000\n"
