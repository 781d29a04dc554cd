"""Going back to an earlier champion, against a real MLflow on SQLite, and what is listed of it."""

from collections.abc import Callable
from functools import partialmethod
from pathlib import Path

import pytest

from sparkhu.errors import InputError
from sparkhu.registry import Candidate, Comparison, load_champion, log_model, promote
from sparkhu.registry.listing import list_models, list_versions
from sparkhu.registry.reigns import MOST, Reign, line_of, note_champion, read_reigns, roll_back
from sparkhu.registry.store import registry

Make = Callable[..., Path]
pytestmark = pytest.mark.xdist_group("registry")


def reigns(*told: str) -> list[Reign]:
    """`3` was promoted, `<3` was gone back to."""
    return [Reign(each.lstrip("<"), "2026-01-01", "rollback" if "<" in each else "promotion") for each in told]


def champions(bundle: Make, name: str, count: int) -> None:
    """Promote so many versions one after the other, each better than the one before."""
    folder = bundle()
    for number in range(count):
        version = log_model(folder, name=name, metrics={})
        promote(name, [Candidate(version, 1.0 / (number + 1))], Comparison("mae", window="validation"))


def champion(name: str, folder: Path) -> str:
    return load_champion(name, folder)[1].version


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ((), []),
        (("1", "2", "3"), ["1", "2", "3"]),
        (("1", "1", "2"), ["1", "2"]),
        (("1", "2", "3", "<2"), ["1", "2"]),
        (("1", "2", "3", "<2", "<1"), ["1"]),
        (("1", "2", "3", "<1"), ["1"]),
        (("1", "2", "3", "<2", "4"), ["1", "2", "4"]),
        (("1", "2", "<1", "<2"), ["1", "2"]),
        (("1", "2", "1", "<2"), ["1", "2"]),
    ],
)
def test_the_line_of_champions_grows_with_promotions_and_shrinks_on_the_way_back(
    events: tuple[str, ...], line: list[str]
) -> None:
    assert line_of(reigns(*events)) == line


def test_going_back_twice_leads_to_the_champion_before_the_one_before(bundle: Make, tmp_path: Path) -> None:
    champions(bundle, "back", 3)
    first, second = roll_back("back"), roll_back("back")
    assert (first.previous, first.champion) == ("3", "2")
    assert (second.previous, second.champion) == ("2", "1")
    assert champion("back", tmp_path / "loaded") == "1"
    with pytest.raises(InputError, match=r"no champion of 'back' before version 1 is known.*--to; there is 1, 2, 3"):
        roll_back("back")
    assert champion("back", tmp_path / "again") == "1"


def test_any_version_can_be_named_and_the_way_back_undone(bundle: Make, tmp_path: Path) -> None:
    champions(bundle, "named", 3)
    assert roll_back("named", to="1").previous == "3"
    assert roll_back("named", to="3").previous == "1"
    assert roll_back("named").champion == "1"


def test_a_version_that_was_deleted_is_passed_over(bundle: Make) -> None:
    champions(bundle, "gap", 3)
    with registry() as (client, _):
        client.delete_model_version("gap", "2")
    assert roll_back("gap").champion == "1"


def test_a_champion_that_stays_is_no_new_reign(bundle: Make) -> None:
    champions(bundle, "stays", 2)
    with registry() as (client, _):
        again = Candidate(log_model(bundle("last_value"), name="stays", metrics={}), float("nan"))
        promote("stays", [again], Comparison("mae"))
        assert [reign.version for reign in read_reigns(client, "stays")] == ["1", "2"]
    assert roll_back("stays").champion == "1"


def test_the_newest_events_are_kept_and_fit_into_a_tag(bundle: Make) -> None:
    champions(bundle, "long", 1)
    with registry() as (client, _):
        for number in range(MOST + 10):
            note_champion(client, "long", str(100_000 + number), "rollback", None)
        kept = [reign.version for reign in read_reigns(client, "long")]
    assert kept == [str(100_010 + number) for number in range(MOST)]


def test_a_champion_that_nobody_wrote_down_can_be_gone_back_to(bundle: Make) -> None:
    older = log_model(bundle(), name="silent", metrics={})
    with registry() as (client, _):
        client.set_registered_model_alias("silent", "champion", older.version)
    promote(
        "silent", [Candidate(log_model(bundle("seasonal_naive"), name="silent", metrics={}), 0.5)], Comparison("mae")
    )
    assert roll_back("silent").champion == older.version


def test_every_model_and_version_is_listed_however_many_mlflow_gives_at_once(
    bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    champions(bundle, "paged", 3)
    with registry() as (client, _):
        for search in ("search_registered_models", "search_model_versions"):
            monkeypatch.setattr(type(client), search, partialmethod(getattr(type(client), search), max_results=1))
    assert [version.number for version in list_versions("paged")] == ["3", "2", "1"]
    assert [(model.versions, model.champion) for model in list_models() if model.name == "paged"] == [(3, "3")]


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("nobody", None, "model 'nobody' has no champion"),
        ("refused", "7", "to must be a version of 'refused', got '7'; there is 1, 2"),
        ("refused", "2", "version 2 is champion of 'refused' already"),
        ("a/b", None, "model name must be a word"),
    ],
)
def test_what_cannot_be_gone_back_to_is_refused(bundle: Make, name: str, to: str | None, message: str) -> None:
    if name == "refused":
        champions(bundle, "refused", 2)
        roll_back("refused", to="1")
        roll_back("refused", to="2")
    with pytest.raises(InputError, match=message):
        roll_back(name, to=to)


def test_models_and_versions_are_listed_with_what_they_were_judged_by(bundle: Make) -> None:
    champions(bundle, "listed", 2)
    newest, oldest = list_versions("listed")
    assert (newest.number, newest.champion, newest.flavor, newest.score, newest.metric, newest.window) == (
        *("2", True, "linear", 0.5, "mae", "validation"),
    )
    assert "has no score on this window" in newest.reason
    assert (oldest.number, oldest.champion, oldest.score) == ("1", False, 1.0)
    assert [(model.versions, model.champion) for model in list_models() if model.name == "listed"] == [(2, "2")]
    with pytest.raises(InputError, match=r"no model 'unlisted' is registered; there is .*listed"):
        list_versions("unlisted")
