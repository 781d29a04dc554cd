"""Mutation testing of the steps: break each in small ways and see whether its tests notice.

    python tests/mutate.py [--workers N] [MODULE ...]

mutmut writes the mutants, all those of a module side by side, into a copy of the tree under `build/mutation`; the tree
may be edited meanwhile. They are judged in `tests/mutation_judge.py`.

mutmut leaves decorated functions alone, and the public step functions are decorated; in the copy `@decorator def step`
therefore becomes `step = decorator(step)`, which is the same thing.
"""

import argparse
import ast
import os
import shutil
import sys
from collections import Counter, defaultdict
from pathlib import Path

from mutation_judge import judge_all
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.file_mutation import mutate_file_contents

ROOT = Path(__file__).resolve().parent.parent
STEPS = Path("sparkhu/steps")
REQUIRED_SHARE = 0.80
# A worker judges one mutant on one core; Polars would start a thread for every core in each.
ENVIRONMENT = {"HYPOTHESIS_PROFILE": "mutation", "OMP_NUM_THREADS": "1", "POLARS_MAX_THREADS": "1"}


def undecorated(source: str) -> str:
    """Return the module with the decorators of its functions and methods applied by assignment instead."""
    lines = source.splitlines()
    tree = ast.parse(source)
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    functions = [node for body in bodies for node in body if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda function: function.lineno, reverse=True):
        decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
        if not decorators or decorators in (["classmethod"], ["staticmethod"]):  # mutmut knows these
            continue
        applied = function.name
        for decorator in reversed(decorators):
            applied = f"{decorator}({applied})"
        assert function.end_lineno is not None
        lines.insert(function.end_lineno, f"{' ' * function.col_offset}{function.name} = {applied}")
        del lines[function.decorator_list[0].lineno - 1 : function.lineno - 1]
    return "\n".join(lines) + "\n"


def copy_tree(copy: Path) -> None:
    """Copy the library and its tests, and tell mutmut where it is."""
    shutil.rmtree(copy, ignore_errors=True)
    for folder in ("sparkhu", "tests/sparkhu"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/conftest.py"):
        shutil.copy(ROOT / file, copy / file)
    (copy / "setup.cfg").write_text("[mutmut]\nsource_paths = sparkhu\ntrack_dependencies = false\n", "utf-8")


def write_mutants(modules: list[str]) -> dict[str, list[str]]:
    """Write the mutants into the copy, which is the current folder, and return their names for each module."""
    names = {}
    for module in modules:
        path = STEPS / f"{module}.py"
        mutated = mutate_file_contents(str(path), undecorated(path.read_text("utf-8")))
        path.write_text(mutated.code, "utf-8")
        names[module] = [f"sparkhu.steps.{module}.{name}" for name in mutated.mutant_names]
    return names


def write_survivors(report: Path, mutants: dict[str, list[str]], verdicts: dict[str, str]) -> None:
    """Write how each mutant that no test noticed differs from the code."""
    with report.open("w", encoding="utf-8") as out:
        for module, names in mutants.items():
            path = STEPS / f"{module}.py"
            code = path.read_text("utf-8")
            for name in names:
                if verdicts[name] != "killed":
                    print(f"{verdicts[name]}: {name}", get_diff_for_mutant(name, code, path), sep="\n", file=out)


def print_shares(mutants: dict[str, list[str]], verdicts: dict[str, str]) -> float:
    """Print the share killed per module and over all, and return the latter."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for module, names in mutants.items():
        counts[module].update(verdicts[name] for name in names)
    counts["all"] = sum(counts.values(), Counter[str]())
    for module, count in counts.items():
        killed, total = count.pop("killed", 0), count.total()
        rest = ", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items()))
        total += killed
        share = killed / max(total, 1)
        print(f"{module:<16} {killed:>5} of {total:>5} mutants killed {share:>7.1%}  {rest}".rstrip())
    return share


def main() -> int:
    """Judge the mutants of the modules, and fail below the required share."""
    parser = argparse.ArgumentParser(description="Mutation testing of sparkhu/steps")
    parser.add_argument("modules", nargs="*", help="modules to judge, such as `outliers`; all when none is named")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    known = sorted(path.stem for path in (ROOT / STEPS).glob("*.py") if path.stem != "__init__")
    if unknown := set(arguments.modules) - set(known):
        parser.error(f"there is no module {', '.join(sorted(unknown))} in {STEPS}")
    copy = ROOT / "build" / "mutation" / ("-".join(arguments.modules) or "all")
    copy_tree(copy)
    os.environ.update(ENVIRONMENT)
    os.chdir(copy)
    mutants = write_mutants(arguments.modules or known)
    verdicts = judge_all([name for names in mutants.values() for name in names], workers=arguments.workers)
    report = copy / "survivors.diff"
    write_survivors(report, mutants, verdicts)
    share = print_shares(mutants, verdicts)
    print(f"Those that no test noticed: {report.relative_to(ROOT)}")
    return 0 if share >= REQUIRED_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
