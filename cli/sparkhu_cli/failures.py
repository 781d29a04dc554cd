"""How a command ends: 0 done, 2 the user's input, 1 a failure of ours or of a system around us, 130 Ctrl-C."""

import errno
import logging
import os
from typing import Final

import click

from sparkhu.errors import SparkhuError
from sparkhu_cli.session import Session

INTERRUPTED: Final = 130
# EFBIG: a limit on the size of files ends a write like a full disk does.
FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
MAKE_ROOM: Final = "Nothing was left half-written; make room on the disk and run again."
EXTRAS: Final = {
    **dict.fromkeys(("sparkhu_retention", "alembic", "croniter", "fastapi", "minio", "uvicorn"), "retention"),
    **dict.fromkeys(("sparkhu_pipelines", "sparkhu_components", "kfp", "mlflow"), "pipelines"),
    **dict.fromkeys(("kubeflow_katib_api", "re2", "kubernetes", "cmaes", "sklearn", "yaml"), "tuning"),
}
"""Which extra installs a module that a command may lack."""

logger = logging.getLogger(__name__)


def exit_code_of(error: BaseException, session: Session) -> int:
    """Say on stderr, in one message, why a command ends, and give its exit code.

    The traceback of an unexpected failure goes to the log. A broken pipe goes on: click ends it in silence.
    """
    if isinstance(error, KeyboardInterrupt | click.Abort):
        _say("interrupted; nothing was written", session)
        return INTERRUPTED
    if isinstance(error, OSError) and error.errno == errno.EPIPE:
        raise error
    if not isinstance(error, Exception):
        raise error
    if session.log is not None:
        logger.error("the command failed", exc_info=error)
    if isinstance(error, SparkhuError):
        _say(_with_way_out(str(error)), session)
        return error.exit_code
    if isinstance(error, OSError):
        _say(_about_system(error), session)
        return 1
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    if missing in EXTRAS:
        _say(f"this command needs '{missing}'. Install it with: pip install 'sparkhu[{EXTRAS[missing]}]'", session)
        return 1
    if session.log is None:
        session.open_log("failure")
        logger.error("the command failed", exc_info=error)
    _say(f"unexpected failure: {type(error).__name__}: {error}", session)
    return 1


def _about_system(error: OSError) -> str:
    place = f" '{error.filename}'" if error.filename else ""
    if error.errno in FULL:
        return f"the disk is full: cannot write{place}. {MAKE_ROOM}"
    return f"{error.strerror or error}:{place or ' (no file named)'}"


def _with_way_out(message: str) -> str:
    """Say what to do about a full disk, which a step knows by the system's words alone."""
    full = any(os.strerror(code) in message for code in FULL)
    return f"{message} {MAKE_ROOM}" if full else message


def _say(message: str, session: Session) -> None:
    click.echo(f"{click.style('Error', fg='red')}: {message}", err=True)
    if session.log is not None and str(session.log) not in message:
        click.echo(f"Log: {session.log}", err=True)
