"""Algorithms are made where what they compute with is not installed: what submits a run checks its settings so."""

import subprocess
import sys

CODE = """
import sys
sys.modules |= dict.fromkeys(["scipy", "sklearn", "cmaes", "optuna", "re2", "kubernetes", "kubeflow_katib_api"])
from sparkhu.sections import Tuning
from sparkhu.stages.tuning_search import check_tuning
from sparkhu.tuning.algorithms.choosing import ALGORITHMS, make_suggester
from sparkhu.tuning.space import Parameter

numbers = Parameter("n", "int", 1, 9), Parameter("x", "double", 0.5, 2, 0.5, distribution="logUniform")
space = *numbers, Parameter("kind", "categorical", choices=("a", "b"))
for name in ALGORITHMS:
    settings = {"r_l": "9", "resource_name": "n"} if name == "hyperband" else {}
    make_suggester(name, settings=settings, space=space, direction="minimize", parallel=9, most_trials=12)
check_tuning(Tuning(trials=4, algorithm="sobol"))
print(*ALGORITHMS)
"""


def test_every_algorithm_is_made_without_what_it_computes_with() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "cmaes sobol" in done.stdout
