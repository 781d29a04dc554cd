"""Run the benchmarks, and keep their figures for the table in the README.

    python benchmarks/bench.py [NAME ...]      # all of them take about an hour on two cores

Each runs in a process of its own, one after another, and measures what it compares in one run. `make docs` brings the
figures into the README.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import Figure, gather

BENCHMARKS = {
    "stl": "benchmarks/stl.py",
    "chain": "benchmarks/chain.py",
    "m5": "benchmarks/chain.py --m5",
    "spark": "benchmarks/spark.py",
    "feast_join": "benchmarks/feast_join.py",
    "daily": "benchmarks/daily.py",
    "pipeline": "benchmarks/pipeline.py",
    "ingest": "benchmarks/ingest.py",
    "memory": "benchmarks/memory.py",
    "tuning": "benchmarks/tuning.py",
    "linear": "benchmarks/linear.py",
    "retention": "benchmarks/retention.py",
}
ROOT = Path(__file__).parent.parent


def measure(name: str) -> list[Figure]:
    """Run one benchmark and keep its figures.

    Raises:
        SystemExit: It failed.
    """
    command = BENCHMARKS[name]
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "figures.json"
        module, *arguments = shlex.split(command)
        called = module.removesuffix(".py").replace("/", ".")
        call = [sys.executable, "-m", called, *arguments, "--json", str(file)]
        if subprocess.run(call, check=False, cwd=ROOT).returncode:
            raise SystemExit(f"{command} failed; its earlier figures stay")
        found = json.loads(file.read_text())
    gather(name, f"python {command}", found)
    return [Figure(**each) for each in found]


def main() -> None:
    """Run those that are named, or all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    names = parser.parse_args().names or list(BENCHMARKS)
    missed = []
    for name in names:
        print(f"== {name}", flush=True)
        missed += [figure for figure in measure(name) if not figure.met]
    for figure in missed:
        print(f"missed: {figure}")


if __name__ == "__main__":
    main()
