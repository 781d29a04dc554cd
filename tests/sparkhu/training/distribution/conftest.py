import pytest

from sparkhu.training.distribution.launching import Launch
from tests.services import s3_endpoint
from tests.sparkhu.training.distribution.jobs import PROVING, SECRET, Trained, proved

__all__ = ["s3_endpoint", "trained"]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """N-HiTS as two workers of torch's fitted it, which proved what they are, beside secrets of this process."""
    pytest.importorskip("torch", reason="torch is not installed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        return proved(Launch("torch", workers=2, module=PROVING), tmp_path_factory.mktemp("torch") / "job")
