"""Small pieces of HTML and the way numbers are written. All text from data passes through `escape`."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape as _escape
from typing import Any

LEAST_SHARE = 0.0005
"""Below this a share would be written as nought."""


def escape(value: object) -> str:
    """Write a value as text that HTML takes literally."""
    return _escape(str(value), quote=True)


def number(value: float | None, digits: int = 3) -> str:
    """Write a number with as many significant digits as it deserves; None is a dash.

    Example:
        >>> [number(0.98), number(1284.4), number(12), number(None)]
        ['0.980', '1,284', '12', '–']
    """
    if value is None:
        return "–"
    if value == int(value) or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:#.{digits}g}".replace("e-0", "e-")


def percent(share: float | None) -> str:
    """Write a share as a percentage; one decimal where it is close to none or all.

    Example:
        >>> [percent(0.25), percent(0.004), percent(0.0001), percent(None)]
        ['25 %', '0.4 %', '<0.1 %', '–']
    """
    if share is None:
        return "–"
    if 0 < share < LEAST_SHARE:
        return "<0.1 %"
    near = 0 < share < 0.01 or 0.99 < share < 1
    return f"{share * 100:.1f} %" if near else f"{share * 100:,.0f} %"


def plural(count: int, noun: str, nouns: str | None = None) -> str:
    """Write a count with its noun.

    Example:
        >>> plural(1, "row"), plural(1200, "row"), plural(3, "series", "series")
        ('1 row', '1,200 rows', '3 series')
    """
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"


def seconds(value: float) -> str:
    """Write a duration.

    Example:
        >>> [seconds(0.012), seconds(4.21), seconds(83), seconds(7384)]
        ['12 ms', '4.2 s', '1 min 23 s', '2 h 3 min']
    """
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def grid(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numeric_from: int = 1) -> str:
    """Give a small table. Cells are HTML already; columns from `numeric_from` on are aligned right."""

    def cells(tag: str, values: Sequence[str]) -> str:
        return "".join(
            f"<{tag}{' class=num' if index >= numeric_from else ''}>{value}</{tag}>"
            for index, value in enumerate(values)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table class="grid"><thead><tr>{cells("th", heads)}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def share_bar(share: float | None, of: float = 1.0) -> str:
    """Give a small bar for a share, `of` being the longest; the number itself stands beside it as text."""
    width = 0.0 if not share or not of else 100 * min(share / of, 1.0)
    bar = f'<i style="width:{width:.1f}%"></i>' if width else ""
    return f'<span class="rail" aria-hidden="true">{bar}</span>'


def facts(document: Mapping[str, Any]) -> str:
    """Give a definition list of a document's entries, nested documents within."""
    rows = [f"<div><dt>{escape(_words(name))}</dt><dd>{_fact(value)}</dd></div>" for name, value in document.items()]
    return f'<dl class="facts">{"".join(rows)}</dl>'


def _words(name: object) -> str:
    return str(name).replace("_", " ")


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        return facts(value) if value else "none"
    if isinstance(value, (list, tuple)):
        items = "".join(f"<li>{_fact(item)}</li>" for item in value)
        return f"<ul>{items}</ul>" if value else "none"
    if value is None or value == "":
        return "–"
    return f"<code>{escape(value)}</code>"


def absent(text: str) -> str:
    """Say in place of a part that it is left out, and why."""
    return f'<p class="absent">{escape(text)}</p>'
