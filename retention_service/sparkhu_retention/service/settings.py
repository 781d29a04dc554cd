"""Deployment settings of the service: the one place that reads its environment variables."""

import os
import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any, Final

from croniter import croniter
from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from sparkhu.errors import InputError
from sparkhu.settings import FromEnvironment, Settings
from sparkhu.sources.secrets import PLACEHOLDER
from sparkhu.zones import check_zone
from sparkhu_retention.service.callers import ANYONE, GROUP, USER

_PREFIX = "SPARKHU_RETENTION_"
OF_KUBERNETES: Final = re.compile(r"(\w+_)?(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP|SCTP))(_\w+)?|\w+_PORT")
"""What Kubernetes itself sets, behind the prefix, for Services called sparkhu-retention or sparkhu-retention-NAME."""
NEAR: Final = 0.8
"""How much of its letters a name shares with that of a setting that is taken for a slip of it."""


def _parts(value: Any) -> Any:
    """Read a list as people write it into a variable: with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_parts)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_parts)]


class RetentionSettings(FromEnvironment):
    """How the retention service runs, read from `SPARKHU_RETENTION_*` variables; lists are written with commas.

    Attributes:
        database: SQLAlchemy URL of what the service remembers (`…_DATABASE`); unset: SQLite in Sparkhu's home folder.
        storages: YAML file of the storages that it retains (`…_STORAGES`); unset: `retention.yaml` in the home folder.
        host: Address that `sparkhu retention serve` listens on (`…_HOST`).
        port: Its port (`…_PORT`).
        authentication: Whether callers sign in (`…_AUTHENTICATION`). Off, the service answers this machine alone.
        proxies: Addresses or networks of a proxy that signs users in and names them in a header (`…_PROXIES`).
        proxy_secret: What that proxy sends as `X-Sparkhu-Proxy-Secret` (`…_PROXY_SECRET`). Where both are set both
            must hold; where neither is, the headers of a proxy are refused.
        user_header: Header in which the proxy names the user (`…_USER_HEADER`).
        groups_header: Header in which it names the user's groups, with commas (`…_GROUPS_HEADER`).
        viewers: Users and groups of the proxy that may look (`…_VIEWERS`), as `user:ann` and `group:keepers`; `*`: all
            that it lets through.
        operators: Those that may change and apply, written likewise (`…_OPERATORS`).
        origins: Origins of pages of other hosts that may call the service (`…_ORIGINS`), as `https://host`.
        rate: Requests a second that a caller may make for long (`…_RATE`).
        burst: Requests that a caller may make at once (`…_BURST`).
        largest_body: Largest request, in bytes (`…_LARGEST_BODY`).
        schedule: When every storage is planned and applied, as a cron expression (`…_SCHEDULE`); unset: never.
        zone: IANA zone of the schedule (`…_ZONE`).

    Raises:
        InputError: A variable has a value that it cannot have, or a name that is nearly that of a setting.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True)

    database: str | None = None
    storages: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8087, ge=0, le=65_535)
    authentication: bool = True
    proxies: Networks = ()
    proxy_secret: SecretStr | None = None
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"
    viewers: Texts = ("*",)
    operators: Texts = ()
    origins: Texts = ()
    rate: float = Field(default=20, gt=0)
    burst: int = Field(default=60, ge=1)
    largest_body: int = Field(default=1_000_000, ge=1)
    schedule: str | None = None
    zone: str = "UTC"

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        _check_names(self.unknown())

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, schedule: str | None) -> str | None:
        if schedule is not None and (len(schedule.split()) != 5 or not croniter.is_valid(schedule)):
            raise ValueError("no cron expression of five fields, such as '30 2 * * *'")
        return schedule

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, zone: str) -> str:
        check_zone(zone)
        return zone

    @field_validator("viewers", "operators")
    @classmethod
    def _are_callers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name != ANYONE and not name.startswith((USER, GROUP)):
                raise ValueError(f"'{name}' must be {USER}NAME, {GROUP}NAME or {ANYONE}")
        return names

    @field_validator("origins")
    @classmethod
    def _are_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            scheme, separator, host = origin.partition("://")
            if scheme not in ("http", "https") or not separator or not host or "/" in host or "*" in host:
                raise ValueError(f"'{origin}' is no origin such as https://data.example.org")
        return origins

    def unknown(self) -> list[str]:
        """Give the variables behind the prefix that are of no setting.

        What another value, or the file of the storages, takes in as `${NAME}` is known, and so is what Kubernetes sets.
        """
        known = [name.upper() for name in RetentionSettings.model_fields]
        others = {
            variable
            for variable in os.environ
            if (name := _named(variable)) is not None and name not in known and not OF_KUBERNETES.fullmatch(name)
        }
        return sorted(others - _taken_in(os.environ, self.storages_file)) if others else []

    @property
    def storages_file(self) -> Path:
        """The file of the storages."""
        return self.storages or Settings().home / "retention.yaml"

    @property
    def has_proxy(self) -> bool:
        """Whether users may be named by a proxy."""
        return bool(self.proxies) or self.proxy_secret is not None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this machine and is reached from no other."""
    if host.lower() == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _named(variable: str) -> str | None:
    """Give what a variable is called behind the prefix; null where it has another."""
    name = variable.upper()
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None


def _check_names(unknown: Iterable[str]) -> None:
    """Refuse a variable whose name is a slip of a setting's: it would count for nothing."""
    known = [name.upper() for name in RetentionSettings.model_fields]
    for variable in unknown:
        close = get_close_matches(_named(variable) or "", known, n=1, cutoff=NEAR)
        if close:
            hint = f"did you mean {_PREFIX}{close[0]}? Rename or unset it."
            raise InputError(f"{variable} is the variable of no setting; {hint}")


def _taken_in(variables: Mapping[str, str], storages: Path) -> set[str]:
    """Give the names that values of variables or the file of the storages mention as `${NAME}`."""
    try:
        text = storages.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        text = ""
    return {name for value in (text, *variables.values()) for name in PLACEHOLDER.findall(value)}
