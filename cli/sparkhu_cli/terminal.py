"""What the command writes: calm lines, and on a terminal one line that changes while something runs."""

import os
import shutil
import sys
from collections.abc import Sequence
from typing import Final, Literal, TextIO

import click

OK, FAILED, SKIPPED = "✓", "✗", "–"
COLOURS: Final = {OK: "green", FAILED: "red", SKIPPED: "bright_black", "!": "yellow"}
CLEAR_LINE: Final = "\r\x1b[2K"


class Terminal:
    """Writes lines to a stream; marks are coloured and the passing line is shown on a terminal only.

    Args:
        stream: Where to; by default the standard output.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stdout
        self.live = self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.live and not os.environ.get("NO_COLOR")
        self._passing = False

    def line(self, text: str = "") -> None:
        """Write a line that stays."""
        self._write(f"{text}\n", passing=False)

    def marked(self, mark: str, text: str) -> None:
        """Write a line that begins with a mark."""
        self.line(f"{self.styled(mark, COLOURS.get(mark))} {text}")

    def aside(self, text: str) -> None:
        """Write a line that is quieter than the others."""
        self.line(self.styled(text, "bright_black"))

    def passing(self, text: str) -> None:
        """Show a line until the next one is written; nothing where the stream is no terminal."""
        if self.live:
            self._write(text[: shutil.get_terminal_size().columns - 1], passing=True)

    def clear(self) -> None:
        """Take the passing line away."""
        if self._passing:
            self._write("", passing=False)

    def styled(self, text: str, colour: str | None) -> str:
        """Colour a text where colours are shown."""
        return click.style(text, fg=colour) if self.colours and colour else text

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]], align: Sequence[Literal["<", ">"]]) -> None:
        """Write rows under a header in columns as wide as they need."""
        cells = [header, *rows]
        widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
        for number, row in enumerate(cells):
            parts = [f"{cell:{side}{width}}" for cell, side, width in zip(row, align, widths, strict=True)]
            text = "  ".join(parts).rstrip()
            self.line(self.styled(text, "bright_black" if number == 0 else None))

    def _write(self, text: str, *, passing: bool) -> None:
        self.stream.write((CLEAR_LINE if self._passing else "") + text)
        self.stream.flush()
        self._passing = passing


def seconds_text(seconds: float) -> str:
    """Write a duration with the digits that it deserves: `0.4 s`, `12 s`, `3 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def number_text(value: float | None) -> str:
    """Write an error measure with three significant digits, thousands apart; – where there is none."""
    if value is None:
        return SKIPPED
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) < 0.001 else _three_digits(value)


def _three_digits(value: float) -> str:
    decimals = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    return f"{value:.{decimals}f}"
