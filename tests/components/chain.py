"""The forecast pipeline's components, called one after another in this process on folders."""

from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import polars as pl

from sparkhu.execution import recorded
from sparkhu.ledger import entries
from sparkhu.shards import Kind, write_manifest, write_shard

FILLS = ("mean", "median", "mode", "last", "next", "linear", "spline", "seasonal", "moving_average")
HANDLINGS = ("clip", "ema", "ema_flagged", "seasonal_mean")
PUBLISHED = (
    *("parts", "anomalies", "handled", "irregular", "irregular_flags"),
    *("stats", "categories", "estimates", "choices", "scores", "seasons", "limits", "level_changes", "handling"),
    *("handling_scores", "metadata", "duplicates", "quarantine", "history"),
)


def written(folder: Path, kind: Kind, frame: pl.DataFrame) -> Path:
    """Write a dataset of one shard, which holds series a, as a step of the folder's name leaves it."""
    with recorded(folder.name, inputs=[], outputs=[folder]) as (notes, (draft,)):
        write_manifest(draft, kind, [write_shard(draft, "shard-0", frame)])
        notes.entries = entries(["a"])
    return folder


class Chain:
    """Runs components in a folder; each output is a folder (or file) named `<task>-<output>`.

    `settings` are those of sections that are not as they stand, such as `resampling`.
    """

    def __init__(self, folder: Path, **settings: dict[str, Any]):
        self.folder, self.settings = folder, settings

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
        """Run everything up to the joined sequences; what is known of other days lies beside the raw rows."""
        metadata = self.run("sync_metadata")["metadata"]
        valid = self.run("validate", raw=raw, metadata=metadata)
        unique = self.run("drop_duplicates", observations=valid["observations"])
        rows = unique["unique"]
        described = self.run("describe", observations=rows, settings={"stationarity_points": 0})
        found = self.run("detect_regularity", observations=rows)
        ways = self.run("split_by_regularity", observations=rows, profile=found["profile"])
        flags = {
            way: self.run("flag_outliers", f"flags-{way}", observations=path, stats=described["stats"], way=way)
            for way, path in ways.items()
        }
        regular = self.fill(ways["regular"], flags["regular"]["flags"], found["profile"], valid["limits"])
        handled = self.handle(regular["resampled"], regular["resampled_profile"])
        irregular, irregular_flags = ways["irregular"], flags["irregular"]["flags"]
        grid = self.run("resample_irregular", observations=irregular, flags=irregular_flags, profile=found["profile"])
        joined = self.run(
            "join_series", regular=regular["resampled"], anomalies=handled["anomalies"], handled=handled["handled"],
            irregular=grid["grid"], profile=regular["resampled_profile"], grid_profile=grid["grid_profile"],
        )  # fmt: skip
        return {
            **joined, **regular, **handled, **described, "irregular": irregular, "irregular_flags": irregular_flags,
            "quarantine": valid["quarantine"], "duplicates": unique["duplicates"], "estimates": found["estimates"],
            "metadata": metadata, "history": raw.with_name("history"), "versions": raw.with_name("versions"),
            "source_profile": found["profile"],
        }  # fmt: skip

    def fill(self, rows: Path, flags: Path, profile: Path, limits: Path) -> dict[str, Path]:
        """Mark and fill the gaps of the regular series."""
        marked = self.run("mark_gaps", observations=rows, flags=flags, profile=profile)["marked"]
        fills = {name: self.run(f"fill_{name}", observations=marked, profile=profile) for name in FILLS}
        layers = {f"{name}_fill": fills[name]["filled"] for name in FILLS}
        scores = {f"{name}_scores": fills[name]["scores"] for name in FILLS}
        pooled = self.run("pool_fills", observations=marked, limits=limits, **layers, **scores)
        how = self.settings.get("resampling", {})
        rows = {"observations": marked, "filled": pooled["filled"]}
        resampled = self.run("resample", **rows, profile=profile, settings=how)
        return {**resampled, "choices": pooled["choices"], "scores": pooled["scores"]}

    def handle(self, rows: Path, profile: Path) -> dict[str, Path]:
        """Decompose the regular series, flag anomalies, and put something in their place."""
        parts = self.run("decompose", observations=rows, profile=profile)
        flagged = self.run("flag_anomalies", observations=rows, parts=parts["parts"], profile=profile)
        changes = self.run("find_level_changes", observations=rows, profile=profile)
        seen = {"observations": rows, "parts": parts["parts"], "anomalies": flagged["anomalies"]}
        tasks = {
            name: self.run(f"handle_{name}", **seen, profile=profile, limits=flagged["limits"]) for name in HANDLINGS
        }
        layers = {f"{name}_handled": tasks[name]["handled"] for name in HANDLINGS}
        scores = {f"{name}_scores": tasks[name]["scores"] for name in HANDLINGS}
        pooled = self.run("pool_handling", **seen, **layers, **scores)
        return {
            **parts, **flagged, **changes, "handled": pooled["handled"], "handling": pooled["handling"],
            "handling_scores": pooled["scores"],
        }  # fmt: skip

    def forecast(self, made: dict[str, Path], *, horizon: int, input_size: int) -> dict[str, Path]:
        """Run everything behind the joined sequences."""
        sequences, profile = made["sequences"], made["series_profile"]
        sizes = {"horizon": horizon, "input_size": input_size}
        guarded = self.run("choose_cleaning", sequences=sequences, profile=profile, **sizes)
        seen = {"sequences": sequences, "inputs": guarded["inputs"]}
        indexed = self.run("index_windows", **seen, versions=made["versions"], profile=profile, **sizes)
        plan, scalers = indexed["plan"], self.run("fit_scalers", **seen, profile=profile)["scalers"]
        table = self.run("store_sequences", **seen, versions=made["versions"])["table"]
        data = {"table": table, "plan": plan, "windows": indexed["windows"], "scalers": scalers}
        training = self.settings.get("training", {})
        search = {"trials": 4, **self.settings.get("tuning", {})}
        tuned = self.run("tune", **data, settings=search, training=training)["tuned"]
        models = {
            "linear": self.run("train_linear", **data, tuned=tuned)["model"],
            "seasonal_naive": self.run("train_seasonal_naive", plan=plan)["model"],
            "further": self.run("train_models", **data, tuned=tuned, settings=training)["models"],
        }
        evaluation = self.run("evaluate", **data, **models, model_name="chain")["evaluation"]
        tables = {"plan": plan, "scalers": scalers, "stats": made["stats"], "choices": made["choices"]}
        tables |= {"profile": made["source_profile"], "windows": indexed["windows"]}
        cleaning = guarded["cleaning"]
        promoted = self.run("promote", evaluation=evaluation, cleaning=cleaning, model_name="chain", **tables, **models)
        forecasts = self.run("make_forecasts", **seen, champion=promoted["champion"])["forecasts"]
        kept = {name: made[name] for name in PUBLISHED}
        results = self.run(
            "publish", regular=made["resampled"], profile=plan, forecasts=forecasts, evaluation=evaluation,
            cleaning=cleaning, scalers=scalers, tuned=tuned, **kept,
        )["results"]  # fmt: skip
        report = self.run("render_report", results=results)["report"]
        return {"results": results, "report": report, "card": promoted["card"], "champion": promoted["champion"]}
