"""What `sparkhu metadata` does with the catalogue, and what it says of it."""

import shlex
from typing import TYPE_CHECKING, Any, Final

from sparkhu_cli.terminal import OK, SKIPPED, Terminal

if TYPE_CHECKING:
    import polars as pl

FIRST: Final = "sparkhu metadata sync --metadata sensors.csv"


def sync_catalogue(uri: str, options: dict[str, Any], terminal: Terminal) -> None:
    """Bring the catalogue to what a source says, and say what changed.

    Raises:
        InputError: The source cannot be used, or contradicts itself; nothing is written.
        SparkhuError: The catalogue's database cannot be used.
    """
    from sparkhu.catalogue import read_metadata
    from sparkhu.catalogue.store import catalogue_url
    from sparkhu.catalogue.syncing import sync
    from sparkhu.sections import Catalogue
    from sparkhu.sources.secrets import redacted

    found = read_metadata(uri, Catalogue.of(options))
    for note in found.notes:
        terminal.aside(note)
    for doubt in found.doubts:
        terminal.marked("!", doubt)
    counts = sync(found.frame, found.name)
    changes = ", ".join(f"{count:,} {name}" for name, count in counts._asdict().items())
    terminal.marked(OK, f"metadata of {found.frame.height:,} series: {changes}")
    terminal.line(f"Catalogue: {redacted(catalogue_url())}")
    terminal.line(f"Next: sparkhu metadata show --name {shlex.quote(found.name)}")


def show_catalogue(name: str, terminal: Terminal, *, removed: bool, limit: int) -> None:
    """Show the series of the catalogue by source.

    Raises:
        InputError: No source of that name was ever synced.
        SparkhuError: The catalogue's database cannot be used.
    """
    from sparkhu.catalogue.store import catalogue_url
    from sparkhu.catalogue.syncing import catalogued, synced_sources
    from sparkhu.errors import InputError
    from sparkhu.sources.secrets import redacted

    sources = synced_sources()
    if not sources:
        terminal.line(f"the catalogue {redacted(catalogue_url())} is empty")
        terminal.line(f"Next: {FIRST}")
        return
    if name and name not in sources:
        known = ", ".join(f"'{each}'" for each in sources)
        raise InputError(f"the catalogue has no source '{name}' (--name); it has {known}.")
    table = catalogued(name, removed=removed)
    for source, moment in sources.items():
        series = table.filter(source=source)
        if not name or name == source:
            terminal.line(f"{source}: {_counted(series)}, synced {moment:%Y-%m-%d %H:%M} UTC")
            _show_series(series, terminal, removed=removed, limit=limit)


def _counted(series: "pl.DataFrame") -> str:
    removed = series["removed_at"].count()
    return f"{series.height - removed:,} series" + (f", {removed:,} removed" if removed else "")


def _show_series(series: "pl.DataFrame", terminal: Terminal, *, removed: bool, limit: int) -> None:
    """Write one line a series; columns that no series has are left out."""
    shown = [name for name in series.columns[1:-3] if series[name].count()]
    rows = series.head(limit) if limit else series
    header = [*shown, *(["removed"] if removed else [])]
    if not rows.height:
        return
    cells = [[_cell(row[name]) for name in shown] for row in rows.to_dicts()]
    if removed:
        moments = [f"{moment:%Y-%m-%d %H:%M}" if moment else SKIPPED for moment in rows["removed_at"]]
        cells = [[*line, moment] for line, moment in zip(cells, moments, strict=True)]
    terminal.table(header, cells, [">" if name in _NUMBERS else "<" for name in header])
    if rows.height < series.height:
        terminal.aside(f"and {series.height - rows.height:,} more; --limit 0 shows all")


_NUMBERS: Final = ("valid_min", "valid_max", "alert_low", "alert_high")


def _cell(value: object) -> str:
    if value is None:
        return SKIPPED
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
