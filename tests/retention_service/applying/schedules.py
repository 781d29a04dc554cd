"""Random schedules of all that may happen to data under retention; `Promises` says what must hold whatever happens."""

import io
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import func, select

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.applying.expiring import archived_items, expire
from sparkhu_retention.applying.restoring import restore
from sparkhu_retention.database import holds, plans, policy_versions
from sparkhu_retention.database.earlier import earlier_copies
from sparkhu_retention.database.tables import Hold
from sparkhu_retention.needs.need import Need
from sparkhu_retention.planning.expiry import Tier
from sparkhu_retention.planning.planner import plan
from sparkhu_retention.policies.policy import Policy, PolicyVersion
from tests.retention_service.applying.promises import Promises, checksum
from tests.retention_service.applying.striking import Killed, Strike, WatchedDatabase, struck
from tests.retention_service.applying.world import START, World

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
DAYS, FILES = 6, 2
LAST_WRITE = 90
NAMES = [f"day={FIRST + timedelta(day):%Y-%m-%d}/{name}.parquet" for day in range(DAYS) for name in "ab"[:FILES]]
POLICIES: list[dict[str, Any] | None] = [
    {"name": "old", "archive_after": "1 year"},
    {"name": "old", "archive_after": "1 year", "grace": "1 day"},
    {"name": "old", "archive_after": "1 year", "delete_after": "13 months"},
    {"name": "old", "archive_after": "11 months", "keep_newest": 2},
    {"name": "old", "floor": "2024-01-03"},
    {"name": "old", "without_archive": True, "delete_after": "1 year", "grace": "2 days"},
    {"name": "old", "no_policy": True},
    None,
]
MEMORY = Path("/dev/shm")
ENDS = st.sampled_from(["nothing", "killed", "killed", "away", "fails"])
OFTEN = ["nothing", "killed", "overtaken", "away", "fails"]
SKEWS = st.sampled_from([0, 0, 0, -3, 3])
"""Hours by which the clock of a runner is ahead."""


