"""Compile a loop, and keep the result on disk so that no later run compiles it again.

What was compiled lies in `kernels` in the user's cache folder, or where numba's own `NUMBA_CACHE_DIR` says. An entry is
valid for one state of all sources of this package, as loops call one another across files; for one version of numba,
and for one type of processor. An entry is one file that says itself what it is of, written whole or not at all, so that
processes may compile the same loops at the same time. A folder that can be read but not written is read. One that
somebody else could have written to is not, as what lies there is code. What is not there is compiled in memory, and the
log says once that it could not be kept.
"""

import hashlib
import logging
import os
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar, cast

import numba
from numba.core import config
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile, UserProvidedCacheLocator
from platformdirs import user_cache_path

F = TypeVar("F", bound=Callable[..., Any])

logger = logging.getLogger(__name__)
FASTMATH = {"reassoc", "contract", "nsz"}
"""Sums may be taken in another order and multiplied in one go with them; NaN and infinity stay what they are."""


def compiled(function: F) -> F:
    """Compile a function when it is called first, unless an earlier run did.

    It holds no lock of Python's while it runs, checks no index, and divides by zero as NumPy does.
    """
    if config.DISABLE_JIT:
        return function
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", fastmath=FASTMATH, no_cfunc_wrapper=True)(function)
    dispatcher._cache = _Kept(function)  # noqa: SLF001 - numba's own `cache=True` knows neither our folder nor our files
    return cast(F, dispatcher)


def folder() -> Path:
    """Say where compiled loops are kept."""
    return Path(config.CACHE_DIR or user_cache_path("sparkhu")) / "kernels"


@cache
def _sources() -> str:
    """Give a name to the present state of all files of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


@cache
def _say_not_kept(reason: str) -> None:
    logger.warning(
        "compiled loops cannot be kept in %s (%s): every process compiles them anew, which takes seconds. "
        "Make that folder writable, or name another one in NUMBA_CACHE_DIR.",
        folder(),
        reason,
    )


class _Locator(UserProvidedCacheLocator):  # type: ignore[misc]
    """Says where the compiled form of a function lies, and of which sources it is."""

    def __init__(self, function: FunctionType, file: str) -> None:
        super().__init__(function, file)
        self._cache_path = str(folder() / self.get_suitable_cache_subpath(file))

    @classmethod
    def from_function(cls, function: FunctionType, file: str) -> "_Locator":
        locator = cls(function, file)
        try:
            for place in (folder(), Path(locator.get_cache_path())):
                place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            _say_not_kept(error.strerror or str(error))
        return locator

    def get_source_stamp(self) -> str:
        return _sources()


def _distrust(path: Path) -> str:
    """Say why what lies in a folder may be somebody else's code; nothing where it is this user's or the system's."""
    found = path.stat()
    if found.st_uid not in (os.getuid(), 0):
        return "it belongs to another user"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write to it"
    return ""


class _Files(IndexDataCacheFile):  # type: ignore[misc]
    """A file for each entry, named and marked by what it is of, where numba has numbered files and an index of them.

    Two processes that write an index at the same time lose an entry of it, or give one the number of another.
    """

    def flush(self) -> None:
        """Leave damaged files to be written anew."""

    def save(self, key: object, data: object) -> None:
        self._save_data(self._name(key), (self._version, self._source_stamp, key, data))

    def load(self, key: object) -> object:
        try:
            version, stamp, found, data = self._load_data(self._name(key))
        except FileNotFoundError:
            return None
        return data if (version, stamp, found) == (self._version, self._source_stamp, key) else None

    def _name(self, key: object) -> str:
        return str(self._data_name(int(hashlib.sha256(repr(key).encode()).hexdigest()[:16], 16)))


class _Places(CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = [_Locator]  # noqa: RUF012 - a list, as numba has it


class _Kept(FunctionCache):  # type: ignore[misc]
    """What was compiled of one function, as numba keeps it; a disk that fails stops nothing."""

    _impl_class = _Places

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        path = Path(self.cache_path)
        self._cache_file = _Files(self.cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())
        if path.is_dir() and (reason := _distrust(path)):
            _say_not_kept(reason)
            self.disable()

    def load_overload(self, sig: object, target_context: object) -> object:
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # whatever a damaged file brings about, compiling helps
            logger.debug("a compiled loop cannot be read and is compiled anew: %s", self.cache_path, exc_info=True)
            return None

    def save_overload(self, sig: object, data: object) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            _say_not_kept(error.strerror or str(error))
