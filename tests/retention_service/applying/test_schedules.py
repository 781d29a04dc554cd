"""Random schedules: a few here, and ten thousand by `python benchmarks/retention_schedules.py`."""

from hypothesis import HealthCheck, settings

from tests.retention_service.applying.schedules import Schedules

TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
