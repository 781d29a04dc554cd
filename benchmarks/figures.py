"""Figures that benchmarks measured, as `benchmarks/figures.json` keeps them for the README.

A benchmark takes `--json FILE` and writes its figures there; `benchmarks/bench.py` runs all of them and gathers what
they wrote.
"""

import json
import os
import platform
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

PLACE: Final = Path(__file__).parent / "figures.json"
SCHEMA_VERSION: Final = 1
GIB: Final = 2**30
OF_BARE: Final = "× a bare read + write"
"""The unit of a step's share of the chain."""


@dataclass(frozen=True)
class Figure:
    """One measured figure beside what it is compared with.

    Attributes:
        name: What was measured.
        measured: The figure.
        unit: What it counts: `×`, `s`, `GiB`, `M rows/s`.
        beside: What it is a ratio to, or what else was measured in the same run.
        goal: What it should reach; null where nothing was promised.
        better: Whether less of it is better, or more.
        detail: It is one of many: it stands on the page of all figures, not in the README.
    """

    name: str
    measured: float
    unit: str
    beside: str
    goal: float | None = None
    better: Literal["less", "more"] = "less"
    detail: bool = False

    @property
    def met(self) -> bool:
        """Tell whether the goal is reached; without a goal it is."""
        if self.goal is None:
            return True
        return self.measured <= self.goal if self.better == "less" else self.measured >= self.goal

    @property
    def promise(self) -> str:
        """Write the goal: `≤ 9 ×`."""
        if self.goal is None:
            return ""
        return f"{'≤' if self.better == 'less' else '≥'} {shown(self.goal)} {self.unit}".rstrip()

    def __str__(self) -> str:
        told = f" ({self.promise}: {'met' if self.met else 'MISSED'})" if self.promise else ""
        return f"{self.name}: {f'{shown(self.measured)} {self.unit}'.rstrip()}{told}; {self.beside}"


def shown(value: float) -> str:
    """Write a figure with three digits, or all before the point.

    Example:
        >>> shown(0.9421), shown(12.345), shown(1234.5)
        ('0.942', '12.3', '1,234')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def json_option(parser: ArgumentParser) -> None:
    """Let a benchmark be told where its figures go."""
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here as well")


def report(figures: Sequence[Figure], file: Path | None) -> None:
    """Print the figures, and write them where `--json` said."""
    for figure in figures:
        print(figure)
    if file:
        file.write_text(json.dumps([asdict(figure) for figure in figures]))


def read(file: Path = PLACE) -> dict[str, Any]:
    """Read what was gathered: `schema_version` and `benchmarks`, the latter by name."""
    if not file.is_file():
        return {"schema_version": SCHEMA_VERSION, "benchmarks": {}}
    kept: dict[str, Any] = json.loads(file.read_text())
    return kept


def gather(name: str, command: str, figures: Sequence[Mapping[str, Any]], file: Path = PLACE) -> None:
    """Put the figures of one benchmark in the place of its earlier ones."""
    kept = read(file)
    kept["benchmarks"][name] = {
        "command": command,
        "measured_at": datetime.now(UTC).date().isoformat(),
        "machine": f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}",
        "figures": list(figures),
    }
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
