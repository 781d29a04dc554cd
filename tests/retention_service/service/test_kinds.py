"""The kinds of storages that are found out, and how long what was found is taken for true."""

from pathlib import Path

import pytest

from sparkhu.errors import SparkhuError
from sparkhu_retention.places import Place
from sparkhu_retention.service import opening
from sparkhu_retention.service.opening import ASKED_AGAIN, FoundKinds


def test_a_storage_is_asked_once_in_a_while_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that is away, whose answer takes long each time."""
    answers: dict[str, str | None] = {"s3://plant": "lake", "s3://away": None}
    asked: list[str] = []

    def kind_of(uri: str) -> str:
        asked.append(uri)
        kind = answers[uri]
        if kind is None:
            raise SparkhuError("no answer")
        return kind

    monkeypatch.setattr(opening, "kind_of", kind_of)
    now = [0.0]
    kinds = FoundKinds(lambda: now[0])
    places = [Place(name=uri[5:], uri=uri) for uri in answers]
    for at in (0.0, 1.0, ASKED_AGAIN - 1.0):
        now[0] = at
        assert [kinds.of(place) for place in places] == ["lake", None]
    assert asked == list(answers)
    now[0], answers["s3://away"] = ASKED_AGAIN, "s3"
    assert [kinds.of(place) for place in places] == ["lake", "s3"]


def test_what_the_file_says_is_not_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(opening, "kind_of")
    assert FoundKinds().of(Place(name="plant", uri=str(tmp_path), kind="runs")) == "runs"
