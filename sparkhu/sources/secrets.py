"""Passwords in the URI of a source: taken from the environment when connecting, shown nowhere.

A URI may hold `${NAME}` in place of a password (or of any other part). Such a placeholder is no secret and is shown as
it stands; it becomes the value of the environment variable `NAME` at the moment of connecting and no earlier.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from urllib.parse import quote, unquote

from fsspec.registry import known_implementations

from sparkhu.errors import InputError

HIDDEN = "***"
PREFIX = "SPARKHU_SECRET_"
PLACEHOLDER = re.compile(r"\$\{([A-Za-z_]\w*)\}")
# The password of scheme://user:password@host may itself hold `/` or `@`; a port before a path is none.
USER_PASSWORD = re.compile(
    r"(?P<before>[A-Za-z][\w+.-]*://[^/?#@:\s]*:)(?!\d+[/?#]|:(?:/|[\w+.-]+://))"
    r"(?P<secret>(?:(?!::[\w+.-]+://)[^@\n])+(?:@[^@/?#\s]*)*)(?=@)"
)
PARAMETER = re.compile(
    r"(?P<before>(?:^|[?&;\s])(?:sig|auth|authorization|[\w.-]*(?:password|passwd|pwd|passphrase|token|secret|signature|credential"
    r"|api_?key|access_?key|odbc_connect)[\w.-]*)=)(?P<secret>[^&\s]+)",
    re.IGNORECASE,
)
# What a program puts in place of a password before it passes an address on.
SEALED = re.compile(rf"\$\{{{PREFIX}\w+\}}")
QUOTED_PARTS = re.compile(r"://[^/?#@]*@|\?.*$")


def redacted(uri: str) -> str:
    """Show a URI without its password: in logs, notes, errors and records.

    Args:
        uri: A SQLAlchemy or fsspec URI, or any text with such URIs in it.

    Returns:
        The same with `***` for every literal password, token or signature, sealed or not; a `${NAME}` that the user
        wrote stays.

    Example:
        >>> redacted("postgresql://ann:pea@db/sales?sslpassword=nut")
        'postgresql://ann:***@db/sales?sslpassword=***'
    """
    return SEALED.sub(HIDDEN, _each_secret(uri, lambda _: HIDDEN))


def with_environment(uri: str) -> str:
    """Put the values of environment variables in the place of `${NAME}`.

    In the user, the password and the parameters of a URL a value is percent-encoded where its reader decodes it, so
    that the variable holds the password as it is.

    Raises:
        InputError: A variable is not set; the message names it.

    Example:
        >>> os.environ["SALES_PASSWORD"] = "p@ss"
        >>> with_environment("postgresql://ann:${SALES_PASSWORD}@db/sales")
        'postgresql://ann:p%40ss@db/sales'
    """
    spans = [match.span() for match in QUOTED_PARTS.finditer(uri)] if _is_decoded(uri) else []

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise InputError(f"'{redacted(uri)}' needs the environment variable {name}, which is not set. Set it.")
        inside = any(start <= match.start() < end for start, end in spans)
        return quote(os.environ[name], safe="") if inside else os.environ[name]

    return PLACEHOLDER.sub(value, uri)


def sealed(uri: str) -> tuple[str, dict[str, str]]:
    """Take the literal passwords out of a URI, so that it can be passed on and written down.

    The names of the variables come from the URI without its passwords: the same URI always gives the same names.

    Returns:
        The URI with a `${SPARKHU_SECRET_…}` placeholder for each password, and the environment variables to set so
        that `with_environment` gives a URI of the same meaning back.

    Example:
        >>> sealed("ftp://ann:pea@host/sales.csv")
        ('ftp://ann:${SPARKHU_SECRET_6DA7F859_1}@host/sales.csv', {'SPARKHU_SECRET_6DA7F859_1': 'pea'})
    """
    digest = hashlib.sha256(redacted(uri).encode()).hexdigest()[:8].upper()
    variables: dict[str, str] = {}

    def placeholder(secret: str) -> str:
        name = f"{PREFIX}{digest}_{len(variables) + 1}"
        plain = unquote(secret) if _is_decoded(uri) else secret
        variables[name] = PLACEHOLDER.sub(lambda match: os.environ.get(match[1], match[0]), plain)
        return f"${{{name}}}"

    return _each_secret(uri, placeholder), variables


def without_secrets(text: str, uri: str) -> str:
    """Show what a driver said of a URI, without the passwords of the URI in whatever form the driver repeats them."""
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return redacted(text)


def _secrets(uri: str) -> Iterator[str]:
    """Give the passwords that a URI stands for, as they are written in it and as they are."""
    for form in (uri, _expanded(uri)):
        for pattern in (USER_PASSWORD, PARAMETER):
            for match in pattern.finditer(form):
                if not PLACEHOLDER.fullmatch(match["secret"]):
                    yield match["secret"]
                    yield unquote(match["secret"])


def _expanded(uri: str) -> str:
    try:
        return with_environment(uri)
    except InputError:
        return uri


def _each_secret(uri: str, replacement: Callable[[str], str]) -> str:
    def replaced(match: re.Match[str]) -> str:
        literal = not PLACEHOLDER.fullmatch(match["secret"])
        return match["before"] + (replacement(match["secret"]) if literal else match["secret"])

    return PARAMETER.sub(replaced, USER_PASSWORD.sub(replaced, uri))


def _is_decoded(uri: str) -> bool:
    """Tell whether the reader of a URL decodes %40: databases and HTTP do, the other file systems do not."""
    scheme = uri.partition("://")[0].rpartition("::")[2].partition("+")[0].lower()
    return scheme in ("http", "https") or scheme not in known_implementations
