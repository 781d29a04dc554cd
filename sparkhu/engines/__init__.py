"""Engines map one function over shards: a process pool on this machine, or Spark."""

from sparkhu.engines.local import LocalEngine

__all__ = ["LocalEngine"]
