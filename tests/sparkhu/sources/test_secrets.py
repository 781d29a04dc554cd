"""A password in a URI is shown nowhere, and comes from the environment where it is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from sparkhu.errors import InputError
from sparkhu.sources.secrets import redacted, sealed, with_environment, without_secrets


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql+psycopg://ann:pea@db:5432/sales", "postgresql+psycopg://ann:***@db:5432/sales"),
        ("postgresql://ann:p/e?a@db/sales", "postgresql://ann:***@db/sales"),
        ("postgresql://ann:p@ss@db/sales?application_name=a@b", "postgresql://ann:***@db/sales?application_name=a@b"),
        ("postgresql://:pea@db/sales", "postgresql://:***@db/sales"),
        ("mysql://ann@db/sales?password=pea&ssl_ca=x", "mysql://ann@db/sales?password=***&ssl_ca=x"),
        ("mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3Dpea", "mssql+pyodbc:///?odbc_connect=***"),
        ("zip://a.csv::ftp://ann:pea@host/x.zip", "zip://a.csv::ftp://ann:***@host/x.zip"),
        ("https://host/a.csv?X-Amz-Signature=pea&day=1&Token=nut", "https://host/a.csv?X-Amz-Signature=***&day=1&Token=***"),
        ("https://host/a.csv?sig=pea", "https://host/a.csv?sig=***"),
        ("https://host/a.csv?auth=pea&author=ann", "https://host/a.csv?auth=***&author=ann"),
    ],
)  # fmt: skip
def test_literal_passwords_are_hidden(uri: str, shown: str) -> None:
    assert redacted(uri) == shown
    assert redacted(shown) == shown


def test_a_sealed_password_is_shown_as_hidden_and_not_as_a_variable_of_the_user() -> None:
    passed_on, _ = sealed("postgresql://ann:pea@db/${DATABASE}?sslpassword=nut")
    assert redacted(passed_on) == "postgresql://ann:***@db/${DATABASE}?sslpassword=***"


@pytest.mark.parametrize(
    "uri",
    [
        "sales.csv",
        "data/a:b@c.csv",
        "s3://bucket/a:b@c.csv",
        "http://host:80/path@x",
        "zip://a.csv::/data/a@b/x.zip",
        "sqlite:////data/sales.db",
        "postgresql://ann:${SALES_PASSWORD}@db/sales?password=${OTHER}",
        "https://host/a.csv?design=new",
    ],
)
def test_what_holds_no_literal_password_is_shown_and_kept_as_it_is(uri: str) -> None:
    assert redacted(uri) == uri
    assert sealed(uri) == (uri, {})


def test_variables_are_quoted_where_the_reader_of_the_url_decodes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "p@s/s+ %")
    monkeypatch.setenv("HOST", "db.example:5432")
    known = make_url(with_environment("postgresql://ann:${PW}@${HOST}/sales?sslpassword=${PW}"))
    assert (known.password, known.host, known.port) == ("p@s/s+ %", "db.example", 5432)
    assert known.query == {"sslpassword": "p@s/s+ %"}
    assert with_environment("ftp://ann:${PW}@host/a.csv") == "ftp://ann:p@s/s+ %@host/a.csv"
    monkeypatch.setenv("WHOLE", "postgresql://ann:pea@db/sales")
    assert with_environment("${WHOLE}") == "postgresql://ann:pea@db/sales"


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    with pytest.raises(InputError, match=r"'ftp://ann:\$\{NOWHERE\}@host/a' needs the environment variable NOWHERE"):
        with_environment("ftp://ann:${NOWHERE}@host/a")


@given(
    password=st.text(st.characters(codec="ascii", exclude_characters="$\0", exclude_categories=["Cc"]), min_size=1),
    scheme=st.sampled_from(["postgresql", "postgresql+psycopg", "mysql+pymysql"]),
)
def test_a_sealed_url_is_the_same_url_without_its_password(password: str, scheme: str) -> None:
    # A word that stands nowhere else in the URL, so that it cannot be there by chance.
    secret = f"pea{password}nut"
    url = make_url(f"{scheme}://ann@db:5432/sales").set(password=secret).render_as_string(hide_password=False)
    safe, variables = sealed(url)
    assert list(variables.values()) == [secret]
    assert "pea" not in safe
    assert "pea" not in redacted(url)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        assert make_url(with_environment(safe)) == make_url(url)


def test_sealing_names_its_variables_by_the_url_alone() -> None:
    first, second = sealed("ftp://ann:pea@host/a?token=x"), sealed("ftp://ann:nut@host/a?token=y")
    assert first[0] == second[0]
    assert list(first[1]) == list(second[1])
    assert len(first[1]) == 2
    assert all(name.startswith("SPARKHU_SECRET_") for name in first[1])
    assert sealed(first[0]) == (first[0], {})


def test_what_drivers_say_is_shown_without_the_password_in_any_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PW", "p@ss")
    said = "cannot connect with p@ss (p%40ss) to postgresql://ann:p%40ss@db: no host"
    assert without_secrets(said, "postgresql://ann:${PW}@db") == (
        "cannot connect with *** (***) to postgresql://ann:***@db: no host"
    )
    assert without_secrets("pea is wrong", "postgresql://ann:pea@db") == "*** is wrong"
    monkeypatch.delenv("PW")
    assert without_secrets("no PW", "postgresql://ann:${PW}@db") == "no PW"
