"""What the proofs of two ranks must say."""

import json
from pathlib import Path

import numpy as np

from tests.sparkhu.training.distribution.proving_worker import PROOFS


def check_proofs(folder: Path) -> None:
    """Check what two ranks found out about each other."""
    proofs = json.loads((folder / PROOFS).read_text())
    assert proofs["sum"] == [3.0, 1.0]
    assert proofs["gathered"] == [[0, 7], [1, 7]]
    assert proofs["broadcast"] == ["of rank 0", ""]
    assert len(proofs["weights"]) == 2
    assert len(set(proofs["weights"])) == 1, "the parameters of the ranks are equal to the bit"
    assert len(set(proofs["trained"])) == 1
    assert proofs["grams"] == proofs["grams alone"], "sums of matrices are those of one process to the bit"
    # Two ranks that look at half of each batch take the steps of one that looks at all of it.
    together, alone = proofs["losses"]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert len(set(alone)) == 3, "each of three epochs took a step"
    assert proofs["difference"] < 1e-5 * proofs["largest"]