@cache
def template() -> bytes:
    """Make the file of an empty database once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "retention.sqlite"
        database = WatchedDatabase(f"sqlite:///{path}")
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return path.read_bytes()


class Schedules(RuleBasedStateMachine):
    """One schedule."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None, prefix="schedule-"))
        (self.root / "retention.sqlite").write_bytes(template())
        self.database = WatchedDatabase(f"sqlite:///{self.root / 'retention.sqlite'}")
        self.world = World(self.root, self.database)
        self.promises = Promises(self.world)
        self.written, self.plans, self.archive_plans = 0, list[str](), list[str]()
        self._watch_purges()

    def _watch_purges(self) -> None:
        storage = self.world.storage
        purge = storage.purge

        def watched(ids: Any, mark: str) -> int:
            self.promises.in_purge = True
            try:
                return purge(ids, mark)
            finally:
                self.promises.in_purge = False

        storage.purge = watched  # type: ignore[method-assign]

    def teardown(self) -> None:
        try:
            self.ends_well()
        finally:
            self.database.close()
            shutil.rmtree(self.root)

    # What may happen.

    @initialize(
        names=st.sets(st.sampled_from(NAMES), min_size=3, max_size=8),
        document=st.sampled_from(POLICIES[:6]),
        age=st.sampled_from(["new", "buried", "purged"]),
    )
    def begin(self, names: set[str], document: dict[str, Any], age: str) -> None:
        for name in sorted(names):
            self.write(name)
        self.world.policy(document)
        for _ in range(["new", "buried", "purged"].index(age)):
            self.world.now += timedelta(days=8)
            self.run(lambda: self.world.apply(self.made_plan()), 0, "nothing")

    @rule(name=st.sampled_from(NAMES))
    def write(self, name: str) -> None:
        """A file is written, or written anew: what lay there before is lost by the will of who writes."""
        self.written += 1
        data = io.BytesIO()
        pl.DataFrame({"x": [self.written] * (self.written % 3 + 1)}).write_parquet(data)
        path = self.root / "live" / name
        if path.exists():
            self.promises.contents.pop((name, checksum(path.read_bytes())), None)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.root / "draft"
        draft.write_bytes(data.getvalue())
        draft.rename(path)
        self.promises.contents[name, checksum(data.getvalue())] = data.getvalue()

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        """Somebody removes a file: versions that were no longer among the newest may be so again."""
        path = self.root / "live" / name
        if path.exists():
            self.promises.contents.pop((name, checksum(path.read_bytes())), None)
            path.unlink()

    @rule(document=st.sampled_from(POLICIES))
    def set_policy(self, document: dict[str, Any] | None) -> None:
        self.world.policy(document)

    @rule(day=st.integers(0, DAYS - 1), length=st.integers(1, 3))
    def promote(self, day: int, length: int) -> None:
        """A model that was trained on some days becomes the champion."""
        start = FIRST + timedelta(day)
        self.world.needs.append(Need("champion", self.world.storage.uri, start=start, end=start + timedelta(length)))

    @rule()
    def registry_goes_away(self) -> None:
        self.world.needs.append(Need("the registry cannot be asked", self.world.storage.uri))

    @precondition(lambda self: self.world.needs)
    @rule()
    def needs_end(self) -> None:
        self.world.needs.clear()

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1, max_size=3))
    def hold(self, names: set[str]) -> None:
        with self.database.writing() as connection:
            at, storage = self.world.now, self.world.storage.uri
            holds.place(connection, "court", at=at, by="bob", storage=storage, ids=sorted(names))

    @rule()
    def lift_holds(self) -> None:
        with self.database.writing() as connection:
            for each in holds.standing(connection):
                holds.lift(connection, each.id, at=self.world.now, by="bob")
        self.promises.asked_back.clear()

    @rule(hours=st.sampled_from([1, 30, 24 * 8, 24 * 40, -2]))
    def clock_jumps(self, hours: int) -> None:
        self.world.now += timedelta(hours=hours)

    @rule()
    def plan(self) -> None:
        self.plans.append(self.made_plan())

    @precondition(lambda self: self.plans)
    @rule(data=st.data(), at=st.integers(1, LAST_WRITE), size=st.sampled_from([1, 2, 100]), skew=SKEWS)
    def apply(self, data: st.DataObject, at: int, size: int, skew: int) -> None:
        """A plan, mostly the newest, is applied, and something happens at one of its writes."""
        name = self.plans[-1] if data.draw(st.integers(0, 3)) else data.draw(st.sampled_from(self.plans))
        happens = data.draw(
            st.sampled_from(
                ["nothing", "killed", "killed", "overtaken", "away", "fails", "hold", "promote", "policy", "write"]
            )
        )
        self.run(lambda: self.world.apply(name, batch_items=size, clock=self.clock), at, happens, skew)

    @rule(at=st.integers(1, 12), happens=st.sampled_from(OFTEN), skew=SKEWS)
    def settle(self, at: int, happens: str, skew: int) -> None:
        self.run(lambda: self.world.apply(clock=self.clock), at, happens, skew)

    @rule()
    def plan_the_archive(self) -> None:
        self.archive_plans.append(self.made_plan("archive"))

    @precondition(lambda self: self.archive_plans)
    @rule(at=st.integers(1, 12), happens=st.sampled_from(OFTEN), skew=SKEWS)
    def expire(self, at: int, happens: str, skew: int) -> None:
        """What lies in the archive is removed there, as it was planned."""
        name = self.archive_plans[-1]
        self.run(lambda: expire(self.world.work(clock=self.clock), name), at, happens, skew)

    @rule(names=st.sets(st.sampled_from(NAMES), min_size=1, max_size=2), at=st.integers(1, 20), happens=ENDS)
    def restore(self, names: set[str], at: int, happens: str) -> None:
        states = self.world.states()
        ids = [name for name in sorted(names) if states.get(name) in ("buried", "purged")]
        if ids:
            before = self.placed()
            self.run(lambda: self.brought_back(ids), at, happens)
            if self.placed() > before:
                self.promises.asked_back |= {name for name in ids if states[name] == "buried"}

    def brought_back(self, ids: list[str]) -> None:
        """Restore items; those that can come back are not refused."""
        gone = self.promises.gone_for_good(ids)
        try:
            restore(self.world.work(), ids)
        except InputError as error:
            if not any(f"'{name}' cannot be restored" in str(error) for name in gone):
                raise

    def placed(self) -> int:
        """Count the holds that were ever placed."""
        with self.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(Hold)).scalar_one()

    def clock(self) -> datetime:
        return self.promises.now

    def run(self, act: Any, at: int, happens: str, skew: int = 0) -> None:
        before, self.promises.skew = self.promises.skew, timedelta(hours=skew)
        strike = Strike(str(self.root / ""), at, lambda: self.happen(happens), self.promises.removed)
        with struck(strike):
            try:
                act()
            except Killed:
                self.world.now += timedelta(minutes=2)  # its lease runs out
            except InputError:
                if not self.promises.is_away:
                    raise
            except SparkhuError:
                pass  # an alert was raised; what must hold is looked at after every step
            finally:
                self.promises.skew = before
                self.archive_comes_back()

    def archive_goes_away(self) -> None:
        """A file lies in the way to the archive: it can neither be read nor be written to."""
        archive = self.root / "archive"
        if archive.is_dir():
            archive.rename(self.root / "away")
            archive.touch()
            self.promises.is_away = True

    def archive_comes_back(self) -> None:
        if self.promises.is_away:
            (self.root / "archive").unlink()
            (self.root / "away").rename(self.root / "archive")
            self.promises.is_away = False

    def happen(self, what: str) -> None:
        if what == "killed":
            raise Killed
        if what == "fails":
            raise SparkhuError("it failed for a moment")
        if what == "overtaken":  # held up for so long that another runs meanwhile
            self.world.now += timedelta(minutes=5)
            self.run(self.world.apply, 0, "nothing")
        if what == "away":
            self.archive_goes_away()
        if self.promises.in_purge:  # what comes to be needed while it is being purged comes too late
            return
        if what == "hold":
            self.hold({NAMES[0], NAMES[3]})
        elif what == "promote":
            self.promote(0, 3)
        elif what == "policy":
            self.world.policy(None)
        elif what == "write":
            self.write(NAMES[0])

    def made_plan(self, tier: Tier = "live") -> str:
        world, uri, name = self.world, self.world.storage.uri, f"plan-{self.written}-{len(self.plans)}-{tier}"
        self.written += 1
        with self.database.reading() as connection:
            versions = policy_versions.in_force(connection)
            held = [each.need() for each in holds.standing(connection, uri)]
            items = list(archived_items(connection, uri) if tier == "archive" else world.storage.items())
            earlier = earlier_copies(connection, uri, now=world.now) if tier == "live" else None
        policies = [PolicyVersion(Policy.model_validate(each.document), each.version) for each in versions]
        needed = {"needs": world.needs, "holds": held, "earlier": earlier}
        frame = plan(uri, items, policies, now=world.now, tier=tier, **needed)  # type: ignore[arg-type]
        with self.database.writing() as connection:
            plans.save(connection, name, [frame], storage=uri, kind=tier, at=world.now, by="ann")
        return name

    # What must hold.

    @invariant()
    def nothing_is_lost(self) -> None:
        self.promises.nothing_is_lost()

    def ends_well(self) -> None:
        """Everything ends that held data back: what should be gone is gone, and the accounts balance."""
        self.world.needs.clear()
        self.lift_holds()
        for name in self.world.buried() & self.world.live().keys():
            path = self.root / "live" / name  # nothing is put back over it: a person moves it away
            self.promises.contents.pop((name, checksum(path.read_bytes())), None)
            path.unlink()
        self.world.policy({"name": "old", "archive_after": "1 month"})
        self.world.now = max(self.world.now, START) + timedelta(days=60)
        for _ in range(2):
            self.run(lambda: self.world.apply(self.made_plan()), 0, "nothing")
            self.plans.append("")
            self.world.now += timedelta(days=8)
        self.run(self.world.apply, 0, "nothing")
        assert self.world.live() == {}
        assert self.world.buried() == set()
        self.promises.nothing_is_lost()
        self.promises.accounts_balance()
        self.world.policy({"name": "old", "archive_after": "1 month", "delete_after": "2 months"})
        self.world.now += timedelta(days=60)
        self.plan_the_archive()
        self.expire(0, "nothing", 0)
        assert archived_files(self.world) == []


def archived_files(world: World) -> list[str]:
    return [path for path in world.archived() if "/data/" in path]
