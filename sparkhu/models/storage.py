"""A model on disk: `model.json` says what it is, `arrays.safetensors` holds its arrays. Nothing in it is code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt

from sparkhu.errors import InputError, SparkhuError

MODEL, ARRAYS = "model.json", "arrays.safetensors"
SCHEMA_VERSION = 2


def write_model(folder: Path, content: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write a model into `folder`, made if it is not there.

    Args:
        folder: Where to.
        content: `kind` and what else the model is made of; JSON values.
        arrays: Its arrays by name.
    """
    import numpy as np
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / ARRAYS)
    document = {"schema_version": SCHEMA_VERSION, **content}
    (folder / MODEL).write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Read what `write_model` wrote.

    Raises:
        InputError: The folder holds no model, or one of a schema that this library does not read.
        SparkhuError: The files cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not (folder / MODEL).is_file():
        raise InputError(f"'{folder}' holds no model ({MODEL} is missing). Give the folder that a model was saved to.")
    try:
        content: dict[str, Any] = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        arrays: dict[str, npt.NDArray[Any]] = load_file(folder / ARRAYS)
    except (OSError, ValueError, SafetensorError) as error:
        raise SparkhuError(f"the model in '{folder}' cannot be read: {error}. Train it again.") from error
    if content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(
            f"'{folder}' has model schema {content.get('schema_version')}, this version of Sparkhu reads "
            f"{SCHEMA_VERSION}. Train the model again."
        )
    return content, arrays
