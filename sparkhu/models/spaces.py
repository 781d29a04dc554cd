"""The search spaces of the models that can be tuned, each declared beside its model."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from sparkhu.models import linear
from sparkhu.tuning.space import Space

SPACES: Final[Mapping[str, Space]] = MappingProxyType({"linear": linear.SPACE})
