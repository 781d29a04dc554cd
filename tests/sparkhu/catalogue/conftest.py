"""A catalogue of its own for every test, in SQLite and in a real PostgreSQL."""

from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from sparkhu.catalogue import METADATA
from sparkhu.catalogue.tables import ALL
from tests.services import postgres_url

__all__ = ["postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def catalogue(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'new' / 'catalogue.sqlite'}"
    else:
        url = request.getfixturevalue("postgres_url")
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            ALL.drop_all(connection)
    monkeypatch.setenv("SPARKHU_CATALOGUE", url)
    return url


def series(*rows: tuple[object, ...]) -> pl.DataFrame:
    """Rows of metadata; what a row does not say is null."""
    whole = [(*row, *[None] * (len(METADATA) - len(row))) for row in rows]
    return pl.DataFrame(whole, schema=METADATA, orient="row")
