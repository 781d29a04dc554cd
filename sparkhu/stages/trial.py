"""A trial of the linear model as a program: `python -m sparkhu.stages.trial --model=linear --data=URI --strength=1 …`.

It prints `validation_mse=…`, which Katib's collector, and that of the embedded engine, read from the output.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

from sparkhu.errors import SparkhuError
from sparkhu.models.linear import SPACE, LinearSettings
from sparkhu.threads import on_one_thread
from sparkhu.training.gram_files import read_gram
from sparkhu.training.ridge import Ridge

METRIC = "validation_mse"
"""Mean squared error on the choosing windows, in scaled units, against observed values."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Score one assignment of its parameters and print the objective; give the exit code."""
    given = _parsed(arguments)
    assignment = {parameter.name: getattr(given, parameter.name) for parameter in SPACE}
    try:
        sys.stdout.write(f"{METRIC}={_score(given.data, assignment)!r}\n")
    except SparkhuError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sparkhu.stages.trial", description="Score one trial of a model.")
    parser.add_argument("--model", required=True, choices=["linear"], help="the model")
    parser.add_argument("--data", required=True, help="URI of what the tune step wrote for the trials of a group")
    for parameter in SPACE:
        parser.add_argument(f"--{parameter.name}", required=True, help=f"{parameter.kind} of the search space")
    return parser.parse_args(arguments)


@on_one_thread
def _score(data: str, assignment: Mapping[str, str]) -> float:
    gram, season_length = read_gram(data)
    return Ridge(gram, season_length).validation_error(LinearSettings.of(assignment))


if __name__ == "__main__":
    sys.exit(main())
