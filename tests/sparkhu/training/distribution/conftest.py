import pytest

from sparkhu.training.distribution.launching import Launch
from sparkhu.training.distribution.recipe import DistributedRecipe
from sparkhu.training.neural import nhits
from tests.sparkhu.training.distribution.jobs import DATA, PLAN, SETTINGS, Trained


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """N-HiTS as two workers of torch's fitted it, with what was told of each epoch."""
    pytest.importorskip("torch", reason="torch is not installed")
    told: list[dict[str, object]] = []
    folder = tmp_path_factory.mktemp("trained") / "job"
    found = DistributedRecipe(nhits(), Launch("torch", workers=2), folder, PLAN, told.append).fit(
        DATA, SETTINGS, seed=3
    )
    return Trained(found, told, folder)
