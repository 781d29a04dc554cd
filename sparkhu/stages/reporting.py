"""Write the report of a run."""

from pathlib import Path
from typing import Any

from sparkhu.execution import recorded
from sparkhu.report import write_report


def render_report(results: Path | str, *, out: Path | str) -> dict[str, Any]:
    """Explain a results folder in one HTML file.

    Args:
        results: The folder that `publish_results` wrote.
        out: The file to write; it appears whole or not at all.

    Returns:
        The size of the file, for the artifact's metadata.
    """
    with recorded("render_report", inputs=[results], outputs=[]):
        write_report(Path(results), Path(out))
    return {"bytes": Path(out).stat().st_size}
