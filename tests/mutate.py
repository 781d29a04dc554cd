"""Mutation testing of the steps: break each in small ways and see whether its tests notice.

    python tests/mutate.py [--workers N] [MODULE ...]

Works on a copy under `build/mutation`, so that the tree may be edited meanwhile, and keeps the verdicts on functions
that did not change. A named module is judged by its own test file, where it has one; without names all modules are
judged by all tests of the steps. mutmut leaves decorated functions alone, and the public step functions are decorated;
in the copy `@decorator def step` therefore becomes `step = decorator(step)`, which is the same thing.
"""

import argparse
import ast
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEPS, TESTS = Path("sparkhu/steps"), Path("tests/sparkhu/steps")
REQUIRED_SHARE = 0.80
LOG_LINES = 40
# Polars' threads do not survive a fork. So workers are forked from a server that has imported much and run nothing:
# were it to collect the tests, it might start Polars' threads, and every mutant would hang.
PRELOADED = ("hypothesis", "numpy", "pandas", "pandas.testing", "polars", "pytest", "scipy.stats")
# Starting pytest is most of what a mutant costs. A worker judges one mutant on one core.
QUICK = {
    "HYPOTHESIS_PROFILE": "mutation",
    "OMP_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
}
CONFIGURATION = """\
[mutmut]
source_paths = sparkhu
only_mutate =
{modules}
pytest_add_cli_args =
    --assert=plain
    -p
    no:cacheprovider
    -p
    no:unraisableexception
    -p
    no:threadexception
    -W
    ignore::pytest.PytestAssertRewriteWarning
pytest_add_cli_args_test_selection =
{tests}
process_isolation = forkserver
forkserver_warmup = import
preload_modules_file = preloaded.txt
timeout_multiplier = 5.0
timeout_constant = 10.0
"""


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


def copy_tree(copy: Path) -> None:
    """Bring the copy up to date, touching only the files that changed."""
    wanted = [*(ROOT / "sparkhu").rglob("*.py"), *(ROOT / "tests/sparkhu").rglob("*.py")]
    wanted += [ROOT / "pyproject.toml", ROOT / "tests/conftest.py"]
    texts = {copy / path.relative_to(ROOT): path.read_text("utf-8") for path in wanted}
    for folder in ("sparkhu", "tests"):
        for stale in set((copy / folder).rglob("*.py")) - set(texts):
            stale.unlink()
    for target, text in texts.items():
        write(target, undecorated(text) if target.parent == copy / STEPS else text)


def configure(copy: Path, modules: list[str]) -> None:
    """Tell mutmut what to break and which tests to ask."""
    own = [str(TESTS / f"test_{module}.py") for module in modules]
    tests = own if own and all((ROOT / test).is_file() for test in own) else [str(TESTS)]
    broken = [str(STEPS / f"{module}.py") for module in modules] or [str(STEPS / "*.py")]
    write(copy / "setup.cfg", CONFIGURATION.format(modules=indented(broken), tests=indented(tests)))
    write(copy / "preloaded.txt", "\n".join(PRELOADED))


def indented(lines: list[str]) -> str:
    """Write one value a line, as configparser wants it."""
    return "\n".join(f"    {line}" for line in lines)


def write(target: Path, text: str) -> None:
    """Write a file unless it says so already: mutmut goes by the times of files."""
    if not target.exists() or target.read_text("utf-8") != text:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")


def run_mutmut(copy: Path, workers: int) -> None:
    """Let mutmut judge every mutant of the copy."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(workers)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | QUICK
    log = copy / "mutation.log"
    with log.open("w") as out:
        ended = subprocess.run(command, check=False, cwd=copy, env=environment, stdout=out, stderr=subprocess.STDOUT)
    if ended.returncode != 0:
        lines = log.read_text("utf-8").replace("\r", "\n").splitlines()
        raise SystemExit("\n".join([*lines[-LOG_LINES:], f"mutmut could not do its work; all of its log: {log}"]))


def verdicts(copy: Path) -> dict[str, str]:
    """Return mutmut's verdict on every mutant; only `killed` means that a test noticed it."""
    command = [sys.executable, "-m", "mutmut", "results", "--all", "true"]
    listing = subprocess.run(command, cwd=copy, check=True, capture_output=True, text=True).stdout
    pairs = (line.strip().rpartition(": ")[::2] for line in listing.splitlines())
    return {mutant: verdict for mutant, verdict in pairs if mutant and verdict != "not checked"}


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
    copy = ROOT / "build" / "mutation" / ("-".join(arguments.modules) or "all")
    copy_tree(copy)
    configure(copy, arguments.modules)
    run_mutmut(copy, arguments.workers)
    judged = verdicts(copy)
    if not judged:
        raise SystemExit("mutmut judged no mutant")
    counts: dict[str, Counter[bool]] = defaultdict(Counter)
    for mutant, verdict in judged.items():
        counts[module_of(mutant)][verdict == "killed"] += 1
        if arguments.modules and verdict != "killed":
            print(f"{verdict}: {mutant}")
    total = sum(counts.values(), Counter[bool]())
    for module, count in [*sorted(counts.items()), ("all", total)]:
        print(f"{module:<16} {count[True]:>5} of {count.total():>5} mutants killed {count[True] / count.total():>7.1%}")
    if arguments.modules:
        print(f"To see one: cd {copy.relative_to(ROOT)} && {sys.executable} -m mutmut show MUTANT")
    else:
        print("To list what survived in a module: make mutate STEPS=module")
    return 0 if total[True] >= REQUIRED_SHARE * total.total() else 1


if __name__ == "__main__":
    sys.exit(main())
