"""The file of the storages: its mistakes, and what would be retained twice."""

import re
from pathlib import Path
from typing import get_args

import pytest

from sparkhu.errors import InputError
from sparkhu_retention.places import read_places
from sparkhu_retention.storages.opening import KINDS, Kind


def test_storages_come_from_a_file_whose_mistakes_name_the_field(tmp_path: Path) -> None:
    file = tmp_path / "retention.yaml"
    file.write_text("storages:\n- {name: a, uri: /data/a, archive: s3://cold/a}\n- {name: b, uri: s3://warm/b}\n")
    assert {name: place.archive for name, place in read_places(file).items()} == {"a": "s3://cold/a", "b": None}
    for text, field in (
        ("storages:\n- {name: a}", "storages.0.uri"),
        ("storages:\n- {name: a b, uri: x}", "storages.0.name"),
        ("storages:\n- {name: a, uri: x, size: 1}", "storages.0.size"),
        ("storages:\n- {name: a, uri: x}\n- {name: a, uri: y}", "storages.name"),
        ("storages:\n- {name: a, uri: x/}\n- {name: b, uri: x}", "storages.uri"),
        ("storages:\n- {name: a, uri: x, archive: x/cold}", "storages.archive"),
        ("schema_version: 2\nstorages: []", "schema_version.*; field 'storages' cannot be a list: it must list one"),
        ("storages:", "field 'storages' cannot be None: it must list one"),
        (
            "storages:\n- {name: a, uri: x, kind: foldr}",
            "'storages.0.kind' cannot be 'foldr': input should be 'folder'",
        ),
        (
            "storages:\n- {name: a, url: x}",
            "'storages.0.uri' is missing.*'storages.0.url' is unknown; did you mean uri",
        ),
        ("storages:\n- {name: a b, uri: x}", "cannot be 'a b': it must be 1 to 100 letters"),
    ):
        file.write_text(text)
        with pytest.raises(InputError, match=field):
            read_places(file)
    file.write_text("[")
    with pytest.raises(InputError, match="is no YAML"):
        read_places(file)


@pytest.mark.parametrize(
    "storage",
    [
        "{name: 'postgresql://u:geheim@h/db', uri: x}",
        "{name: a, uri: x, kind: 'postgresql://u:geheim@h/db'}",
        "{name: a, uri: x, kind: 'password=geheim'}",
        "{name: a, uri: x, options: 's3://k:geheim@h'}",
        "'s3://k:geheim@h'",
    ],
)
def test_refused_values_are_shown_without_their_passwords(tmp_path: Path, storage: str) -> None:
    file = tmp_path / "retention.yaml"
    file.write_text(f"storages:\n- {storage}\n")
    with pytest.raises(InputError, match=r"\*\*\*") as refused:
        read_places(file)
    assert "geheim" not in str(refused.value)


def test_every_kind_of_storage_may_be_named() -> None:
    assert set(get_args(Kind)) == set(KINDS)


def test_only_the_file_in_the_home_folder_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARKHU_HOME", str(tmp_path))
    assert read_places(tmp_path / "retention.yaml") == {}
    with pytest.raises(InputError, match=r"'.*typo.yaml' is not there"):
        read_places(tmp_path / "typo.yaml")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("cold", "{folder}/cold"),
        ("./cold/", "{folder}/cold"),
        ("../cold", "{folder}/../cold"),
        ("file://cold", "file://{folder}/cold"),
        ("sqlite:///m.db", "sqlite:///{folder}/m.db"),
        ("sqlite+pysqlite:///m.db?timeout=9", "sqlite+pysqlite:///{folder}/m.db?timeout=9"),
        ("/cold/", "/cold/"),
        ("file:///cold", "file:///cold"),
        ("sqlite:////m.db", "sqlite:////m.db"),
        ("sqlite:///${FOLDER}/m.db", "sqlite:///${FOLDER}/m.db"),
        ("s3://cold/plant", "s3://cold/plant"),
        ("postgresql://ann:${PASSWORD}@db/mlflow", "postgresql://ann:${PASSWORD}@db/mlflow"),
        ("http://mlflow:5000", "http://mlflow:5000"),
    ],
)
def test_relative_addresses_start_at_the_folder_of_their_file_wherever_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, meant: str
) -> None:
    folder = tmp_path / "there"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(folder)
    meant = meant.replace("{folder}", str(folder))
    for field, other in (("uri", ""), ("archive", ", uri: /a")):
        (folder / "retention.yaml").write_text(f"storages:\n- {{name: a, {field}: '{written}'{other}}}\n")
        for started, named in ((tmp_path, "there"), (tmp_path, "link"), (folder, "."), (folder / "below", "..")):
            monkeypatch.chdir(started)
            assert getattr(read_places(Path(named) / "retention.yaml")["a"], field) == meant


@pytest.mark.parametrize(
    ("uri", "within"),
    [
        ("/data", "/data/b"),
        ("/data", "file:///data"),
        ("/data", "/data/../data//b/"),
        ("/data", "/link/b"),
        ("data", "./data/b"),
        ("s3://warm", "s3://warm/b"),
        ("s3://warm/a", "s3://warm/a//b/"),
        ("sqlite:///m.db", "sqlite:///./m.db"),
        ("postgresql://ann:pea@db/mlflow", "postgresql://ann:pea@db/mlflow"),
    ],
)
def test_no_storage_nor_archive_lies_in_the_root_of_another_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, within: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    root, inside = (re.sub("^(file://)?/", rf"\1{tmp_path}/", each) for each in (uri, within))
    file = tmp_path / "retention.yaml"
    for first, second in ((root, inside), (inside, root)):
        file.write_text(f"storages:\n- {{name: a, uri: '{first}'}}\n- {{name: b, uri: '{second}'}}\n")
        with pytest.raises(InputError, match=r"field 'storages.uri' of .* both would retain the same data") as caught:
            read_places(file)
        assert "pea" not in str(caught.value)
    for owner, other in ((root, "elsewhere"), ("elsewhere", root)):
        file.write_text(
            f"storages:\n- {{name: a, uri: '{owner}', archive: '{inside}'}}\n- {{name: b, uri: '{other}'}}\n"
        )
        with pytest.raises(InputError, match=r"field 'storages.archive' of 'a'.* would be retained again"):
            read_places(file)


def test_places_beside_each_other_are_apart(tmp_path: Path) -> None:
    file = tmp_path / "retention.yaml"
    file.write_text(
        "storages:\n- {name: a, uri: /data/a, archive: /cold}\n- {name: ab, uri: /data/ab, archive: /cold}\n"
        "- {name: c, uri: 's3://warm/a'}\n- {name: d, uri: 's3://warm/ab'}\n"
    )
    assert sorted(read_places(file)) == ["a", "ab", "c", "d"]
