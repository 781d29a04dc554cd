"""Results of pipeline runs: folders that are whole once `run.json` stands in them, kept or removed as wholes."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from sparkhu.errors import SparkhuError
from sparkhu.results import REGISTRATION, RUN, UNREGISTERED
from sparkhu_retention.storages.failures import told
from sparkhu_retention.storages.files import checksum_of, copied, give_back
from sparkhu_retention.storages.ids import TOMBSTONES, checked_id, is_id
from sparkhu_retention.storages.listing import frames
from sparkhu_retention.storages.paths import Span, instant
from sparkhu_retention.storages.protocol import Buried, Exported
from sparkhu_retention.storages.renaming import make_folder, rename_over_nothing, sync
from sparkhu_retention.storages.tombstones import Tombstones, changed, occupied

LINKED = "it has symbolic links, which no archive keeps"
DAMAGED = "its run.json cannot be read"
WAITING = "its models wait for the registry: sparkhu register"


class Runs:
    """The results folders of `sparkhu run` and `sparkhu forecast` below a folder, each an item.

    A folder without `run.json` belongs to a run that is under way or failed, and is none. One whose models wait for the
    registry is held back. What is buried is moved below `_tombstones` by one rename.

    Args:
        uri: The folder.

    Raises:
        InputError: There is no such folder.
    """

    kind = "runs"

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._tombstones = Tombstones(uri.removeprefix("file://"), _content, _size)
        self._root = self._tombstones.root

    def items(self) -> Iterator[pl.DataFrame]:
        """List the runs; what is buried is not among them."""
        return frames(self._rows(), ("id", "dataset", "line", "start", "end", "bytes", "content", "tags", "holds"))

    def export(self, contents: Mapping[str, str], folder: Path) -> Iterator[Exported]:
        """Copy the files of runs as they are."""
        for item, content in contents.items():
            run = self._tombstones.place(item)
            if self._tombstones.content(run) != content:
                raise changed(item, self.uri)
            with told("export", run):
                exported = [copied(item, path, folder / item / path.relative_to(run), folder) for path in _files(run)]
            if self._tombstones.content(run) != content:
                raise changed(item, self.uri)
            yield from exported

    def bury(self, contents: Mapping[str, str], mark: str) -> None:
        """Move runs below `_tombstones`, a rename each."""
        self._tombstones.bury(contents, mark)

    def buried(self) -> Iterator[Buried]:
        """List what lies below `_tombstones`."""
        return self._tombstones.buried()

    def unbury(self, ids: Sequence[str], mark: str) -> None:
        """Move runs back."""
        self._tombstones.unbury(ids, mark)

    def purge(self, ids: Sequence[str], mark: str) -> int:
        """Remove runs from below `_tombstones`."""
        return self._tombstones.purge(ids, mark)

    def put_back(self, archived: Iterable[Exported], folder: Path) -> None:
        """Write runs anew; each appears whole or not at all."""
        files: dict[str, list[Exported]] = {}
        for each in archived:
            files.setdefault(self._checked(each), []).append(each)
        for item, some in files.items():
            run = self._tombstones.place(item)
            with told("put back", run):
                self._put_back(run, {each.path.removeprefix(f"{item}/"): each for each in some}, folder)

    def _put_back(self, run: Path, files: Mapping[str, Exported], folder: Path) -> None:
        if os.path.lexists(run):
            there = {path.relative_to(run).as_posix(): checksum_of(path) for path in _files(run)}
            if there != {name: each.sha256 for name, each in files.items()}:
                raise occupied(run)
            return
        draft = self._tombstones.draft()
        try:
            for name, each in files.items():
                target = draft / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / each.path, target)
                if checksum_of(target) != each.sha256:
                    raise SparkhuError(
                        f"'{folder / each.path}' is damaged: its checksum is not that of '{run / name}'."
                    )
                give_back(each.kept, target)
            make_folder(run.parent)
            try:
                rename_over_nothing(draft, run)
            except FileExistsError:
                raise occupied(run) from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync(run.parent)

    def _checked(self, each: Exported) -> str:
        """Give the run that a file of an archive belongs to, and see that it lies in it."""
        item = checked_id(each.id, str(self._root))
        name = checked_id(each.path, item)
        return item if name.startswith(f"{item}/") else checked_id(f"../{name}", item)

    def _rows(self) -> Iterator[tuple[object, ...]]:
        with told("list", self._root):
            for folder, names, files in os.walk(self._root, onerror=_raise):
                names[:] = sorted(name for name in names if name != TOMBSTONES)
                item = Path(folder).relative_to(self._root).as_posix()
                if RUN in files and is_id(item):
                    names.clear()
                    yield _row(item, Path(folder))


def _row(item: str, run: Path) -> tuple[object, ...]:
    pipeline, span, holds = _record(run / RUN)
    where = item.rpartition("/")[0]
    dataset = "/".join(part for part in (where, pipeline) if part)
    if _is_waiting(run):
        holds.append(WAITING)
    if any(path.is_symlink() for path in run.rglob("*")):
        holds.append(LINKED)
    return item, dataset, dataset, *span, _size(run), _content(run), [f"pipeline={pipeline}"], holds


def _record(path: Path) -> tuple[str, Span, list[str]]:
    """Read what ran and when; a file that cannot be read holds its run back."""
    try:
        content = json.loads(path.read_bytes())
        first, last = (datetime.fromisoformat(content[name]).astimezone(UTC) for name in ("started", "finished"))
        return str(content["pipeline"]), (first, max(last, instant(first)[1])), []
    except (ValueError, KeyError, TypeError):
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return "unknown", instant(written), [DAMAGED]


def _is_waiting(run: Path) -> bool:
    """Tell whether a run keeps models that are still to be registered."""
    told_later = run / UNREGISTERED / REGISTRATION
    if not told_later.is_file():
        return False
    try:
        return not json.loads(told_later.read_bytes()).get("registered_at")
    except (ValueError, AttributeError):
        return True


def _files(run: Path) -> list[Path]:
    return sorted(path for path in run.rglob("*") if path.is_file() and not path.is_symlink())


def _content(run: Path) -> str | None:
    """Tell a run's content by the names, sizes and times of its files; null where there is none."""
    if run.is_symlink() or not (run / RUN).is_file():
        return None
    digest = hashlib.sha256()
    for path in sorted(run.rglob("*")):
        status = path.lstat()
        if not path.is_dir() or path.is_symlink():
            told_of = (path.relative_to(run).as_posix(), status.st_size, status.st_mtime_ns)
            digest.update(repr(told_of).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _size(run: Path) -> int:
    return sum(path.lstat().st_size for path in _files(run))


def _raise(error: OSError) -> None:
    raise error
