"""Retain storages of every kind by the command, in the environment that is shipped, and serve.

python exercise_retention.py FOLDER

A build runs it once in an environment: what retention imports is then compiled, and what it cannot do without is found
to be there. Storages and policies are made in FOLDER, a model registry in `SPARKHU_HOME`; both must be new.
"""

import importlib
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from click.testing import CliRunner

from sparkhu.errors import SparkhuError
from sparkhu_cli.main import sparkhu

COMMAND = str(Path(sys.executable).with_name("sparkhu"))
START = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = [START + timedelta(days=day) for day in range(2)]
POLICIES = [
    {"name": "old", "archive_after": "1 month"},
    {"name": "rows", "match": {"dataset": "observations"}, "archive_after": "1 month", "downsample": {"to": "6h"}},
]
FILE = "logs/day={:%Y-%m-%d}/part.txt"
DRIVERS = ("psycopg", "psycopg_binary")
"""What only a database elsewhere asks for."""

NOBODY = "http://127.0.0.1:9"
NOWHERE = {
    "AWS_ENDPOINT_URL": NOBODY,
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "SPARKHU_TRACKING_URI": NOBODY,
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}
GOING = {"files": 1, "lake": 2, "online": 2, "models": 1}
"""How many items of each storage are old, and needed by nobody."""

SECONDS = 60


def retention(*arguments: str) -> str:
    """Run a command in this process, which imports MLflow once for all of them, and give its output."""
    done = CliRunner().invoke(sparkhu, ["retention", *arguments])
    if done.exit_code:
        sys.exit(f"sparkhu retention {' '.join(arguments)} ended with {done.exit_code}: {done.output}")
    return done.stdout


def expect(found: object, wanted: object, what: str) -> None:
    """End the build where something is not as it must be."""
    if found != wanted:
        sys.exit(f"{what} must be {wanted!r}, got {found!r}")


def make_files(folder: Path) -> str:
    """Make a file a day; the newer one is what a model is trained on."""
    for day in DAYS:
        file = folder / FILE.format(day)
        file.parent.mkdir(parents=True)
        file.write_text("written\n" * 9)
    return str(folder)


def make_lake(folder: Path) -> str:
    """Make a lake with hourly rows of two series, which were processed long ago."""
    from sparkhu.lake import Append, Replace, create_lake

    hours = [START + timedelta(hours=hour) for hour in range(48)]
    rows = [{"unique_id": name, "ds": ds, "y": float(ds.hour), "available_at": ds} for name in "ab" for ds in hours]
    times = {"ds": pl.Datetime("us", "UTC"), "available_at": pl.Datetime("us", "UTC")}
    observed = pl.DataFrame(rows, schema_overrides=times)
    lake = create_lake(str(folder))
    lake.commit({"observations": Append(observed)}, run="first", based_on=lake.version())
    # Later intervals look back as far as these, and on the estimates of four of them.
    for first, days in ((0, 2), *((day, 1) for day in range(40, 44))):
        start, read = START + timedelta(days=first), lake.version().last_change(lake.version().number)
        end = start + timedelta(days=days)
        nothing = Replace(observed.clear(), start, end, read, "parameters", start)
        lake.commit({"clean": nothing, "profiles": nothing}, run="second", based_on=lake.version())
    return str(folder)


