"""What processes of this machine are seen to be: their parents, command lines, environments and sockets."""

from contextlib import suppress
from pathlib import Path

LISTENS = "0A"


def below(pid: int) -> list[int]:
    """List the processes that a process began, and those that these began."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def told(pid: int, name: str) -> str:
    """Read `cmdline` or `environ` of a process, a line a part; nothing where it has ended."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().replace(b"\0", b"\n").decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def listening(pids: list[int]) -> set[str]:
    """Give the addresses on which processes listen, in the hexadecimal of Linux's tables."""
    sockets = set()
    for path in (path for pid in pids for path in Path("/proc").glob(f"{pid}/fd/*")):
        with suppress(FileNotFoundError, ProcessLookupError):
            sockets.add(str(path.readlink()))
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path("/proc/net", table).read_text().splitlines()[1:]]
    return {row[1].split(":")[0] for row in rows if row[3] == LISTENS and f"socket:[{row[9]}]" in sockets}


def running(pid: int) -> bool:
    """Say whether a process has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
