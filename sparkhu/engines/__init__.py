"""Engines map one function over shards: a process pool on this machine, or Spark."""

from sparkhu.engines.base import Engine, LostItem
from sparkhu.engines.choosing import chosen_engine, make_ready
from sparkhu.engines.local import LocalEngine

__all__ = ["Engine", "LocalEngine", "LostItem", "chosen_engine", "make_ready"]
