"""The Spark engine: the same function over the same shards, on the executors of a cluster. Needs the extra `spark`."""

from sparkhu.engines.spark.engine import SparkEngine

__all__ = ["SparkEngine"]
