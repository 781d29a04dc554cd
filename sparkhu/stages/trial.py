"""One trial of a model as a program: `python -m sparkhu.stages.trial --model=linear --data=URI --strength=0.1 …`.

It prints `validation_mse=…`, which Katib's collector, and that of the embedded engine, read from the output.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence

from sparkhu.errors import SparkhuError
from sparkhu.models.linear import LinearSettings
from sparkhu.models.spaces import SPACES
from sparkhu.threads import on_one_thread
from sparkhu.training.gram_files import read_gram
from sparkhu.training.ridge import Ridge

METRIC = "validation_mse"
"""Mean squared error on the choosing windows, in scaled units, against observed values."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Score one assignment of a model's parameters and print the objective; give the exit code."""
    given = _parsed(arguments)
    assignment = {parameter.name: getattr(given, parameter.name) for parameter in SPACES[given.model]}
    try:
        sys.stdout.write(f"{METRIC}={_score(given.data, assignment)!r}\n")
    except SparkhuError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    model = argparse.ArgumentParser(add_help=False)
    model.add_argument("--model", required=True, choices=sorted(SPACES), help="the model")
    named, _ = model.parse_known_args(arguments)
    about = "Score one trial of a model."
    whole = argparse.ArgumentParser(prog="python -m sparkhu.stages.trial", description=about, parents=[model])
    whole.add_argument("--data", required=True, help="URI of what the tune step wrote for the trials of a group")
    for parameter in SPACES[named.model]:
        whole.add_argument(f"--{parameter.name}", required=True, help=f"{parameter.kind} of the search space")
    return whole.parse_args(arguments)


@on_one_thread
def _score(data: str, assignment: Mapping[str, str]) -> float:
    gram, season_length = read_gram(data)
    return Ridge(gram, season_length).validation_error(LinearSettings.of(assignment))


if __name__ == "__main__":
    sys.exit(main())
