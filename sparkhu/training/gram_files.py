"""A group's Gram matrices in a file: all that a trial of the linear model needs to know of the data."""

from typing import NamedTuple

import numpy as np

from sparkhu.errors import SparkhuError
from sparkhu.training.gram import Gram, GroupGram

PARTS = ("train", "choose", "rest")


class GramFile(NamedTuple):
    """What the file holds."""

    gram: GroupGram
    season_length: int


def write_gram(uri: str, content: GramFile) -> None:
    """Write a group's Gram matrices as safetensors.

    Args:
        uri: Where to; every fsspec URI.
        content: What to write.

    Raises:
        SparkhuError: The storage refuses.
    """
    import fsspec
    from safetensors.numpy import save

    parts = {name: getattr(content.gram, name) for name in PARTS}
    arrays = {name: part.matrix for name, part in parts.items()}
    arrays["windows"] = np.array([part.windows for part in parts.values()], dtype=np.int64)
    arrays["sizes"] = np.array([content.gram.train.input_size, content.season_length], dtype=np.int64)
    try:
        with fsspec.open(uri, "wb", auto_mkdir=True) as file:
            file.write(save(arrays))
    except Exception as error:
        raise SparkhuError(f"the data of the trials cannot be written to '{uri}': {_told(error)}") from error


def read_gram(uri: str) -> GramFile:
    """Read what `write_gram` wrote.

    Raises:
        SparkhuError: The file is not there or is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        arrays = load(_read(uri))
        input_size, season_length = (int(size) for size in arrays["sizes"])
        counts = dict(zip(PARTS, arrays["windows"].tolist(), strict=True))
        parts = {name: Gram(arrays[name], counts[name], input_size) for name in PARTS}
    except (SafetensorError, KeyError, ValueError) as error:
        raise SparkhuError(f"'{uri}' holds no data of trials that can be read: {error}. Tune again.") from error
    return GramFile(GroupGram(**parts), season_length)


def _read(uri: str) -> bytes:
    import fsspec

    try:
        with fsspec.open(uri, "rb") as file:
            return bytes(file.read())
    except Exception as error:
        raise SparkhuError(f"the data of the trials cannot be read from '{uri}': {_told(error)}") from error


def _told(error: Exception) -> str:
    """Say what a storage says; there are as many kinds of errors as there are storages."""
    return f"{type(error).__name__}: {error}"
