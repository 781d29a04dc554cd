"""A command that shows an example in its help and takes `-v`, before or after its name."""

from typing import Any

import click

from sparkhu_cli.session import Session


class Documented(click.Command):
    """A command with examples.

    Args:
        arguments: What a click command takes.
        example: Lines that a user may type, as they stand.
        options: What a click command takes.
    """

    def __init__(self, *arguments: Any, example: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.example = example
        self.params.append(_verbose_option())

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples below the options."""
        super().format_epilog(ctx, formatter)
        write_example(self.example, formatter)


def write_example(example: str, formatter: click.HelpFormatter) -> None:
    """Write example lines as they stand, under a heading."""
    formatter.write_paragraph()
    with formatter.section("Example"):
        for line in example.strip().splitlines():
            formatter.write(f"{'':>{formatter.current_indent}}{line.strip()}\n")


def _verbose_option() -> click.Option:
    def set_verbose(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.ensure_object(Session).verbose = True

    text = "Show the log, and the traceback of a failure."
    return click.Option(["-v", "--verbose"], is_flag=True, expose_value=False, callback=set_verbose, help=text)
