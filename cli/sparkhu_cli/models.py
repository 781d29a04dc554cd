"""`sparkhu models`: what is registered."""

from typing import TYPE_CHECKING

import click

from sparkhu_cli.documented import Documented

if TYPE_CHECKING:
    from sparkhu.registry.listing import RegisteredModel, RegisteredVersion
    from sparkhu_cli.terminal import Terminal


@click.command(
    cls=Documented,
    short_help="List the registered models, or the versions of one.",
    example="sparkhu models forecaster",
)
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the registered models, or the versions of the model NAME with what they were judged by.

    The champion is the version that forecasts; sparkhu rollback makes an earlier one champion again.
    """
    from sparkhu.registry.listing import list_models, list_versions
    from sparkhu_cli.terminal import Terminal

    terminal = Terminal()
    if name is None:
        _show_models(list_models(), terminal)
    else:
        _show_versions(name, list_versions(name), terminal)


def _show_models(found: "list[RegisteredModel]", terminal: "Terminal") -> None:
    if not found:
        terminal.line("No model is registered yet: sparkhu run trains one.")
        return
    rows = [(model.name, str(model.versions), model.champion or "none") for model in found]
    terminal.table(("model", "versions", "champion"), rows, "<>>")  # type: ignore[arg-type]


def _show_versions(name: str, found: "list[RegisteredVersion]", terminal: "Terminal") -> None:
    from sparkhu_cli.terminal import number_text

    rows = [
        (
            version.number,
            "champion" if version.champion else "",
            version.flavor,
            f"{version.made:%Y-%m-%d %H:%M} UTC",
            f"{version.metric} {number_text(version.score)}".strip(),
            version.window,
        )
        for version in found
    ]
    header = ("version", "", "model", "registered", "score", "on")
    terminal.table(header, rows, "><<<<<")  # type: ignore[arg-type]
    champion = next((version for version in found if version.champion), None)
    if champion is not None and champion.reason:
        terminal.line()
        terminal.line(f"champion of '{name}' is version {champion.number}: {champion.reason}")
