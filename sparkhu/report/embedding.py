"""Put data and scripts into a page so that they are small and can do no harm.

Everything is gzipped and written in base 64, whose alphabet has no character that HTML knows: whatever a series is
called, it cannot end the element that carries it. The browser unpacks it with `DecompressionStream`.
"""

import base64
import gzip
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

SCRIPTS = ("unpack.js", "table.js", "charts.js", "parts.js", "card.js", "scales.js", "study.js", "report.js")


def packed(element: str, text: str) -> str:
    """Give an inert element with the id `element` that carries `text`, compressed."""
    body = base64.b64encode(gzip.compress(text.encode(), compresslevel=9, mtime=0)).decode("ascii")
    return f'<script type="application/gzip" id="{element}">{body}</script>\n'


def packed_json(element: str, document: Any) -> str:
    """Give an inert element with the id `element` that carries `document` as JSON, compressed.

    Raises:
        ValueError: The document holds NaN or an infinity, which JSON does not know.
    """
    return packed(element, json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def asset(name: str) -> str:
    """Read a file of the package's `assets` folder."""
    return (files("sparkhu.report") / "assets" / name).read_text(encoding="utf-8")


@cache
def page_script() -> str:
    """Give the page's own script: its files, joined inside one function so that nothing becomes global."""
    parts = "\n".join(asset(name) for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{parts}\n}})();\n'


@cache
def chart_library() -> str:
    """Read the charting library, which the `plotly` package ships, without importing that package's Python."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


@cache
def packed_chart_library() -> str:
    """Give the charting library as an inert element with the id `plotly`."""
    return packed("plotly", chart_library())


def content_policy() -> str:
    """Give the page's Content-Security-Policy: nothing is loaded, and only the page's own two scripts run."""
    hashes = " ".join(f"'sha256-{_sha256(text)}'" for text in (page_script(), chart_library()))
    return f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'"


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