def make_online(folder: Path) -> str:
    """Make the table that Feast keeps the online rows of a view in."""
    folder.mkdir(parents=True)
    with closing(sqlite3.connect(folder / "online.db")) as connection:
        connection.execute(
            "CREATE TABLE sparkhu_series_state (entity_key BLOB, feature_name TEXT, value BLOB, event_ts timestamp, "
            "created_ts timestamp, PRIMARY KEY(entity_key, feature_name))"
        )
        rows = [(b"%d" % number, "y", b"1", int(day.timestamp()), None) for number, day in enumerate(DAYS)]
        connection.executemany("INSERT INTO sparkhu_series_state VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    return str(folder)


def make_models(trained_on: str) -> str:
    """Make a registry in SQLite: a champion that was trained on a file, and a run of long ago."""
    from sparkhu.registry.store import registry, tracking_uri

    with registry() as (client, experiment):
        old = client.create_run(experiment, start_time=int(START.timestamp() * 1000)).info.run_id
        client.log_metric(old, "mae", 1.5)
        client.log_text(old, "of long ago", "notes/note.txt")
        client.set_terminated(old, end_time=int(START.timestamp() * 1000))
        run = client.create_run(experiment)
        told = {"code": "", "params": {}, "sources": [{"uri": trained_on}]}
        client.log_dict(run.info.run_id, told, "lineage.json")
        client.create_registered_model("tried")
        tags = {"sparkhu.flavor": "linear"}
        made = client.create_model_version("tried", run.info.artifact_uri, run.info.run_id, tags=tags)
        client.set_registered_model_alias("tried", "champion", made.version)
    return tracking_uri()


def make_storages(folder: Path, home: Path) -> None:
    """Make the storages and the file that lists them."""
    files = make_files(folder / "files")
    places: dict[str, dict[str, Any]] = {
        "files": {"uri": files, "kind": "folder", "options": {"dates": "day={date}"}},
        "lake": {"uri": make_lake(folder / "lake")},
        "online": {"uri": make_online(folder / "online"), "kind": "features"},
        "models": {"uri": make_models(f"{files}/{FILE.format(DAYS[1])}"), "kind": "mlflow"},
    }
    storages = [{"name": name, "archive": str(folder / "archive" / name), **place} for name, place in places.items()]
    home.mkdir(parents=True, exist_ok=True)
    (home / "retention.yaml").write_text(yaml.safe_dump({"storages": storages}))


def retain() -> None:
    """Plan all storages, and apply the plans: what is old goes, but not what the champion was trained on."""
    plans = {plan["storage"]: plan for plan in json.loads(retention("plan", "--json"))}
    for storage, plan in plans.items():
        going = {total["action"]: total["items"] for total in plan["totals"]}.get("archive")
        expect(going, GOING[storage], f"what would go of {storage}")
    (held,) = plans["files"]["held"]
    expect(held["held_by"], "champion 'tried' version 1 was trained on it", "what holds a file back")
    applied = json.loads(retention("apply", "--yes", "--json"))
    gone = {run["storage"]: run["done"]["buried"]["items"] for run in applied}
    expect(gone, GOING, "what went")


def reach_nowhere() -> None:
    """Ask a lake in a bucket, a bucket and a registry where nobody listens; clients come as far as the network."""
    from sparkhu.lake import is_lake
    from sparkhu_retention.needs.models import model_needs
    from sparkhu_retention.storages.opening import open_retained

    os.environ.update(NOWHERE)
    for reach in (lambda: is_lake("s3://none/lake"), lambda: list(open_retained("s3://none/such", "s3").items())):
        try:
            reach()
        except SparkhuError as error:
            expect("Check AWS_ENDPOINT_URL" in str(error), True, f"the way out of '{error}'")
        else:
            sys.exit("nobody listens, and yet a bucket was read")
    (need,) = model_needs()
    expect(f"the model registry at '{NOBODY}' failed" in need.by, True, f"what is said by '{need.by}'")


def answered(address: str, key: str = "") -> bytes:
    """Ask the service, which may still be starting."""
    asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {key}"})
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)


def serve() -> None:
    """Serve on this machine alone, ask, and stop."""
    key = retention("key", "add", "tried", "--role", "operator").strip()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    service = subprocess.Popen([COMMAND, "retention", "serve", "--port", str(port)])
    try:
        expect(json.loads(answered(f"{address}/health")), {"status": "ok"}, "/health")
        for path in ("/ready", "/metrics", "/openapi.json", "/v1/policies", "/v1/history"):
            answered(address + path, key)
    finally:
        service.terminate()
        service.wait(SECONDS)


def main(folder: Path) -> None:
    """Plan, apply, look back, restore and serve."""
    for driver in DRIVERS:
        importlib.import_module(driver)
    make_storages(folder, Path(os.environ["SPARKHU_HOME"]))
    (folder / "policies.yaml").write_text(yaml.safe_dump_all(POLICIES))
    retention("policies", "set", str(folder / "policies.yaml"))
    retain()
    retention("history", "--check")
    retention("restore", "--storage", "files", FILE.format(DAYS[0]))
    serve()
    reach_nowhere()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
