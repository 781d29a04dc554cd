"""Mutation testing of the steps: break each in small ways and see whether its tests notice.

    python tests/mutate.py [--workers N] [MODULE ...]

Works on a copy under `build/`, so that the tree may be edited meanwhile, and keeps the verdicts on functions that did
not change. mutmut leaves decorated functions alone, and the public step functions are decorated; in the copy
`@decorator def step` therefore becomes `step = decorator(step)`, which is the same thing.
"""

import argparse
import ast
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "build" / "mutation"
STEPS = Path("sparkhu/steps")
KILLED = {"killed", "timeout", "segfault", "caught by type check"}
REQUIRED_SHARE = 0.80


def undecorated(source: str) -> str:
    """Return the module with the decorators of its functions applied by assignment instead."""
    lines = source.splitlines()
    for function in reversed(ast.parse(source).body):
        if not isinstance(function, ast.FunctionDef) or not function.decorator_list:
            continue
        applied = function.name
        for decorator in reversed(function.decorator_list):
            applied = f"{ast.unparse(decorator)}({applied})"
        assert function.end_lineno is not None
        lines.insert(function.end_lineno, f"{function.name} = {applied}")
        first = function.decorator_list[0].lineno - 1
        del lines[first : function.lineno - 1]
    return "\n".join(lines) + "\n"


def copy_tree() -> None:
    """Bring the copy up to date, touching only the files that changed."""
    wanted = [ROOT / "pyproject.toml", *(ROOT / "sparkhu").rglob("*.py"), *(ROOT / "tests/sparkhu").rglob("*.py")]
    wanted += [ROOT / "tests/conftest.py"]
    targets = {COPY / path.relative_to(ROOT): path for path in wanted}
    for folder in ("sparkhu", "tests"):
        for stale in set((COPY / folder).rglob("*.py")) - set(targets):
            stale.unlink()
    for target, path in targets.items():
        text = path.read_text("utf-8")
        if path.is_relative_to(ROOT / STEPS):
            text = undecorated(text)
        if not target.exists() or target.read_text("utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")


def run_mutmut(modules: list[str], workers: int) -> None:
    """Let mutmut judge every mutant of the modules (all steps when none is named)."""
    patterns = [f"sparkhu.steps.{module}.*" for module in modules]
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(workers), *patterns]
    # Polars would start a thread for each core in each worker.
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutation", "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run(command, cwd=COPY, env=environment, check=True)


def verdicts(modules: list[str]) -> dict[str, Counter[str]]:
    """Count the verdicts per module, and list the mutants that nothing noticed."""
    listing = subprocess.run(
        [sys.executable, "-m", "mutmut", "results", "--all", "true"],
        cwd=COPY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in listing.splitlines():
        mutant, _, verdict = line.strip().rpartition(": ")
        module = mutant.removeprefix("sparkhu.steps.").split(".")[0]
        if mutant and verdict != "not checked" and (not modules or module in modules):
            counts[module][verdict] += 1
            if verdict not in KILLED:
                print(f"{verdict}: {mutant}")
    return counts


def main() -> int:
    """Run, print the share killed per module and over all, and fail below the required share."""
    parser = argparse.ArgumentParser(description="Mutation testing of sparkhu/steps")
    parser.add_argument("modules", nargs="*", help="steps to judge, such as `outliers`; all when none is named")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    copy_tree()
    run_mutmut(arguments.modules, arguments.workers)
    counts = verdicts(arguments.modules)
    total = sum(counts.values(), Counter[str]())
    if not total:
        print("no mutant was judged", file=sys.stderr)
        return 1
    for module, judged in [*sorted(counts.items()), ("all steps", total)]:
        killed = sum(judged[verdict] for verdict in KILLED)
        print(f"{module:<16} {killed:>5} of {judged.total():>5} mutants killed {killed / judged.total():>7.1%}")
    share = sum(total[verdict] for verdict in KILLED) / total.total()
    return 0 if share >= REQUIRED_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
