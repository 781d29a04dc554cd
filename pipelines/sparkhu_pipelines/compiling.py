"""Compile the pipelines to YAML that Kubeflow Pipelines runs."""

import ast
from importlib import import_module
from pathlib import Path

PIPELINES = {"forecast": "forecast_pipeline", "predict": "predict_pipeline"}


def compile_pipelines(out: Path, groups: int = 1) -> list[Path]:
    """Write one YAML file a pipeline into `out`, which is made where it does not exist.

    Args:
        out: Folder of the files.
        groups: Groups of shards that the forecast pipeline prepares side by side, from 1 to 100.

    Returns:
        The files, in the order of `PIPELINES`.

    Raises:
        InputError: There cannot be so many groups.
    """
    from kfp import compiler

    from sparkhu_pipelines.fan_out import forecast_pipeline_over

    over_groups = {"forecast": forecast_pipeline_over(groups)} if groups != 1 else {}
    out.mkdir(parents=True, exist_ok=True)
    files = []
    for name, function in PIPELINES.items():
        pipeline = over_groups.get(name) or getattr(import_module(f"sparkhu_pipelines.{name}"), function)
        files.append(out / f"{name}.yaml")
        compiler.Compiler().compile(pipeline, package_path=str(files[-1]))
        lines = files[-1].read_text().splitlines(keepends=True)
        files[-1].write_text("".join(_with_sorted_settings(line) for line in lines))
    return files


def _with_sorted_settings(line: str) -> str:
    """Sort the settings in a comment on a default: the compiler writes them in another order every time."""
    head, mark, tail = line.partition("[Default: {")
    if not line.startswith("#") or not mark:
        return line
    settings = ast.literal_eval("{" + tail[: tail.rindex("]")])
    return f"{head}[Default: {dict(sorted(settings.items()))}]\n"
