"""Write the reference pages and the README's tables from the code and from what the benchmarks measured.

python docs/generate.py            write them
python docs/generate.py --check    say which are stale, and fail
"""

import json
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import click
import docstring_parser

from benchmarks.figures import OF_BARE, Figure, read, shown
from sparkhu.lake.schemas import json_schemas as lake_schemas
from sparkhu.models.spaces import SPACES, described
from sparkhu.results import json_schemas
from sparkhu.training.known import RECIPES
from sparkhu_retention.published import json_schemas as retention_schemas

ROOT = Path(__file__).resolve().parent.parent
README, SIZES = ROOT / "README.md", ROOT / "images" / "sizes.json"
IMAGES_PAGE, TUNING_PAGE = ROOT / "docs" / "images.md", ROOT / "docs" / "tuning.md"
IMAGES = {
    "steps": ("steps that prepare, describe, store and publish", "the library, its components, Feast"),
    "training": ("steps that train, judge and register models", "`steps`, MLflow's client"),
    "services": ("the command `sparkhu`, and what stays up", "the command, the pipelines, Kubeflow Pipelines' client"),
    "steps-spark": ("steps on a Spark cluster (`SPARKHU_ENGINE=spark`)", "`steps`, PySpark, Java"),
    "retention": ("[retention](retention.md), served or as a job", "the command, retention, MLflow's client"),
}
REFERENCE = ROOT / "docs" / "reference"
NOTICE = "<!-- Written by `make docs`; do not edit. -->"
HELP_WIDTH = 100
PARAMETERS_INTRO = """What `sparkhu run` takes, and `forecast_pipeline` in Python and on a Kubeflow page. \
`sparkhu run --list-parameters` shows the same; the steps have [names of their own](components.md).

A parameter without an option is set with `--set NAME=VALUE`, and any of them in a YAML file with `--params FILE`. \
A name with a point is a setting of a section, which in YAML and in Python is a mapping:

```
sparkhu run --source ticks.csv --set resampling.to=1h --set outlier_action=flag_only --out results
```

```yaml
start: 2024-01-05
outlier_action: flag_only
resampling:
  to: 1h
```

What an option says wins over `--params`, and that over `--preset`. An empty value is `''`."""


def components() -> list[Any]:
    """Return every component, in the order in which the forecast pipeline meets them."""
    from kfp.dsl.python_component import PythonComponent

    import sparkhu_components

    found = {}
    for module in iter_modules(sparkhu_components.__path__, "sparkhu_components."):
        for value in vars(import_module(module.name)).values():
            if isinstance(value, PythonComponent):
                found[value.component_spec.name] = value
    order = {name: place for place, name in enumerate(pipeline_order())}
    return sorted(found.values(), key=lambda each: (order.get(each.component_spec.name, len(order)), each.name))


def pipeline_order() -> list[str]:
    """Name the forecast pipeline's components so that none comes before one that it needs; equals by name."""
    from sparkhu_pipelines.forecast import forecast_pipeline

    tasks = forecast_pipeline.pipeline_spec.root.dag.tasks
    sorter = TopologicalSorter({name: sorted(task.dependent_tasks) for name, task in sorted(tasks.items())})
    sorter.prepare()
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += [tasks[name].component_ref.name.removeprefix("comp-") for name in ready]
        sorter.done(*ready)
    return list(dict.fromkeys(order))


def is_artifact(spec: Any) -> bool:
    """Tell an artifact from a parameter: only artifacts have a versioned schema."""
    return "@" in spec.type


def artifact_type(spec: Any) -> str:
    """Shorten `system.Dataset@0.0.1` to `Dataset`."""
    return str(spec.type).split("@", maxsplit=1)[0].removeprefix("system.")


def step_name(component: Any) -> str:
    """Return the name by which `sparkhu step` and Python know the component."""
    return str(component.python_func.__name__)


