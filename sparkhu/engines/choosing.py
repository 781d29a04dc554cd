"""Which engine the steps of this process run on: a setting of the environment."""

import os

from sparkhu.engines.base import Engine
from sparkhu.engines.local import LocalEngine, begin_server


def make_ready(items: int) -> None:
    """Begin what takes long about the embedded engine while the caller still reads what it wants to map.

    Args:
        items: Over how many items it will be mapped.
    """
    # `Settings` takes as long to import as is won here. What cannot be used is refused by `chosen_engine`.
    embedded = os.environ.get("SPARKHU_ENGINE", "") in ("", "local")
    several = os.environ.get("SPARKHU_WORKERS") or len(os.sched_getaffinity(0))
    if items > 1 and embedded and str(several) != "1":
        begin_server()


def chosen_engine(workers: int | None = None) -> Engine:
    """Give the engine that `SPARKHU_ENGINE` names.

    Args:
        workers: Processes of the local engine; by default `SPARKHU_WORKERS`, else one a core.

    Raises:
        InputError: A setting cannot be used, or PySpark is not installed.
    """
    from sparkhu.settings import Settings

    settings = Settings()
    if settings.engine == "spark":
        from sparkhu.engines.spark import SparkEngine

        return SparkEngine(settings.spark_master, settings.spark_conf)
    return LocalEngine(workers or settings.workers)
