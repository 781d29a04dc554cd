"""A version that grew out of the champion, against a real MLflow on SQLite."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.registry import Candidate, Comparison, Reach, load_champion, log_model, promote
from sparkhu.registry.listing import list_versions
from sparkhu.registry.promotion import REACH
from sparkhu.registry.reigns import read_reigns, roll_back
from sparkhu.registry.store import registry
from sparkhu.registry.succession import register_grown

Make = Callable[..., Path]
pytestmark = pytest.mark.xdist_group("registry")


def month(number: int) -> datetime:
    return datetime(2024, number, 1, tzinfo=UTC)


def champion(name: str, folder: Path) -> str:
    return load_champion(name, folder)[1].version


def test_it_takes_the_place_of_the_champion_and_can_be_gone_back_from(bundle: Make, tmp_path: Path) -> None:
    folder = bundle()
    first = log_model(folder, name="grown", metrics={"mae": 1.0})
    promote("grown", [Candidate(first, 1.0)], Comparison("mae"))
    grown = register_grown(folder, name="grown", of="1", reach=None, params={"learn": True})
    assert (grown.version.version, grown.champion) == ("2", True)
    assert champion("grown", tmp_path / "now") == "2"
    with registry() as (client, _):
        assert [(each.version, each.how) for each in read_reigns(client, "grown")] == [
            ("1", "promotion"),
            ("2", "update"),
        ]
        assert client.get_model_version("grown", "2").tags["sparkhu.parents"] == first.run_id
    newest = list_versions("grown")[0]
    assert (newest.number, newest.score) == ("2", None)
    assert newest.reason == "version 1, and what it has learnt from new observations"
    assert roll_back("grown").champion == "1"


def test_it_does_not_take_the_place_of_one_that_became_champion_meanwhile(bundle: Make, tmp_path: Path) -> None:
    folder = bundle()
    for score in (1.0, 0.5):
        promote("meanwhile", [Candidate(log_model(folder, name="meanwhile", metrics={}), score)], Comparison("mae"))
    assert not register_grown(folder, name="meanwhile", of="1", reach=None, params={}).champion
    assert champion("meanwhile", tmp_path / "now") == "2"


@pytest.mark.parametrize(
    ("reach", "until"),
    [
        (None, 6),
        (Reach("lake observations", month(8)), 8),
        (Reach("lake observations", month(2)), 6),
        (Reach("another lake observations", month(8)), 6),
    ],
)
def test_it_knows_its_table_for_longer_only_if_it_learnt_from_that_table(
    bundle: Make, reach: Reach | None, until: int
) -> None:
    folder, name = bundle(), f"reach-{until}-{'' if reach is None else reach.table[0]}-{reach and reach.until.month}"
    lake = Reach("lake observations", month(6))
    promote(name, [Candidate(log_model(folder, name=name, metrics={}), 1.0)], Comparison("mae"), reach=lake)
    number = register_grown(folder, name=name, of="1", reach=reach, params={}).version.version
    with registry() as (client, _):
        assert Reach.of(client.get_model_version(name, number).tags[REACH]) == Reach("lake observations", month(until))


def test_a_version_that_is_gone_has_no_successor(bundle: Make) -> None:
    folder = bundle()
    log_model(folder, name="gone", metrics={})
    with pytest.raises(InputError, match=r"^version 7 of 'gone' is gone; run the same again with the champion of now"):
        register_grown(folder, name="gone", of="7", reach=None, params={})