def defaults(specs: dict[str, Any]) -> str:
    """List parameters with their defaults for a table cell."""
    parameters = {name: spec for name, spec in specs.items() if not is_artifact(spec)}
    return ", ".join(
        f"`{name}={spec.default!r}`" if spec.optional else f"`{name}`" for name, spec in parameters.items()
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    """Render a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def steps_table() -> str:
    """Render the README's table: every step, what it does, its parameters with their defaults."""
    rows = []
    for component in components():
        spec, name = component.component_spec, step_name(component)
        link = f"[`{name}`](docs/reference/components.md#{name})"
        rows.append([link, first_sentence(spec.description), defaults(spec.inputs or {})])
    return table(["step", "what it does", "parameters"], rows)


def first_sentence(description: str | None) -> str:
    """Take a description's first paragraph as one line."""
    return " ".join((description or "").strip().split("\n\n")[0].split())


def component_section(component: Any) -> str:
    """Render a component's part of the reference."""
    spec, name = component.component_spec, step_name(component)
    documented = docstring_parser.parse(component.python_func.__doc__ or "")
    about = {param.arg_name: " ".join((param.description or "").split()) for param in documented.params}
    prose = "\n\n".join(filter(None, [documented.short_description, documented.long_description]))
    inputs, outputs = spec.inputs or {}, spec.outputs or {}
    artifacts = [
        [f"`{key}`", "in", artifact_type(each), about[key]] for key, each in inputs.items() if is_artifact(each)
    ]
    artifacts += [[f"`{key}`", "out", artifact_type(each), about.get(key, "")] for key, each in outputs.items()]
    parts = [f"## {name}", prose, table(["artifact", "", "type", "what it holds"], artifacts)]
    parameters = [
        [f"`{key}`", each.type.lower(), f"`{each.default!r}`" if each.optional else "required", about[key]]
        for key, each in inputs.items()
        if not is_artifact(each)
    ]
    if parameters:
        parts.append(table(["parameter", "type", "default", "meaning"], parameters))
    return "\n\n".join(parts)


def components_page() -> str:
    """Render the reference of all components."""
    intro = "Each step is one Kubeflow Pipelines component; `sparkhu step NAME` runs it alone on dataset folders."
    return "\n\n".join(["# Components", NOTICE, intro, *map(component_section, components())]) + "\n"


def commands(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[tuple[str, str]]:
    """Walk a command and its sub-commands: full name and help text."""
    width = {"terminal_width": HELP_WIDTH, "max_content_width": HELP_WIDTH}
    context = command.make_context(name, [], parent, resilient_parsing=True, **width)
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for each in command.list_commands(context):
            subcommand = command.get_command(context, each)
            assert subcommand is not None, each
            yield from commands(subcommand, each, context)


def command_page() -> str:
    """Render the reference of the command line: what `--help` says."""
    from sparkhu_cli.main import sparkhu

    sections = [f"## {name}\n\n```\n{text.rstrip()}\n```" for name, text in commands(sparkhu, "sparkhu")]
    return "\n\n".join(["# The command line", NOTICE, *sections]) + "\n"


def parameters_page() -> str:
    """Render the reference of a run's parameters, and how each is set."""
    from sparkhu_cli.parameter_list import chapters

    parts = ["# Parameters of a run", NOTICE, PARAMETERS_INTRO]
    for chapter in chapters():
        rows = []
        for each in chapter.parameters:
            default, option = f"`{each.default}`" if each.default else "", each.option or f"--set {each.name}=…"
            rows.append([f"`{each.name}`", each.takes, default, each.meaning, f"`{option}`"])
        parts += [f"## {chapter.title}", chapter.about, table(["name", "takes", "default", "meaning", "set by"], rows)]
    return "\n\n".join(parts) + "\n"


def cluster_page() -> str:
    """Render the reference of a cluster's settings, and what each component has without a file."""
    from sparkhu_pipelines.cluster.needs import NEEDS
    from sparkhu_pipelines.cluster.settings import Cluster, Engine, Sizes, Task

    parts = ["# Settings of a cluster", NOTICE, "What stands in the file of `--cluster`. [How](../cluster.md)."]
    for title, model in (("The file", Cluster), ("engine", Engine), ("sizes", Sizes), ("Settings of a task", Task)):
        parts += [f"## {title}", str(model.__doc__).strip()]
        fields = [[f"`{name}`", str(field.description)] for name, field in model.model_fields.items()]
        parts.append(table(["name", "meaning"], fields))
    rows = []
    for name, need in NEEDS.items():
        task = Cluster().task(name)
        quantities = [f"{task.cpu} to {task.cpu_limit}", f"{task.memory} to {task.memory_limit}"]
        rows.append([f"`{name}`", need.size, *quantities, "yes" if task.cache else f"no: {need.why}"])
    parts += ["## Components", table(["name", "size", "cores", "memory", "cache"], rows)]
    return "\n\n".join(parts) + "\n"


def figure_cells(figure: Figure) -> list[str]:
    """Render one figure: what, measured, beside, goal."""
    measured = f"{shown(figure.measured)} {figure.unit}".rstrip()
    return [figure.name, f"**{measured}**" if figure.met else f"**{measured}, missed**", figure.beside, figure.promise]


def figures_table() -> str:
    """Render the README's table of figures, as the benchmarks left them, and the shares of the steps below it."""
    rows, shares = [], []
    for benchmark in read()["benchmarks"].values():
        for figure in (Figure(**each) for each in benchmark["figures"]):
            if not figure.detail:
                rows.append([*figure_cells(figure), f"`{benchmark['command']}`"])
            elif figure.unit == OF_BARE:
                shares.append(f"{figure.name.partition(': ')[2]} {shown(figure.measured)}")
    steps = f"\n\nThe chain, step by step, in multiples of a bare read + write of the table: {', '.join(shares)}."
    return table(["what", "measured", "beside", "goal", "command"], rows) + (steps if shares else "")


def figures_page() -> str:
    """Render all figures, a section a benchmark."""
    parts = [
        "# Figures of speed and memory",
        NOTICE,
        "`make bench` measures them anew, each beside its peer in one run.",
    ]
    for name, benchmark in read()["benchmarks"].items():
        figures = [figure_cells(Figure(**each)) for each in benchmark["figures"]]
        about = f"`{benchmark['command']}`, measured {benchmark['measured_at']} on {benchmark['machine']}."
        parts += [f"## {name}", about, table(["what", "measured", "beside", "goal"], figures)]
    return "\n\n".join(parts) + "\n"


def images_table() -> str:
    """Render the table of the container images, as `make image-sizes` measured them."""
    rows = []
    for name, size in json.loads(SIZES.read_text("utf-8"))["images"].items():
        measured = f"{size['bytes'] / 1e6:,.0f} MB", str(size["packages"]), size["user"] or "root"
        rows.append([f"`sparkhu/{name}`", *IMAGES[name], *measured, "yes" if size["java"] else "no"])
    return table(["image", "for", "what is inside", "size", "Python packages", "user", "Java"], rows)


def spaces_table() -> str:
    """Render what can be tuned of each model."""
    rows = [[row.model, f"`{row.name}`", *row[2:]] for row in described()]
    rows += [[name, "none", "", "", "", ""] for name in RECIPES if name not in SPACES]
    return table(["model", "parameter", "kind", "values", "default", "meaning"], rows)


def with_tables(page: Path, **tables: str) -> str:
    """Return a page with fresh tables between their markers."""
    text = page.read_text("utf-8")
    for name, made in tables.items():
        begin, end = f"<!-- {name}: written by make docs -->", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise SystemExit(f"{page.name} has lost the markers {begin} and {end} around its table of {name}")
        text = f"{before}{begin}\n{made}\n{end}{after}"
    return text


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which differ from what the code says."""
    pages = {
        README: with_tables(README, steps=steps_table(), figures=figures_table()),
        IMAGES_PAGE: with_tables(IMAGES_PAGE, images=images_table()),
        TUNING_PAGE: with_tables(TUNING_PAGE, spaces=spaces_table()),
        REFERENCE / "components.md": components_page(),
        REFERENCE / "command.md": command_page(),
        REFERENCE / "parameters.md": parameters_page(),
        REFERENCE / "cluster.md": cluster_page(),
        REFERENCE / "figures.md": figures_page(),
    }
    for name, schema in (json_schemas() | lake_schemas() | retention_schemas()).items():
        pages[REFERENCE / name] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is stale; make docs writes it", file=sys.stderr)
        else:
            path.write_text(pages[path], "utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
