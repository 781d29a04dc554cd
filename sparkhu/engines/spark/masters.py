"""Addresses of Spark: what one looks like, and whether anybody answers there."""

import re
import socket
from typing import Final
from urllib.parse import urlsplit

from sparkhu.errors import InputError, SparkhuError

CONNECT: Final = "sc://"
SECONDS_TO_ANSWER = 5.0
_CORES = r"(\*|[1-9]\d*)"
_KNOWN: Final = re.compile(
    rf"local(\[{_CORES}(,\s*\d+)?\])?|local-cluster\[\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\]|yarn|k8s://.+"
    r"|spark://[^\s:,/]+:\d+(,[^\s:,/]+:\d+)*|sc://[^\s/;]+(/(;\S*)?)?"
)


def check_master(master: str) -> str:
    """Give the address back if Spark knows such addresses.

    Raises:
        InputError: It does not.
    """
    if not _KNOWN.fullmatch(master):
        raise InputError(
            f"Spark's master '{without_secrets(master)}' is no address that Spark knows. Give local[2], "
            "spark://HOST:PORT, yarn, k8s://HOST:PORT, or sc://HOST:PORT for Spark Connect."
        )
    return master


def is_connect(master: str) -> bool:
    """Tell whether an address is that of a Spark Connect server."""
    return master.startswith(CONNECT)


def is_local(master: str) -> bool:
    """Tell whether the executors run on this machine, in processes that the session itself starts."""
    return master.startswith("local")


def check_reachable(master: str) -> None:
    """Try to reach the master; Spark itself would try for minutes, and say less.

    Raises:
        SparkhuError: Nobody answers; of several masters, at none of their addresses.
    """
    places = _places(master)
    refusals = [refusal for host, port in places if (refusal := _refusal(host, port))]
    if places and len(refusals) == len(places):
        raise SparkhuError(
            f"Spark cannot be reached: {'; '.join(refusals)}. "
            f"Start it there, or name another master than '{without_secrets(master)}'."
        )


def _places(master: str) -> list[tuple[str, int]]:
    if is_connect(master):
        parts = urlsplit(master.split(";", maxsplit=1)[0])
        return [(parts.hostname or "", parts.port or 15002)]
    if master.startswith("spark://"):
        found = (place.rsplit(":", 1) for place in master.removeprefix("spark://").split(","))
        return [(host, int(port)) for host, port in found]
    return []


def _refusal(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), SECONDS_TO_ANSWER).close()
    except OSError as error:
        return f"nobody answers at {host}:{port} ({error.strerror or error})"
    return ""


def without_secrets(master: str) -> str:
    """Leave out the options of a Connect address, among which a token may be."""
    place = master.split(";", maxsplit=1)[0]
    return place if place.endswith("://") else place.rstrip("/")
