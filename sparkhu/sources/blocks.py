"""Text of any size in blocks of whole lines, which can be gone over several times."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from sparkhu.sources.parts import Scratch, unreadable, written


class Blocks:
    """Blocks of text; the first stays in memory, the others lie in the scratch folder where there is one.

    Args:
        blocks: The text as UTF-8, cut at line ends.
        scratch: Where they are kept.
    """

    def __init__(self, blocks: Iterable[bytes], scratch: Scratch) -> None:
        self._kept: list[bytes | Path] = []
        for block in blocks:
            self._kept.append(block if scratch.folder is None or not self._kept else _left(block, scratch))

    def __iter__(self) -> Iterator[bytes]:
        return map(_read, self._kept)

    def taken(self) -> Iterator[bytes]:
        """Give the blocks for the last time; each is removed before the next one is read."""
        for block in self._kept:
            yield _read(block)
            if isinstance(block, Path):
                block.unlink()


def _left(block: bytes, scratch: Scratch) -> Path:
    path = scratch.new_file()
    with written(path) as file:
        file.write(block)
    return path


def _read(block: bytes | Path) -> bytes:
    if isinstance(block, bytes):
        return block
    try:
        return block.read_bytes()
    except OSError as error:
        raise unreadable(block, error) from error
