"""What every storage does, whatever it keeps."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import polars as pl
import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu_retention.items import ITEMS
from sparkhu_retention.storages.protocol import Changed, Exported, RetainedStorage
from tests.retention_service.storages.cases import Case

MARK, OTHER = "run-1", "run-2"


def listed(case: Case) -> pl.DataFrame:
    return pl.concat([ITEMS.to_frame(), *case.opened().items()]).sort("id")


def contents(case: Case, *ids: str) -> dict[str, str]:
    known = dict(listed(case).select("id", "content").iter_rows())
    return {item: known[item] for item in ids or case.ids}


def seen(case: Case) -> dict[str, object | None]:
    return {item: case.read(item) for item in case.ids}


def buried(case: Case) -> dict[str, str]:
    return {each.id: each.mark for each in case.opened().buried()}


def export(case: Case, folder: Path, *ids: str) -> list[Exported]:
    folder.mkdir()
    return list(case.opened().export(contents(case, *ids), folder))


def gone(case: Case, *ids: str) -> None:
    storage = case.opened()
    storage.bury(contents(case, *ids), MARK)
    storage.purge(ids, MARK)


def test_items_are_listed_with_what_is_known_of_them(case: Case) -> None:
    there = listed(case)
    assert there.schema == ITEMS
    assert there["id"].to_list() == sorted(case.ids)
    for column in ("dataset", "line", "content", "bytes", "tags", "holds"):
        assert there[column].null_count() == 0 or column == "line"
    assert (there["bytes"] > 0).all()
    assert (there["content"] != "").all()
    dated = there.drop_nulls("end")
    assert dated.height
    assert (dated["start"] < dated["end"]).all()
    assert listed(case).equals(there), "the same items are told in the same words"
    assert all(case.read(item) is not None for item in case.ids)


def test_what_is_exported_is_what_was_there_and_stays(case: Case, tmp_path: Path) -> None:
    before = seen(case)
    exported = export(case, tmp_path / "scratch")
    assert seen(case) == before
    assert {each.id for each in exported} == set(case.ids)
    for each in exported:
        data = (tmp_path / "scratch" / each.path).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (each.bytes, each.sha256)
        if each.path.endswith(".parquet"):
            assert each.rows == pl.read_parquet(data).height
    for item, some in groupby(exported, lambda each: each.id):
        assert case.restored(item, [tmp_path / "scratch" / each.path for each in some]) == before[item]


def test_what_is_buried_leaves_every_reader_at_once_and_the_rest_stays(case: Case) -> None:
    before, (first, second, *others) = seen(case), case.ids
    case.opened().bury(contents(case, first, second), MARK)
    assert seen(case) == {**before, first: None, second: None}
    assert listed(case)["id"].to_list() == sorted(others)
    told = {each.id: each for each in case.opened().buried()}
    assert told.keys() == {first, second}
    for each in told.values():
        assert each.mark == MARK
        assert abs(datetime.now(UTC) - each.at) < timedelta(minutes=5)
        assert each.bytes > 0


def test_what_is_put_back_from_its_tombstone_is_as_it_was(case: Case) -> None:
    before, told = seen(case), listed(case)
    storage = case.opened()
    storage.bury(contents(case), MARK)
    assert set(seen(case).values()) == {None}
    storage.unbury(case.ids, MARK)
    assert seen(case) == before
    assert buried(case) == {}
    assert listed(case).equals(told), "a plan made before still fits"


def test_what_is_purged_is_gone_and_its_bytes_are_told(case: Case) -> None:
    before, (first, second, *_) = seen(case), case.ids
    storage = case.opened()
    storage.bury(contents(case, first, second), MARK)
    sizes = {each.id: each.bytes for each in storage.buried()}
    assert storage.purge([first], MARK) == sizes[first]
    assert buried(case) == {second: MARK}
    with pytest.raises(SparkhuError, match=r"was purged\. Restore it from the archive"):
        storage.unbury([first], MARK)
    storage.unbury([second], MARK)
    assert seen(case) == {**before, first: None}


Verb = Callable[[RetainedStorage, dict[str, str]], object]
VERBS: dict[str, Verb] = {
    "bury": lambda storage, what: storage.bury(what, MARK),
    "unbury": lambda storage, what: storage.unbury(list(what), MARK),
    "purge": lambda storage, what: storage.purge(list(what), MARK),
}
AFTER = {
    ("bury",): {"bury": "buried", "unbury": "live", "purge": "gone"},
    ("bury", "unbury"): {"bury": "buried", "unbury": "live", "purge": "live"},
    ("bury", "purge"): {"bury": Changed, "unbury": SparkhuError, "purge": "gone"},
    ("bury", "unbury", "bury"): {"bury": "buried", "unbury": "live", "purge": "gone"},
    (): {"bury": "buried", "unbury": "live", "purge": "live"},
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("before", AFTER, ids=lambda before: "-".join(before) or "nothing")
def test_every_verb_may_be_done_again_after_every_other(case: Case, before: tuple[str, ...], verb: str) -> None:
    whole, what = case.read(case.ids[0]), contents(case, case.ids[0])
    for each in before:
        for _ in range(2):
            VERBS[each](case.opened(), what)
    wanted = AFTER[before][verb]
    for _ in range(2):
        if isinstance(wanted, str):
            VERBS[verb](case.opened(), what)
        else:
            with pytest.raises(wanted):
                VERBS[verb](case.opened(), what)
    assert case.read(case.ids[0]) == (whole if wanted == "live" else None)
    assert (case.ids[0] in buried(case)) == (wanted == "buried")
    if verb == "purge":
        assert case.opened().purge(case.ids[:1], MARK) == 0


def test_a_run_takes_back_only_what_it_buried_itself(case: Case) -> None:
    first = case.ids[0]
    storage = case.opened()
    storage.bury(contents(case, first), MARK)
    assert storage.purge([first], OTHER) == 0
    assert buried(case) == {first: MARK}
    with pytest.raises(SparkhuError):
        storage.unbury([first], OTHER)
    storage.unbury([first], MARK)
    storage.bury(contents(case, first), OTHER)
    assert buried(case) == {first: OTHER}


def test_an_item_that_changed_is_refused_and_nothing_of_the_call_is_done(case: Case, tmp_path: Path) -> None:
    planned, (first, second, *_) = contents(case), case.ids
    case.change(second)
    before = seen(case)
    with pytest.raises(Changed):
        case.opened().bury({item: planned[item] for item in (first, second)}, MARK)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(Changed):
        list(case.opened().export({second: planned[second]}, tmp_path / "scratch"))
    assert seen(case) == before
    assert buried(case) == {}


def test_an_item_that_is_gone_is_refused_as_changed(case: Case, tmp_path: Path) -> None:
    planned, (first, second, *_) = contents(case), case.ids
    gone(case, first)
    with pytest.raises(Changed):
        case.opened().bury({item: planned[item] for item in (second, first)}, OTHER)
    (tmp_path / "scratch").mkdir()
    with pytest.raises(Changed):
        list(case.opened().export({first: planned[first]}, tmp_path / "scratch"))
    assert case.read(second) is not None


def test_what_was_purged_is_put_back_from_what_was_exported(case: Case, tmp_path: Path) -> None:
    before, scratch = seen(case), tmp_path / "scratch"
    archived = export(case, scratch)
    gone(case, *case.ids)
    assert set(seen(case).values()) == {None}
    for _ in range(2):
        case.opened().put_back(archived, scratch)
        assert seen(case) == before
        assert listed(case)["id"].to_list() == sorted(case.ids)
    gone(case, case.ids[0])
    case.opened().put_back([each for each in archived if each.id == case.ids[0]], scratch)
    assert seen(case) == before


def test_what_is_still_there_is_put_back_without_harm(case: Case, tmp_path: Path) -> None:
    before = seen(case)
    case.opened().put_back(export(case, tmp_path / "scratch"), tmp_path / "scratch")
    assert seen(case) == before


def test_a_damaged_archive_puts_nothing_back(case: Case, tmp_path: Path) -> None:
    first = case.ids[0]
    archived = export(case, tmp_path / "scratch", first)
    gone(case, first)
    for each in archived:
        path = tmp_path / "scratch" / each.path
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(SparkhuError, match="damaged"):
        case.opened().put_back(archived, tmp_path / "scratch")
    assert case.read(first) is None


def test_ids_outside_of_the_root_are_refused_by_every_verb_with_the_name_of_the_field(
    case: Case, tmp_path: Path
) -> None:
    before, storage = seen(case), case.opened()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    (scratch / "file").write_bytes(b"evil")
    evil = hashlib.sha256(b"evil").hexdigest()
    for item in case.outside():
        for verb in (
            lambda item=item: list(storage.export({item: "0"}, scratch)),
            lambda item=item: storage.bury({item: "0"}, MARK),
            lambda item=item: storage.unbury([item], MARK),
            lambda item=item: storage.purge([item], MARK),
            lambda item=item: storage.put_back([Exported(item, "file", None, 4, evil)], scratch),
        ):
            with pytest.raises(InputError, match=r"^id must "):
                verb()
    assert seen(case) == before
    assert list(scratch.iterdir()) == [scratch / "file"]


@pytest.mark.parametrize("mark", ["", "..", "a/b", "/a", ".hidden", "a b", "%2e%2e", "x" * 200])
def test_marks_that_cannot_name_a_folder_are_refused(case: Case, mark: str) -> None:
    first = case.ids[0]
    for verb in (
        lambda: case.opened().bury(contents(case, first), mark),
        lambda: case.opened().unbury([first], mark),
        lambda: case.opened().purge([first], mark),
    ):
        with pytest.raises(InputError, match=r"^mark "):
            verb()
    assert case.read(first) is not None


def test_an_item_made_anew_where_one_was_buried_is_not_overwritten(case: Case) -> None:
    first = case.ids[0]
    storage = case.opened()
    storage.bury(contents(case, first), MARK)
    case.change(first)
    made = case.read(first)
    if made is None:
        pytest.skip("nothing can be made in the place of what was buried")
    with pytest.raises(SparkhuError, match="is there again"):
        storage.unbury([first], MARK)
    assert case.read(first) == made
    assert buried(case) == {first: MARK}
    assert storage.purge([first], MARK) > 0
    assert case.read(first) == made
