"""What of MLflow itself holds a run or a version back."""

from sqlalchemy import Connection, select

from sparkhu_retention.storages import mlflow_files as artifacts
from sparkhu_retention.storages.mlflow_marks import files_of
from sparkhu_retention.storages.mlflow_places import Owner, Places
from sparkhu_retention.storages.mlflow_rows import DELETED, Database, Rows, Run, Thing, Version


def holds_of(database: Database, connection: Connection, thing: Thing, rows: Rows, versions: Places) -> list[str]:
    """Tell in words what holds a run or a version back.

    Args:
        database: MLflow's.
        connection: A transaction.
        thing: The run or the version.
        rows: Its rows.
        versions: Where the files of all versions lie.
    """
    place = files_of(rows)
    found = [] if artifacts.is_reachable(place) else ["its files are reached through MLflow's server alone"]
    if isinstance(thing, Version):
        aliases = database.table("registered_model_aliases").c
        named = select(aliases.alias).where(database.where("registered_model_aliases", thing)).order_by(aliases.alias)
        found += [f"alias '{alias}'" for alias in connection.execute(named).scalars()]
        shared = versions.sharing(place, f"versions/{thing.name}/{thing.number}")
        return found + [f"{_called(owner)} has the same files" for owner in shared if owner.is_live]
    came = _versions_of(database, connection, thing)
    found += [f"{version} came from it" for version in came]
    shared = versions.sharing(place, f"runs/{thing.experiment}/{thing.run}")
    found += [f"{words} has files of it" for each in shared if each.is_live and (words := _called(each)) not in came]
    if "logged_model_metrics" in rows:
        measured = _measured(database, connection, thing, versions)
        found += [f"logged model '{model}' has metrics of it" for model in measured]
    return [*found, "it has not ended"] if rows["runs"][0]["status"] in ("RUNNING", "SCHEDULED") else found


def _called(version: Owner) -> str:
    _, _, name = version.item.partition("/")
    return "model '{}' version {}".format(*name.rsplit("/", 1))


def _versions_of(database: Database, connection: Connection, run: Run) -> list[str]:
    versions = database.table("model_versions").c
    came = select(versions.name, versions.version).where(versions.run_id == run.run, versions.current_stage != DELETED)
    return [f"model '{name}' version {number}" for name, number in connection.execute(came)]


def _measured(database: Database, connection: Connection, run: Run, versions: Places) -> list[str]:
    """List the logged models that lose metrics with a run: those of other runs, and those that versions are made of.

    A model that the run itself has logged and nobody has registered stands for nothing beyond the run.
    """
    metrics, models = database.table("logged_model_metrics").c, database.table("logged_models").c
    asked = (
        select(models.model_id, models.source_run_id, models.artifact_location, models.lifecycle_stage)
        .where(metrics.run_id == run.run, metrics.model_id == models.model_id)
        .distinct()
        .order_by(models.model_id)
    )
    return [
        model
        for model, source, place, stage in connection.execute(asked)
        if (stage == "active" and source != run.run) or versions.sharing(place, "")
    ]
