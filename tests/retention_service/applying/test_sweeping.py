"""What killed runs leave in the archive is swept by the next run."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import pytest
from sqlalchemy import Connection

from sparkhu_retention.applying.step import State
from sparkhu_retention.database import archived, audit, journal
from tests.retention_service.applying.striking import Killed, Strike, struck
from tests.retention_service.applying.world import GRACE, World, counted

NAMES = [f"day=2023-01-0{day}/a.csv" for day in range(1, 5)]


def killed() -> None:
    raise Killed


def lying(world: World) -> list[str]:
    """List all files of the archive."""
    return [file.path for file in world.archive.files.listed("")]


def test_half_written_files_are_swept_wherever_the_run_was_killed(world: World) -> None:
    drafted = 0
    for at in range(1, 60):
        name = world.write(f"day=2023-01-01/{at}.csv", b"x" * at)
        strike = Strike(str(world.root / "archive"), at, killed)
        try:
            with struck(strike):
                world.apply(world.plan(name))
        except Killed:
            drafted += any(".drafts-" in path for path in lying(world))
            assert counted(world.apply(world.plan(name))) == {"archived": 1, "buried": 1}
        assert not any(".drafts" in path for path in lying(world))
        if not strike.is_dead:
            break
    else:
        raise AssertionError("no run ended unharmed")
    assert drafted > 0
    with world.database.reading() as connection:
        kept = [file.path for file in archived.listed(connection)]
    assert [path for path in lying(world) if "/data/" in path] == kept


def test_copies_of_what_stayed_where_others_of_the_batch_went_are_swept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        world.write(name, name.encode())
    plan, bury = world.plan(*NAMES), world.storage.bury

    def half(contents: Mapping[str, str], mark: str) -> None:
        bury({name: contents[name] for name in NAMES[:2]}, mark)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(world.storage, "bury", half)
        with pytest.raises(Killed):
            world.apply(plan)
    ended = world.apply()
    assert counted(ended) == {"buried": 2}
    assert swept(world) == [(ended.run, NAMES[2:])]

    copies = [path for path in lying(world) if "/data/" in path]
    assert sorted(path.rpartition("/data/")[2] for path in copies) == NAMES[:2]
    with world.database.reading() as connection:
        assert [file.path for file in archived.listed(connection)] == copies
    assert counted(world.apply(plan)) == {"archived": 2, "buried": 2}
    world.now += GRACE
    assert counted(world.apply()) == {"purged": 4}


def test_a_folder_of_which_the_last_copy_is_swept_keeps_no_manifest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the run that swept it was killed before it could write it down."""
    for name in NAMES[:2]:
        world.write(name, name.encode())
    plan, forget = world.plan(*NAMES[:2]), archived.forget
    with monkeypatch.context() as patched:
        patched.setattr(world.storage, "bury", lambda contents, mark: killed())
        with pytest.raises(Killed):
            world.apply(plan)
    with world.database.writing() as connection:
        entries = journal.in_hand(connection, world.storage.uri)
        journal.move(connection, entries, State.FAILED, at=world.now, said="let go")
        archived.keep_attempts(connection, entries[0].run, entries[0].batch)

    def once(connection: Connection, entries: Iterable[int], *, at: datetime) -> None:
        monkeypatch.setattr(archived, "forget", forget)
        raise Killed

    assert lying(world) != []
    monkeypatch.setattr(archived, "forget", once)
    with pytest.raises(Killed):
        world.apply()
    ended = world.apply()
    assert lying(world) == []
    assert swept(world) == [(ended.run, NAMES[:2])]


def swept(world: World) -> list[tuple[str | None, list[str]]]:
    """Give run and items of the lines of the audit log that tell of copies that were swept."""
    with world.database.reading() as connection:
        lines = [line for line in audit.read(connection, limit=1000) if line["what"] == "swept"]
    return [(line["run"], [each["id"] for each in line["detail"]["objects"] if each["archived"]]) for line in lines]


def test_drafts_of_others_are_left(world: World) -> None:
    draft = "elsewhere/20250101t000000-7/000001/data/.drafts-0"
    world.archive.files.write(draft, b"half")
    world.write(NAMES[0])
    world.apply(world.plan(NAMES[0]))
    world.apply()
    assert draft in lying(world)
