"""Deployment settings: the one place that reads Sparkhu's environment variables."""

import json
import re
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from sparkhu.errors import InputError


class FromEnvironment(BaseSettings):
    """Settings read from variables; what they cannot be is said with the variable's name."""

    def __init__(self, **values: Any) -> None:
        prefix = self.model_config.get("env_prefix", "")
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"{prefix}{first['loc'][0]}".upper()
            said = first["msg"].removeprefix("Value error, ").rstrip(".")
            raise InputError(f"{name}={first['input']}: {said[:1].lower()}{said[1:]}. Change or unset it.") from error
        except SettingsError as error:
            field = re.search(r'field "(\w+)"', str(error))
            name = f"{prefix}{field[1]}".upper() if field else f"a {prefix}* variable"
            raise InputError(f"{name} is no JSON object. Change or unset it.") from error


class Settings(FromEnvironment):
    """Where Sparkhu keeps its state on this machine, read from `SPARKHU_*` variables.

    Attributes:
        home: Folder of local state: registry, logs, caches (`SPARKHU_HOME`).
        tracking_uri: MLflow's tracking server (`SPARKHU_TRACKING_URI`); unset: SQLite in `home`.
        catalogue: SQLAlchemy URL of the metadata catalogue (`SPARKHU_CATALOGUE`); unset: SQLite in `home`.
        rows_per_shard: Largest number of rows in a shard of several series (`SPARKHU_ROWS_PER_SHARD`); unset: a
            million. Smaller shards take less memory a worker, and give more groups something to do (`--fan-out`).
        workers: Processes that a step maps its shards over (`SPARKHU_WORKERS`); unset: one a core.
        runner: What the tasks of a run are on this machine (`SPARKHU_RUNNER`): `subprocess`, or `docker`, containers of
            the components' images.
        engine: What maps steps over shards (`SPARKHU_ENGINE`): `local`, processes of this machine, or `spark`.
        spark_master: Where Spark is (`SPARKHU_SPARK_MASTER`): `local[2]`, `spark://HOST:PORT`, `yarn`, `k8s://…`, or
            `sc://HOST:PORT` for Spark Connect.
        spark_conf: Spark's own settings (`SPARKHU_SPARK_CONF`), a JSON object such as
            `{"spark.executor.memory": "4g"}`. Secrets go here, not behind an option, which all users may read.
        code_version: Which library a step must be run by (`SPARKHU_CODE_VERSION`), as `sparkhu submit` and `sparkhu
            compile` give it to each task; unset: any.
        image: The image that a task runs in (`SPARKHU_IMAGE`), for messages.

    Raises:
        InputError: A variable has a value that it cannot have.
    """

    model_config = SettingsConfigDict(env_prefix="SPARKHU_", env_ignore_empty=True, frozen=True)

    home: Path = Field(default_factory=lambda: user_data_path("sparkhu"))
    tracking_uri: str | None = None
    catalogue: str | None = None
    rows_per_shard: int | None = Field(default=None, ge=1)
    workers: int | None = Field(default=None, ge=1)
    runner: Literal["subprocess", "docker"] = "subprocess"
    engine: Literal["local", "spark"] = "local"
    spark_master: str = "local[*]"
    spark_conf: dict[str, str] = Field(default_factory=dict)
    code_version: str | None = None
    image: str | None = None

    def engine_variables(self) -> dict[str, str]:
        """Give the environment variables with which another process maps its steps as this one does."""
        return {
            "SPARKHU_ENGINE": self.engine,
            "SPARKHU_SPARK_MASTER": self.spark_master,
            "SPARKHU_SPARK_CONF": json.dumps(self.spark_conf),
        }


class PipelinesAccess(FromEnvironment):
    """How `sparkhu submit` signs in to Kubeflow Pipelines, read from `SPARKHU_KFP_*` variables.

    Attributes:
        token: Bearer token (`SPARKHU_KFP_TOKEN`).
        cookie: Session cookie, such as `authservice_session=…` (`SPARKHU_KFP_COOKIE`).
        ca: File with the certificates that the server's is signed by (`SPARKHU_KFP_CA`); unset: the public ones.
    """

    model_config = SettingsConfigDict(env_prefix="SPARKHU_KFP_", env_ignore_empty=True, frozen=True)

    token: SecretStr | None = None
    cookie: SecretStr | None = None
    ca: Path | None = None

    def secrets(self) -> tuple[str, ...]:
        """Give what must be shown nowhere."""
        return tuple(each.get_secret_value().strip() for each in (self.token, self.cookie) if each)
