"""Start Java for a Spark of this machine, with settings that no command line shows.

PySpark alone would put every setting on the command line of Java, which everybody on the machine may read: a key of an
object store, say. Here they lie in a file that this user alone may read, until Java has read it.
"""

import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sparkhu.engines.base import environment

_ARGUMENTS: Final = "PYSPARK_SUBMIT_ARGS"
_PLAIN: Final = re.compile(r"[\w.\-]", re.ASCII)


def start_java(conf: Mapping[str, str]) -> None:
    """Start the Java that Spark runs in, unless this process has one.

    Args:
        conf: Spark's settings, the master among them; they win over those of `spark-defaults.conf`.

    Raises:
        PySparkRuntimeError: Java ended at once.
    """
    from pyspark import SparkContext

    with TemporaryDirectory(prefix="sparkhu-spark-") as folder:
        file = Path(folder) / "spark.properties"
        file.touch(mode=0o600)
        file.write_text(properties(conf), "ascii")
        told = os.environ.get(_ARGUMENTS, "pyspark-shell")
        ours = f"--load-spark-defaults --properties-file {shlex.quote(str(file))}"
        with environment({_ARGUMENTS: f"{ours} {told}"}):
            SparkContext._ensure_initialized()  # noqa: SLF001 - the one way to start Java before there is a context


def properties(conf: Mapping[str, str]) -> str:
    r"""Write settings as a file of properties, as `java.util.Properties` reads them.

    Example:
        >>> properties({"spark.app.name": "a b"})
        'spark.app.name=a\\u0020b\n'
    """
    return "".join(f"{_escaped(name)}={_escaped(value)}\n" for name, value in conf.items())


def _escaped(text: str) -> str:
    return "".join(each if _PLAIN.match(each) else _unit_codes(each) for each in text)


def _unit_codes(character: str) -> str:
    """Give the UTF-16 code units of a character, as Java's escapes are."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
