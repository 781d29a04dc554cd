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
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from difflib import unified_diff
from pathlib import Path

from mutation_judge import judge_all
from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents

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


def write_mutants(modules: list[str], workers: int) -> dict[str, MutatedFile]:
    """Write the mutants of the modules into the copy, which is the current folder."""
    paths = [STEPS / f"{module}.py" for module in modules]
    sources = [undecorated(path.read_text("utf-8")) for path in paths]
    with ProcessPoolExecutor(workers) as pool:
        written = dict(zip(modules, pool.map(mutate_file_contents, map(str, paths), sources), strict=True))
    for path, mutated in zip(paths, written.values(), strict=True):
        path.write_text(mutated.code, "utf-8")
    return written


def full_names(module: str, mutated: MutatedFile) -> list[str]:
    """Return the names that the mutants of a module go by."""
    return [f"sparkhu.steps.{module}.{name}" for name in mutated.mutant_names]


def differences(mutated: MutatedFile, mutant: str) -> list[str]:
    """Return the lines in which a mutant differs from its function, with some around them."""
    lines, spans = mutated.code.splitlines(), mutated.line_span_by_function_name
    broken = mutant.rpartition(".")[2]
    function = broken.partition("__mutmut_")[0]
    texts = []
    for name in (f"{function}__mutmut_orig", broken):
        span = spans[name]
        texts.append([line.replace(name, function) for line in lines[span.start - 1 : span.end]])
    return list(unified_diff(*texts, lineterm=""))[2:]


def write_survivors(report: Path, written: dict[str, MutatedFile], verdicts: dict[str, str]) -> None:
    """Write how each mutant that no test noticed differs from the code."""
    with report.open("w", encoding="utf-8") as out:
        for module, mutated in written.items():
            for name in full_names(module, mutated):
                if verdicts[name] != "killed":
                    print(f"{verdicts[name]}: {name}", *differences(mutated, name), sep="\n", file=out)


def print_shares(written: dict[str, MutatedFile], verdicts: dict[str, str]) -> float:
    """Print the share killed per module and over all, and return the latter."""
    counts = {
        module: Counter(verdicts[name] for name in full_names(module, mutated)) for module, mutated in written.items()
    }
    counts = {module: count for module, count in counts.items() if count}
    counts["all"] = sum(counts.values(), Counter[str]())
    share = 0.0
    for module, count in counts.items():
        share = count["killed"] / max(count.total(), 1)
        rest = ", ".join(f"{number} {verdict}" for verdict, number in sorted(count.items()) if verdict != "killed")
        total = f"{count['killed']:>5} of {count.total():>5} mutants killed {share:>7.1%}"
        print(f"{module:<16} {total}  {rest}".rstrip())
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
    written = write_mutants(arguments.modules or known, arguments.workers)
    mutants = [name for module, mutated in written.items() for name in full_names(module, mutated)]
    verdicts = judge_all(mutants, workers=arguments.workers)
    report = copy / "survivors.diff"
    write_survivors(report, written, verdicts)
    share = print_shares(written, verdicts)
    print(f"Those that no test noticed: {report.relative_to(ROOT)}")
    return 0 if share >= REQUIRED_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
