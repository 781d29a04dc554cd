"""Options that say what tasks are and which engine maps the steps over shards, and what follows for a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sparkhu_cli.session import Session

if TYPE_CHECKING:
    from sparkhu.settings import Settings


def _remember(ctx: click.Context, option: click.Parameter, value: Any) -> None:
    """Keep what was given; who says where Spark is wants it, unless the engine is given as well."""
    session, name = ctx.find_object(Session), str(option.name)
    if value and session is not None:
        session.engine[name] = value
        if name != "runner":
            session.engine.setdefault("engine", "spark")


def _settings_of_spark(_ctx: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.startswith("spark."):
            told = "takes NAME=VALUE with a name that begins with 'spark.', such as spark.executor.memory=4g"
            raise click.BadParameter(f"{told}; got '{text}'.")
        found[name] = value
    return found


RUNNER_OPTION: Callable[..., Any] = click.option(
    "--runner",
    type=click.Choice(["subprocess", "docker"]),
    expose_value=False,
    callback=_remember,
    help="What tasks are: processes, or containers of the images that a cluster runs.  [SPARKHU_RUNNER, else "
    "subprocess]",
)
ENGINE_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option(
        "--engine",
        type=click.Choice(["local", "spark"]),
        expose_value=False,
        callback=_remember,
        help="What steps run on: processes of this machine, or Spark.  [SPARKHU_ENGINE, else local]",
    ),
    click.option(
        "--spark-master",
        metavar="URL",
        expose_value=False,
        callback=_remember,
        help="local[2], spark://HOST:PORT, yarn, or sc://HOST:PORT for Spark Connect.  [SPARKHU_SPARK_MASTER, else "
        "all cores of this machine]",
    ),
    click.option(
        "--spark-conf",
        multiple=True,
        metavar="NAME=VALUE",
        expose_value=False,
        callback=lambda ctx, option, texts: _remember(ctx, option, _settings_of_spark(ctx, option, texts)),
        help="A setting of Spark, such as spark.executor.memory=4g; may be given often.  [SPARKHU_SPARK_CONF]",
    ),
)


def engine_settings(session: Session) -> "Settings":
    """Give the settings of this call: what options say wins over the environment.

    Raises:
        InputError: A setting cannot be used, or Spark is told something and not wanted.
    """
    from sparkhu.errors import InputError
    from sparkhu.settings import Settings

    settings = Settings(**session.engine)
    if settings.engine != "spark" and session.engine.keys() - {"engine", "runner"}:
        raise InputError("--spark-master and --spark-conf are for --engine spark, got --engine local. Leave one out.")
    return settings


def runner_of(session: Session) -> str:
    """Say what the tasks of a run are: `subprocess` or `docker`.

    Raises:
        InputError: A setting cannot be used, or containers are wanted to work with Spark.
    """
    from sparkhu.errors import InputError

    settings = engine_settings(session)
    if settings.engine == "spark" and settings.runner == "docker":
        told = "got --engine spark, or SPARKHU_ENGINE=spark. Leave one of them out, or say --engine local."
        raise InputError(f"--runner docker runs steps in an image without Spark; {told}")
    return settings.runner


@contextmanager
def engine_of(session: Session, *, log: Path) -> Iterator[dict[str, str]]:
    """Give the variables that tell the steps of a run their engine; Spark is started once for all of them.

    Raises:
        InputError: A setting cannot be used, or Spark or Java is not installed.
        SparkhuError: Spark cannot be reached, or does not start.
    """
    settings = engine_settings(session)
    if settings.engine != "spark":
        yield settings.engine_variables()
        return
    from sparkhu.engines.spark.masters import check_master, check_reachable, is_connect
    from sparkhu.engines.spark.serving import served

    if is_connect(check_master(settings.spark_master)):
        check_reachable(settings.spark_master)
        yield settings.engine_variables()
        return
    with served(settings.spark_master, settings.spark_conf, log) as variables:
        yield variables
