"""Passwords of storages: taken from the environment when one is opened, and written down nowhere."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.database.opening import Database
from sparkhu_retention.places import Place
from sparkhu_retention.service.answers import HoldRequest, RestoreRequest
from sparkhu_retention.service.embedded import Embedded
from sparkhu_retention.service.metrics import Metrics
from sparkhu_retention.service.runs import Runs, Wanted
from tests.services import postgres_url

__all__ = ["postgres_url"]

POLICY = {"name": "trials", "match": {"dataset": "runs/**"}, "archive_after": "1 day", "grace": "1 day"}


@pytest.fixture
def run(postgres_url: str, tmp_path: Path) -> str:
    """Make an ended run in a tracking server's database on PostgreSQL."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=postgres_url, registry_uri=postgres_url)
    experiment = client.create_experiment("trials", artifact_location=(tmp_path / "artifacts").as_uri())
    made: str = client.create_run(experiment).info.run_id
    client.log_text(made, "a note", "note.txt")
    client.set_terminated(made)
    return made


def test_a_database_whose_password_is_a_variable_is_planned_applied_and_restored(
    database: Database, run: str, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    url = make_url(postgres_url)
    assert url.password
    monkeypatch.setenv("MLFLOW_PASSWORD", url.password)
    uri = f"postgresql+psycopg://sparkhu:${{MLFLOW_PASSWORD}}@{url.host}:{url.port}/{url.database}"
    (tmp_path / "archive").mkdir()
    now = [datetime.now(UTC) + timedelta(days=3)]
    place = Place(name="ml", uri=uri, kind="mlflow", archive=str(tmp_path / "archive"))
    operations = Embedded(database, {"ml": place}, now=lambda: now[0])
    operations.set_policy(POLICY, by="test")
    operations.hold(HoldRequest(storage="ml", dataset="models/demo", reason="an audit"), by="test")

    plan = operations.make_plan("ml", by="test")
    applied = operations.apply(plan.id, by="test", watch=lambda _: None)
    stage = MlflowClient(postgres_url).get_run(run).info.lifecycle_stage
    item = operations.planned(plan.id, action="archive").items[0].id
    restored = operations.restore(RestoreRequest(storage="ml", items=[item]), by="test", watch=lambda _: None)

    assert (plan.storage, applied.done["buried"].items, stage) == ("ml", 1, "deleted")
    assert restored.done["restored"].items == 1
    assert MlflowClient(postgres_url).get_run(run).info.lifecycle_stage == "active"
    assert {line.storage for line in operations.history().items} == {"ml", None}
    assert not any(each in written(database) for each in (url.password, postgres_url))


def written(database: Database) -> str:
    """Give all that the database has, as text."""
    with database.engine.connect() as connection:
        tables = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
        return "".join(str(row) for table in tables for row in connection.exec_driver_sql(f'SELECT * FROM "{table}"'))


def test_a_variable_that_is_not_set_is_named(database: Database) -> None:
    place = Place(name="ml", uri="postgresql+psycopg://ann:${NO_SUCH_PASSWORD}@db/mlflow", kind="mlflow")
    with pytest.raises(InputError, match="NO_SUCH_PASSWORD"):
        Embedded(database, {"ml": place}).make_plan("ml", by="test")


@pytest.mark.parametrize(
    ("field", "address"), [("uri", "postgresql+psycopg://ann:pea@db/mlflow"), ("archive", "ftp://ann:pea@cold/plant")]
)
def test_a_password_in_an_address_is_refused_and_not_repeated(database: Database, field: str, address: str) -> None:
    place = Place(**({"name": "ml", "uri": "sqlite:///mlflow.db"} | {field: address}))
    with pytest.raises(InputError, match=f"field '{field}' of the storage 'ml'.*NAME") as refused:
        Embedded(database, {"ml": place})
    assert "pea" not in str(refused.value)


def test_what_a_run_failed_of_is_told_without_passwords() -> None:
    def fail(*_: object) -> None:
        raise SparkhuError("postgresql://ann:pea@db/mlflow does not answer")

    runs = Runs(Metrics())
    begun = runs.begin(Wanted("apply", "ml", None, "test", 0), fail)  # type: ignore[arg-type]
    runs.wait()
    ended = runs.find(begun.id)
    assert ended is not None
    assert ended.failures[0].detail == "postgresql://ann:***@db/mlflow does not answer"
