"""The forecast pipeline's components, called one after another in this process on folders."""

from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

FILLS = ("mean", "median", "last", "next", "linear")


class Chain:
    """Runs components in a folder; each output is a folder (or file) named `<task>-<output>`."""

    def __init__(self, folder: Path):
        self.folder = folder

    def run(self, name: str, task: str = "", **arguments: Any) -> dict[str, Path]:
        """Run a component: paths are artifacts, everything else is a parameter."""
        component = getattr(import_module(f"sparkhu_components.{name}"), name)
        hints = get_type_hints(component.python_func, include_extras=True)
        given = {
            key: get_args(hints[key])[0](uri=str(value)) if isinstance(value, Path) else value
            for key, value in arguments.items()
        }
        paths = {output: self.folder / f"{task or name}-{output}" for output in component.component_spec.outputs}
        artifacts = {output: get_args(hints[output])[0](name=output, uri=str(path)) for output, path in paths.items()}
        component.python_func(**given, **artifacts)
        return paths

    def prepare(self, raw: Path) -> dict[str, Path]:
        """Run everything up to the joined sequences."""
        valid = self.run("validate", raw=raw)
        unique = self.run("drop_duplicates", observations=valid["observations"])
        rows = unique["unique"]
        stats = self.run("describe", observations=rows, stationarity_points=0)["stats"]
        profile = self.run("detect_regularity", observations=rows)["profile"]
        ways = self.run("split_by_regularity", observations=rows, profile=profile)
        flags = {
            way: self.run("flag_outliers", f"flags-{way}", observations=path, stats=stats, way=way)["flags"]
            for way, path in ways.items()
        }
        marked = self.run("mark_gaps", observations=ways["regular"], flags=flags["regular"], profile=profile)["marked"]
        fills = {name: self.run(f"fill_{name}", observations=marked, profile=profile) for name in FILLS}
        layers = {f"{name}_fill": fills[name]["filled"] for name in FILLS}
        scores = {f"{name}_scores": fills[name]["scores"] for name in FILLS}
        pooled = self.run("pool_fills", observations=marked, **layers, **scores)
        irregular, irregular_flags = ways["irregular"], flags["irregular"]
        grid = self.run("resample_irregular", observations=irregular, flags=irregular_flags, profile=profile)
        joined = self.run(
            "join_series", regular=marked, filled=pooled["filled"], irregular=grid["grid"], profile=profile,
            grid_profile=grid["grid_profile"],
        )  # fmt: skip
        return {
            **joined, **scores, "stats": stats, "marked": marked, "filled": pooled["filled"], "irregular": irregular,
            "irregular_flags": irregular_flags, "choices": pooled["choices"], "quarantine": valid["quarantine"],
            "duplicates": unique["duplicates"],
        }  # fmt: skip

    def forecast(self, made: dict[str, Path], *, horizon: int, input_size: int) -> dict[str, Path]:
        """Run everything behind the joined sequences."""
        sequences, profile = made["sequences"], made["series_profile"]
        indexed = self.run(
            "index_windows", sequences=sequences, profile=profile, horizon=horizon, input_size=input_size
        )
        plan, scalers = indexed["plan"], self.run("fit_scalers", sequences=sequences, profile=profile)["scalers"]
        data = {"sequences": sequences, "plan": plan, "windows": indexed["windows"], "scalers": scalers}
        models = {
            "linear": self.run("train_linear", **data)["model"],
            "seasonal_naive": self.run("train_seasonal_naive", plan=plan)["model"],
        }
        evaluation = self.run("evaluate", **data, **models)["evaluation"]
        tables = {"plan": plan, "scalers": scalers, "stats": made["stats"], "choices": made["choices"]}
        promoted = self.run("promote", evaluation=evaluation, model_name="chain", **tables, **models)
        forecasts = self.run("make_forecasts", sequences=sequences, champion=promoted["champion"])["forecasts"]
        names = ("stats", "choices", "duplicates", "quarantine", "filled", "irregular", "irregular_flags")
        kept = {name: made[name] for name in (*names, *(f"{fill}_scores" for fill in FILLS))}
        results = self.run(
            "publish", regular=made["marked"], profile=plan, forecasts=forecasts, evaluation=evaluation, **kept
        )["results"]
        report = self.run("render_report", results=results)["report"]
        return {"results": results, "report": report, "card": promoted["card"], "champion": promoted["champion"]}
