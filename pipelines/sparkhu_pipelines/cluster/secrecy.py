"""Variables and addresses of a cluster's settings: none holds a secret, which everyone on the cluster could read."""

import re
from typing import TYPE_CHECKING, Final

from sparkhu.errors import InputError
from sparkhu.sources.secrets import redacted

if TYPE_CHECKING:
    from sparkhu_pipelines.cluster.settings import Cluster

NOUN: Final = "cluster setting"
MASTER, CONF = "SPARKHU_SPARK_MASTER", "SPARKHU_SPARK_CONF"
OURS: Final = ("SPARKHU_CODE_VERSION", "SPARKHU_IMAGE", "SPARKHU_ENGINE", MASTER, CONF)
"""Variables that are set from other settings."""
OF_ENGINE: Final = {MASTER: "engine.master", CONF: "engine.conf"}
"""Those that may hold a secret: a Kubernetes secret may give them in place of the setting."""
SECRET: Final = re.compile(
    r"(?i)(passwd|password|passphrase|secret|token|credentials?|cookie|(secret|access|api|private)_?key|(^|_)(pass|pwd))"
    r"_?\d*$"
)
"""Names of variables that hold a secret; names that go on, as in `…_FILE`, say where one is."""
FILE: Final = re.compile(r"(?i)credentials?$")
"""Names of variables that hold a secret, or the path of a file with one: GOOGLE_APPLICATION_CREDENTIALS."""
SPARK_SECRET: Final = re.compile(
    r"(?i)secret|passw|passphrase|token|credential|(account|private|session|encryption)[._-]?key"
)
"""Names of Spark's settings that hold a secret: those that Spark hides (`spark.redaction.regex`), and keys."""
SPARK_OPEN: Final = re.compile(
    r"(?i)^spark\.kubernetes\.(driver|executor)\.(secrets|secretKeyRef)\.|(file|path|dir|provider|enabled|class|ur[il])s?$"
)
"""Names of those that say where a secret is, or how it is found."""


def check_variables(cluster: "Cluster") -> None:
    """Check that each variable is set once, by whom it may be, and holds no secret in the clear.

    Raises:
        InputError: One does not; the message names it, and never a secret.
    """
    seen = dict.fromkeys(cluster.environment, "environment")
    for secret, keys in cluster.secrets.items():
        for variable in keys.values():
            if variable in seen:
                raise _twice(variable, seen[variable], f"secrets.{secret}")
            seen[variable] = f"secrets.{secret}"
    for name, value in cluster.environment.items():
        if SECRET.search(name) and not (FILE.search(name) and value.startswith("/")):
            raise InputError(f"{NOUN} 'environment.{name}' is a secret by its name. Put it into a Kubernetes secret.")
    for name, place in seen.items():
        if name in OF_ENGINE and place == "environment":
            way = f"Set {OF_ENGINE[name]}, or give the variable under secrets."
            raise InputError(f"{NOUN} '{place}.{name}' is not yours to set: Sparkhu sets it. {way}")
        if name in OURS and name not in OF_ENGINE:
            raise InputError(f"{NOUN} '{place}.{name}' is not yours to set: Sparkhu sets it. Leave it out.")


def check_engine(cluster: "Cluster") -> None:
    """Check that Spark is told of once, whole, and without a secret in the clear.

    Raises:
        InputError: It is not; the message names the setting, and never a secret.
    """
    engine, hidden = cluster.engine, cluster.hidden
    for variable, value in ((MASTER, engine.master), (CONF, engine.conf)):
        if value and variable in hidden:
            raise _twice(variable, OF_ENGINE[variable], "secrets")
    if (engine.kind == "spark") != bool(engine.master or MASTER in hidden):
        told = f"kind: spark and a master belong together; give both or neither. A secret may give it, as {MASTER}."
        raise InputError(f"{NOUN} 'engine' cannot be: {told}")
    if engine.kind != "spark" and CONF in hidden:
        raise InputError(f"{NOUN} 'secrets' gives {CONF}, which is for kind: spark. Leave it out, or set engine.kind.")
    if redacted(engine.master) != engine.master:
        raise _open("engine.master", MASTER)
    for name, value in engine.conf.items():
        if _holds_secret(name, value):
            raise _open(f"engine.conf.{name}", CONF)


def _holds_secret(name: str, value: str) -> bool:
    if redacted(value) != value:
        return True
    if SPARK_OPEN.search(name):
        return False
    told = f"{name}={value}"
    return bool(value) and (redacted(told) != told or SPARK_SECRET.search(name) is not None)


def _twice(variable: str, first: str, second: str) -> InputError:
    return InputError(f"variable {variable} is set twice, by {first} and {second}. Drop one.")


def _open(name: str, variable: str) -> InputError:
    way = f"put it into a Kubernetes secret, and give that as {variable}: `secrets: {{SECRET: {{KEY: {variable}}}}}`"
    return InputError(f"{NOUN} '{name}' holds a password, which everyone on the cluster could read; {way}.")
