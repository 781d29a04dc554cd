"""The schedule: by the wall clock of its zone, and one storage after the other."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from sparkhu.errors import InputError
from sparkhu_retention.service.scheduler import next_time
from sparkhu_retention.service.settings import RetentionSettings


def test_a_daily_time_is_the_wall_clocks_also_where_summer_time_begins_and_ends() -> None:
    for first in ("2024-03-29", "2024-10-25"):
        at = datetime.fromisoformat(f"{first}T12:00").replace(tzinfo=UTC)
        days = pd.date_range(pd.Timestamp(first) + pd.Timedelta(days=1), periods=4) + pd.Timedelta(hours=4, minutes=30)
        for wanted in days.tz_localize("Europe/Berlin").tz_convert("UTC"):
            at = next_time("30 4 * * *", "Europe/Berlin", at)
            assert at == wanted.to_pydatetime()


def test_an_hour_that_comes_twice_counts_once_but_for_a_schedule_of_every_hour() -> None:
    berlin, at = ZoneInfo("Europe/Berlin"), datetime(2024, 10, 26, 12, tzinfo=UTC)
    times = []
    for _ in range(3):
        at = next_time("30 2 * * *", "Europe/Berlin", at)
        times.append(f"{at.astimezone(berlin):%d %H:%M}")
    assert times == ["27 02:30", "28 02:30", "29 02:30"]
    hourly = [datetime(2024, 10, 26, 23, tzinfo=UTC)]
    for _ in range(5):
        hourly.append(next_time("0 * * * *", "Europe/Berlin", hourly[-1]))
    assert {later - earlier for earlier, later in pairwise(hourly)} == {timedelta(hours=1)}


def test_the_next_time_always_lies_ahead() -> None:
    at = datetime(2024, 5, 1, 4, 30, tzinfo=UTC)
    assert next_time("30 4 * * *", "UTC", at) == at + timedelta(days=1)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SCHEDULE", "every night"),
        ("SCHEDULE", "61 * * * *"),
        ("SCHEDULE", "* * * * * *"),
        ("ZONE", "Mars/Base"),
        ("PROXIES", "10.0.0.0/99"),
        ("ORIGINS", "*"),
        ("ORIGINS", "example.org"),
        ("OPERATORS", "group:keepers,ann"),
        ("RATE", "0"),
        ("PORT", "99999"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"SPARKHU_RETENTION_{variable}", value)
    with pytest.raises(InputError, match=f"SPARKHU_RETENTION_{variable}"):
        RetentionSettings()


def test_the_refusal_of_a_setting_keeps_names_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_RETENTION_ZONE", "Mars/Base")
    said = "SPARKHU_RETENTION_ZONE=Mars/Base: zone must be an IANA time zone such as UTC or Europe/Berlin"
    with pytest.raises(InputError, match=said):
        RetentionSettings()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("SCHEDUL", "SCHEDULE"), ("HOOST", "HOST"), ("STORAGE", "STORAGES"), ("DATABASE_URL", "DATABASE")],
)
def test_a_variable_whose_name_is_a_slip_is_refused_and_the_nearest_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(f"SPARKHU_RETENTION_{name}", "30 2 * * *")
    said = f"SPARKHU_RETENTION_{name} is the variable of no setting; did you mean SPARKHU_RETENTION_{meant}?"
    with pytest.raises(InputError, match=re.escape(said)):
        RetentionSettings()


def test_other_variables_behind_the_prefix_are_told_and_not_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_RETENTION_DB_PASSWORD", "geheim")
    assert RetentionSettings().unknown() == ["SPARKHU_RETENTION_DB_PASSWORD"]


def test_variables_that_other_values_take_in_are_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    database = "postgresql://${SPARKHU_RETENTION_DATABASE_1}:${SPARKHU_RETENTION_DB_PASSWORD}@db/retention"
    (tmp_path / "storages.yaml").write_text("storages: [{name: a, uri: 'x://${SPARKHU_RETENTION_STORAGES_2}@h'}]")
    for name in ("DATABASE_1", "DB_PASSWORD", "STORAGES_2"):
        monkeypatch.setenv(f"SPARKHU_RETENTION_{name}", "geheim")
    monkeypatch.setenv("SPARKHU_RETENTION_DATABASE", database)
    settings = RetentionSettings(storages=tmp_path / "storages.yaml")
    assert (settings.database, settings.unknown()) == (database, [])


@pytest.mark.parametrize("service", ["", "POSTGRES_", "HOST_", "DB_V2_"])
def test_what_kubernetes_sets_for_services_of_such_names_is_no_matter(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    names = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_8087_TCP", "PORT_8087_TCP_ADDR"]
    for name in [*names, *(["PORT"] if service else [])]:
        monkeypatch.setenv(f"SPARKHU_RETENTION_{service}{name}", "10.0.0.1")
    monkeypatch.setenv("SPARKHU_RETENTION_PORT", "8087")
    settings = RetentionSettings()
    assert (settings.port, settings.unknown()) == (8087, [])


def test_lists_of_settings_are_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_RETENTION_PROXIES", "10.0.0.0/8, ::1")
    monkeypatch.setenv("SPARKHU_RETENTION_OPERATORS", "user:ann@example.org,group:keepers")
    settings = RetentionSettings()
    assert [str(each) for each in settings.proxies] == ["10.0.0.0/8", "::1/128"]
    assert settings.operators == ("user:ann@example.org", "group:keepers")
