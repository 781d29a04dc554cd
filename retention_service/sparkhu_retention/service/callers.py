"""Who calls: by an API key, or named by a proxy that signs users in."""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from sparkhu.errors import SparkhuError

if TYPE_CHECKING:
    from sparkhu_retention.service.keys import Keys
    from sparkhu_retention.service.settings import RetentionSettings

PROXY_SECRET: Final = "x-sparkhu-proxy-secret"
BEARER: Final = "bearer "
KEY_PREFIX: Final = "spk_"
MAKES_ONE: Final = "sparkhu retention key add makes one"
USER, GROUP, ANYONE = "user:", "group:", "*"
"""How settings name users and groups: whoever may choose a user's name could choose that of a group."""


class Role(StrEnum):
    """What a caller may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: As the audit log names them, such as `key:ann` or `user:ann@example.org`.
        role: What they may do.
    """

    name: str
    role: Role


ANYBODY: Final = Caller("anybody on this machine", Role.OPERATOR)


class NotSignedIn(SparkhuError):  # noqa: N818 - says what is the matter
    """Nobody can tell who calls."""


class WrongKey(NotSignedIn):
    """A caller sent something to sign in with, and it is no key that counts."""


class NotAllowed(SparkhuError):  # noqa: N818 - says what is the matter
    """The caller may not do this."""


def identify(headers: Mapping[str, str], peer: str, keys: "Keys", settings: "RetentionSettings") -> Caller:
    """Tell who calls, by a key or by what a trusted proxy says.

    Args:
        headers: Of the request, names in lower case.
        peer: Address that the request came from.
        keys: The API keys.
        settings: Which proxy is trusted, and whether anybody needs to sign in.

    Raises:
        WrongKey: What was sent is no key that counts.
        NotSignedIn: Nothing was sent, or by a proxy that is not trusted.
        NotAllowed: The proxy's user has no role.
    """
    if not settings.authentication:
        return ANYBODY
    given = headers.get("authorization", "")
    text = given[len(BEARER) :].strip() if given.lower().startswith(BEARER) else ""
    if text.startswith(KEY_PREFIX):
        key = keys.find(text)
        if key is None:
            raise WrongKey(f"this API key is unknown or revoked; {MAKES_ONE}")
        return Caller(f"key:{key.name}", Role(key.role))
    # A proxy may hand on a token of its own beside the user that it names.
    user = headers.get(settings.user_header.lower(), "").strip()
    if settings.has_proxy and user:
        return _of_proxy(user, headers, peer, settings)
    if text:
        raise WrongKey(f"what the header Authorization has is no API key: these begin with {KEY_PREFIX}; {MAKES_ONE}")
    if given:
        raise WrongKey("the header Authorization is of another form than 'Bearer KEY'; send it so")
    raise NotSignedIn(f"sign in with the header 'Authorization: Bearer KEY'; {MAKES_ONE}")


def _of_proxy(user: str, headers: Mapping[str, str], peer: str, settings: "RetentionSettings") -> Caller:
    if not _is_trusted(headers, peer, settings):
        raise NotSignedIn("users are named by the configured proxy alone; this request did not come from it")
    groups = [group.strip() for group in headers.get(settings.groups_header.lower(), "").split(",") if group.strip()]
    name = USER + "".join(sign if sign.isprintable() else "?" for sign in user)[:200]
    if _is_among(user, groups, settings.operators):
        return Caller(name, Role.OPERATOR)
    if _is_among(user, groups, settings.viewers):
        return Caller(name, Role.VIEWER)
    raise NotAllowed(f"'{user}' has no role here: SPARKHU_RETENTION_VIEWERS names those who may look")


def _is_trusted(headers: Mapping[str, str], peer: str, settings: "RetentionSettings") -> bool:
    if settings.proxies:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        if not any(address in network for network in settings.proxies):
            return False
    if settings.proxy_secret is None:
        return bool(settings.proxies)
    wanted = settings.proxy_secret.get_secret_value().encode()
    return hmac.compare_digest(headers.get(PROXY_SECRET, "").encode(), wanted)


def _is_among(user: str, groups: Sequence[str], names: Sequence[str]) -> bool:
    called = {f"{USER}{user}", *(f"{GROUP}{group}" for group in groups)}
    return ANYONE in names or not called.isdisjoint(names)
