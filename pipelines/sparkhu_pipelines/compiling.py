"""Compile the pipelines to YAML that Kubeflow Pipelines runs."""

from importlib import import_module
from pathlib import Path

PIPELINES = {"forecast": "forecast_pipeline", "predict": "predict_pipeline"}


def compile_pipelines(out: Path) -> list[Path]:
    """Write one YAML file a pipeline into `out`, which is made where it does not exist.

    Returns:
        The files, in the order of `PIPELINES`.
    """
    from kfp import compiler

    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, function in PIPELINES.items():
        pipeline = getattr(import_module(f"sparkhu_pipelines.{name}"), function)
        files.append(out / f"{name}.yaml")
        compiler.Compiler().compile(pipeline, package_path=str(files[-1]))
    return files
