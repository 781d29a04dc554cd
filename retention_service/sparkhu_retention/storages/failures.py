"""What the file system refuses, in words that name the file."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from sparkhu.errors import InputError, SparkhuError


@contextmanager
def told(action: str, place: object) -> Iterator[None]:
    """Turn an error of the operating system into one of ours; `action` is a verb, `place` what it was done to.

    Raises:
        InputError: The place may not be used.
        SparkhuError: The disk is full, or fails.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or type(error).__name__
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise InputError(f"cannot {action} '{place}': {said}. Give the service leave to use it.") from error
        if error.errno == errno.EXDEV:
            raise InputError(
                f"cannot {action} '{place}': it lies on another file system than its root. Name the two as storages "
                "of their own."
            ) from error
        hint = " Free some space." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        raise SparkhuError(f"cannot {action} '{place}': {said}.{hint}") from error
