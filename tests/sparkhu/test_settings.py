from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.settings import Settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_HOME", "/x/state")
    monkeypatch.setenv("SPARKHU_WORKERS", "3")
    monkeypatch.setenv("SPARKHU_TRACKING_URI", "http://mlflow:5000")
    settings = Settings()
    assert (settings.home, settings.workers) == (Path("/x/state"), 3)
    assert settings.tracking_uri == "http://mlflow:5000"


def test_the_home_folder_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SPARKHU_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert Settings().home == tmp_path / "sparkhu"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_WORKERS", "")
    assert Settings().workers is None


@pytest.mark.parametrize("value", ["0", "-1", "many"])
def test_a_value_that_cannot_be_is_refused_by_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_WORKERS", value)
    with pytest.raises(InputError, match=rf"SPARKHU_WORKERS={value}: input should be .*\. Change or unset it\."):
        Settings()


def test_shards_are_as_large_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().rows_per_shard is None
    monkeypatch.setenv("SPARKHU_ROWS_PER_SHARD", "50000")
    assert Settings().rows_per_shard == 50_000
    monkeypatch.setenv("SPARKHU_ROWS_PER_SHARD", "0")
    with pytest.raises(InputError, match=r"^SPARKHU_ROWS_PER_SHARD=0: .*greater than or equal to 1"):
        Settings()


def test_a_variable_that_is_no_json_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_SPARK_CONF", "{spark.executor.memory=4g")
    with pytest.raises(InputError, match=r"SPARKHU_SPARK_CONF is no JSON object\. Change or unset it"):
        Settings()
