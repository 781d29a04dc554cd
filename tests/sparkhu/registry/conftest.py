import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import save_file

from sparkhu.models.bundle import write_bundle


class Weights:
    """The smallest thing that can stand in a bundle."""

    def save(self, folder: Path) -> None:
        (folder / "model.json").write_text(json.dumps({"schema_version": 1, "kind": "linear"}))
        save_file({"weights": np.arange(3.0)}, folder / "arrays.safetensors")


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Path]:
    def make(flavor: str = "linear", sources: tuple[dict[str, object], ...] = ()) -> Path:
        folder = tmp_path / f"bundle-{flavor}"
        folder.mkdir()
        write_bundle(
            folder,
            name="demo",
            flavor=flavor,
            models={"1h/24": Weights()},
            profile=pl.DataFrame(
                {"unique_id": ["a"], "group": ["1h/24"], "season_length": [24], "input_size": [48], "horizon": [24]}
            ),
            scalers=pl.DataFrame({"unique_id": ["a"], "center": [1.5], "scale": [2.0]}),
            choices=pl.DataFrame({"unique_id": ["a"], "strategy": ["linear"]}),
            conformal=pl.DataFrame({"unique_id": ["a"]}),
            params={"horizon": 24},
            sources=sources,
            code="0.1.0+abc",
        )
        return folder

    return make
