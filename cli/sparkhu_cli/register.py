"""`sparkhu register`: register what a run kept because the registry was away."""

from pathlib import Path

import click

from sparkhu_cli.documented import Documented


@click.command(
    cls=Documented,
    short_help="Register the models of a run that found no registry.",
    example="sparkhu register results",
)
@click.argument("results", type=click.Path(path_type=Path))
def command(results: Path) -> None:
    """Register the models that the run in the folder RESULTS kept, because the registry was away when it ended.

    They are compared with the champion as the run would have done. A champion that the run could not score on its own
    windows stays. Where the registry is still away, nothing is lost: call it again.
    """
    from sparkhu.registry.registering import register_later
    from sparkhu_cli.terminal import OK, Terminal

    done = register_later(results)
    terminal = Terminal()
    models = done.evidence["models"]
    registered = ", ".join(f"{version} ({model})" for version, model in models.items())
    terminal.marked(OK, f"registered as versions {registered} of '{done.name}'")
    terminal.line(f"champion of '{done.name}' is version {done.champion}: {done.reason}")
