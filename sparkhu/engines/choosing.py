"""Which engine the steps of this process run on: a setting of the environment."""

from sparkhu.engines.base import Engine
from sparkhu.engines.local import LocalEngine


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
