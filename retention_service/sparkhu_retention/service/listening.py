"""The sockets that the service listens on, taken before it begins."""

import errno
import socket
from contextlib import ExitStack
from typing import Any, Final

from sparkhu.errors import InputError

BACKLOG: Final = 2048
LACKING: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""A machine may have no address of a family that its names have."""
Address = tuple[socket.AddressFamily, Any]


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen at each address of a host, as far as this machine has it; of port 0 one that is free, for all of them.

    Raises:
        InputError: Another process listens there, or the host or port cannot be used.
    """
    with ExitStack() as opened:
        taken: list[socket.socket] = []
        lacking = None
        for family, address in _addresses(host, port):
            free = taken[0].getsockname()[1] if taken else port
            try:
                taken.append(opened.enter_context(_listening((family, (address[0], free, *address[2:])))))
            except OSError as error:
                if error.errno not in LACKING:
                    raise _refused(host, free, error) from None
                lacking = error
        if lacking is not None and not taken:
            raise _refused(host, port, lacking)
        opened.pop_all()
    return taken


def _addresses(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise _refused(host, port, error) from None
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _listening(at: Address) -> socket.socket:
    family, address = at
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _refused(host: str, port: int, error: Exception) -> InputError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return InputError(
            f"port {port} of '{host}' is taken: another process listens there, perhaps another sparkhu retention "
            "serve. End that one, or give another port: --port N."
        )
    if number in (errno.EACCES, errno.EPERM):
        return InputError(f"port {port} of '{host}' is not for this user. Give one above 1023: --port N.")
    said = getattr(error, "strerror", None) or str(error)
    return InputError(f"host '{host}' is no address of this machine ({said}). Give another: --host ADDRESS.")
