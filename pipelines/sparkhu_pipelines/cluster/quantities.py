"""Values of cluster settings as Kubernetes writes them: quantities, names, variables, durations, addresses."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from sparkhu.sources.secrets import redacted

CPU: Final = re.compile(r"\d*\.?\d+m?")
MEMORY: Final = re.compile(r"(\d+)(k|[MGTPE]|[KMGTPE]i)?")
"""Kubernetes writes k for a thousand, and K in Ki alone."""
LENGTH: Final = re.compile(r"(\d+)(s|m|h|d)?")
SECONDS: Final = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
SCALES: Final = {letter: power for power, letter in enumerate("KMGTPE", start=1)}
NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
VARIABLE: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)
IMAGE_PREFIX: Final = re.compile(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
ROOT: Final = re.compile(r"(s3|minio|gs)://[^/?#\s]+\S*")
ACCELERATOR: Final = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")


def cores(cpu: str) -> float:
    """Give a quantity of processors in cores.

    Example:
        >>> cores("500m")
        0.5
    """
    return float(cpu.removesuffix("m")) / (1000 if cpu.endswith("m") else 1)


def megabytes(memory: str) -> float:
    """Give a quantity of memory in millions of bytes.

    Example:
        >>> megabytes("2Ki")
        0.002048
    """
    found = MEMORY.fullmatch(memory)
    assert found is not None, memory
    number, unit = found.groups()
    base = 1024 if unit and unit.endswith("i") else 1000
    return float(int(number) * base ** SCALES.get((unit or "")[:1].upper(), 0) / 1e6)


def _text(value: Any) -> Any:
    """Take a number that YAML read for the text that it stands for."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _of(pattern: re.Pattern[str], what: str, *, empty: bool = False) -> AfterValidator:
    def check(value: str) -> str:
        if not (pattern.fullmatch(value) or (empty and not value)):
            raise ValueError(what)
        return value

    return AfterValidator(check)


def _above_zero(measured: Callable[[str], float], what: str) -> AfterValidator:
    def check(value: str) -> str:
        if measured(value) <= 0:
            raise ValueError(what)
        return value

    return AfterValidator(check)


def _seconds(value: Any) -> Any:
    found = LENGTH.fullmatch(str(value)) if not isinstance(value, bool) else None
    if not found:
        raise ValueError("write a whole number and s, m, h or d, such as 90m")
    return int(found[1]) * SECONDS[found[2]]


def _open(value: str) -> str:
    """Refuse a password in a value that everyone on the cluster may read."""
    if redacted(value) != value:
        raise ValueError(
            "it holds a password, which everyone on the cluster could read; put it into a Kubernetes secret"
        )
    return value


CPU_WAY: Final = "write cores or thousandths of one, such as 2, 0.5 or 500m"
MEMORY_WAY: Final = "write a whole number and a unit, such as 512Mi or 4Gi"
NAME_WAY: Final = "names in Kubernetes are of small letters, digits, '-' and '.'"
VARIABLE_WAY: Final = "names of variables are of letters, digits and _, and do not begin with a digit"

Cpu = Annotated[str, BeforeValidator(_text), _of(CPU, CPU_WAY), _above_zero(cores, CPU_WAY)]
Memory = Annotated[str, BeforeValidator(_text), _of(MEMORY, MEMORY_WAY), _above_zero(megabytes, MEMORY_WAY)]
Seconds = Annotated[int, BeforeValidator(_seconds)]
Name = Annotated[str, _of(NAME, NAME_WAY)]
Variable = Annotated[str, _of(VARIABLE, VARIABLE_WAY)]
Address = Annotated[str, BeforeValidator(_text), AfterValidator(_open)]
Accelerator = Annotated[str, _of(ACCELERATOR, "write the name of the resource, such as nvidia.com/gpu")]
Root = Annotated[str, _of(ROOT, "write s3://BUCKET/PREFIX, minio://… or gs://…", empty=True), AfterValidator(_open)]
Registry = Annotated[
    str, _of(IMAGE_PREFIX, "write HOST or HOST/PATH without a scheme, such as registry.example.org/team", empty=True)
]
