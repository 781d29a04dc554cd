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
LOG = ROOT / "build" / "mutation.log"
LOG_LINES = 40
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
    # A worker judges one mutant on one core; Polars would start a thread for every core in each.
    environment = {**os.environ, "HYPOTHESIS_PROFILE": "mutation", "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with LOG.open("w") as log:
        ended = subprocess.run(command, check=False, cwd=COPY, env=environment, stdout=log, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        lines = LOG.read_text("utf-8").replace("\r", "\n").splitlines()
        raise SystemExit("\n".join([*lines[-LOG_LINES:], f"mutmut could not do its work; all of its log: {LOG}"]))


def verdicts(modules: list[str]) -> dict[str, str]:
    """Return mutmut's verdict on every mutant of the modules."""
    command = [sys.executable, "-m", "mutmut", "results", "--all", "true"]
    listing = subprocess.run(command, cwd=COPY, check=True, capture_output=True, text=True).stdout
    pairs = (line.strip().rpartition(": ")[::2] for line in listing.splitlines())
    found = {mutant: verdict for mutant, verdict in pairs if mutant and verdict != "not checked"}
    return {mutant: verdict for mutant, verdict in found.items() if not modules or module_of(mutant) in modules}


def module_of(mutant: str) -> str:
    """Return the step module that a mutant is of."""
    return mutant.removeprefix("sparkhu.steps.").split(".")[0]


def main() -> int:
    """Run, print the share killed per module and over all, and fail below the required share."""
    parser = argparse.ArgumentParser(description="Mutation testing of sparkhu/steps")
    parser.add_argument("modules", nargs="*", help="modules to judge, such as `outliers`; all when none is named")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    for module in arguments.modules:
        if not (ROOT / STEPS / f"{module}.py").is_file():
            parser.error(f"there is no module {module} in {STEPS}")
    copy_tree()
    run_mutmut(arguments.modules, arguments.workers)
    judged = verdicts(arguments.modules)
    if not judged:
        raise SystemExit("mutmut judged no mutant")
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    for mutant, verdict in judged.items():
        counts[module_of(mutant)][verdict in KILLED] += 1
        if arguments.modules and verdict not in KILLED:
            print(f"{verdict}: {mutant}")
    total = sum(counts.values(), Counter[bool]())
    for module, count in [*sorted(counts.items()), ("all", total)]:
        print(f"{module:<16} {count[True]:>5} of {count.total():>5} mutants killed {count[True] / count.total():>7.1%}")
    if arguments.modules:
        print(f"To see one: cd {COPY.relative_to(ROOT)} && {sys.executable} -m mutmut show MUTANT")
    else:
        print("To list what survived in a module: make mutate STEPS=module")
    return 0 if total[True] >= REQUIRED_SHARE * total.total() else 1


if __name__ == "__main__":
    sys.exit(main())
