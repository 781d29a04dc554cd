"""The registry of features: a file that is replaced whole, or memory for a look-up that leaves nothing behind."""

import os
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from feast.infra.registry.file import FileRegistryStore
from feast.infra.registry.registry_store import RegistryStore
from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig

from sparkhu_features.state import state_path

DRAFT = ".draft-"
SWEPT_AFTER_SECONDS = 3600.0


class WholeFileRegistryStore(FileRegistryStore):
    """Feast's registry file, written aside and renamed: whoever reads it sees the old one or the new."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        super().__init__(registry_config.model_copy(update={"path": str(state_path(registry_config.path))}), repo_path)

    def _write_registry(self, registry_proto: RegistryProto) -> None:
        registry_proto.version_id = str(uuid.uuid4())
        registry_proto.last_updated.FromDatetime(datetime.now(UTC).replace(tzinfo=None))
        target = Path(self._filepath)
        draft = target.with_name(f"{DRAFT}{target.name}-{uuid.uuid4().hex}")
        try:
            with draft.open("xb") as file:
                file.write(registry_proto.SerializeToString())
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _sweep(target.parent)


class MemoryRegistryStore(RegistryStore):
    """A registry that is gone with its process."""

    def __init__(self, registry_config: RegistryConfig, repo_path: Path | None) -> None:
        self._registry: RegistryProto | None = None

    def get_registry_proto(self) -> RegistryProto:
        """Give the registry.

        Raises:
            FileNotFoundError: Nothing was registered yet; Feast then begins one.
        """
        if self._registry is None:
            raise FileNotFoundError("nothing is registered yet")
        return self._registry

    def update_registry_proto(self, registry_proto: RegistryProto) -> None:
        """Keep the registry."""
        self._registry = registry_proto

    def teardown(self) -> None:
        """Forget the registry."""
        self._registry = None


def _sweep(folder: Path) -> None:
    """Remove drafts that writers left which were killed."""
    for draft in folder.glob(f"{DRAFT}*"):
        with suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > SWEPT_AFTER_SECONDS:
                draft.unlink()
