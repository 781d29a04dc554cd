"""Metrics in what a trial writes: lines of text with filters, or lines of JSON.

Follows Katib's `file-metricscollector.go`, with two differences: a line that is no JSON fails its trial, where Katib's
collector ends and leaves the trial without an end; and a JSON timestamp of 1.5 is half a second past, where Katib takes
the digits behind the point for nanoseconds.
"""

import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sparkhu.tuning.trials import Measurement

DEFAULT_FILTER: Final = r"([\w|-]+)\s*=\s*([+-]?\d*(\.\d+)?([Ee][+-]?\d+)?)"
UNDATED: Final = datetime.min.replace(tzinfo=UTC)
"""The time of a value without one: the zero of Go's clock, before every other."""
TIMESTAMP: Final = "timestamp"
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
Collector = Callable[[str], list[Measurement]]
"""Reads one line; raises ValueError where a line cannot be read."""


def text_collector(metrics: Sequence[str], filters: Sequence[str] = ()) -> Collector:
    """Make a collector of lines of text.

    Args:
        metrics: The metrics that count.
        filters: Regular expressions of Go (RE2), whose first two groups are name and value; none: `NAME=VALUE`.
    """
    import re2

    expressions = [re2.compile(text) for text in filters or (DEFAULT_FILTER,)]
    wanted = frozenset(metrics)

    def collect(line: str) -> list[Measurement]:
        if not any(metric in line for metric in metrics):
            return []
        head, space, _ = line.partition(" ")
        at = (_moment(head) if space else None) or UNDATED
        found = []
        for expression in expressions:
            for match in expression.finditer(line):
                # A group that took no part has no text in Python, and an empty one in Go.
                name, value = ((text or "").strip() for text in match.group(1, 2))
                if name in wanted:
                    found.append(Measurement(at, name, value))
        return found

    return collect


def json_collector(metrics: Sequence[str]) -> Collector:
    """Make a collector of lines of JSON, each an object whose values are texts; other values are passed over.

    Args:
        metrics: The metrics that count.
    """

    def collect(line: str) -> list[Measurement]:
        if not line:
            return []
        document = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError("it is no object")
        at = _json_moment(document.get(TIMESTAMP)) or UNDATED
        return [Measurement(at, name, document[name]) for name in metrics if isinstance(document.get(name), str)]

    return collect


def _moment(text: str) -> datetime | None:
    """Read a time as RFC 3339 writes it."""
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _json_moment(value: Any) -> datetime | None:
    """Read a time: a text, or seconds since 1970."""
    if isinstance(value, str):
        return _moment(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    except (OverflowError, ValueError):
        return None
