import io
import threading

import pytest

from sparkhu.errors import InputError
from sparkhu.sources.contents import Content


class Watched(io.BytesIO):
    """Tells of each read that it has begun."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads = [threading.Event() for _ in range(4)]

    def read(self, size: int | None = -1) -> bytes:
        next(begun for begun in self.reads if not begun.is_set()).set()
        return super().read(size)


class Breaking(io.BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError("connection reset")
        return super().read(size)


def test_the_next_chunk_is_read_while_the_caller_has_this_one() -> None:
    file = Watched(b"ds,y\n1,2\n")
    chunks = Content("a.csv", lambda: file, "a.csv").chunks(5)
    assert next(chunks) == b"ds,y\n"
    assert file.reads[1].wait(timeout=10)
    assert list(chunks) == [b"1,2\n"]


def test_a_caller_that_stops_early_leaves_no_thread_and_closes_the_file() -> None:
    file, before = Watched(b"ds,y\n1,2\n"), threading.active_count()
    chunks = Content("a.csv", lambda: file, "a.csv").chunks(2)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert file.closed
    assert threading.active_count() == before


def test_a_file_that_breaks_off_is_told_with_how_far_it_was_read() -> None:
    content = Content("a.csv", lambda: Breaking(b"ds,y\n1,2\n"), "a.csv")
    with pytest.raises(InputError, match=r"'a\.csv' cannot be read: connection reset, behind line 1 \(byte 5\)"):
        list(content.chunks(5))
