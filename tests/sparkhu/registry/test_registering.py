"""Facts about registering a run's models: what is refused before the registry is opened."""

import fcntl
import os
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.evaluation.gate import NOBODY, Gate
from sparkhu.registry.registering import Registration, register_bundle, register_later


def registration(model_name: str) -> Registration:
    gate = Gate("linear", "mae", 0.0, "w", 1, 1, 1, {"linear": 1.0}, 1.0, NOBODY, model_name=model_name)
    return Registration("shop", {"linear": {}}, {}, gate.document())


def test_models_that_were_compared_with_the_champion_of_another_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model_name must be 'plant', whose champion .* got 'shop'"):
        register_bundle(tmp_path, registration("plant"))
    assert not list(tmp_path.iterdir())


def test_one_process_at_a_time_registers_a_folder(tmp_path: Path) -> None:
    registration("shop").write(tmp_path)
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(InputError, match="another process is registering"):
        register_later(tmp_path)
    os.close(handle)
    done = registration("shop")
    done.registered_at = "2024-01-01T00:00:00+00:00"
    done.write(tmp_path)
    with pytest.raises(InputError, match="was registered at 2024"):
        register_later(tmp_path)
