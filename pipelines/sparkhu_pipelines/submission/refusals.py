"""What a server of Kubeflow Pipelines answers when it does not do as asked, in one sentence with the way out."""

import json
from typing import TYPE_CHECKING, Any, Final

from sparkhu.errors import InputError, SparkhuError

if TYPE_CHECKING:
    from sparkhu.settings import PipelinesAccess

PASSING: Final = (408, 425, 429, 500, 502, 503, 504)
LONGEST: Final = 500
HIDDEN: Final = "***"
UNTRUSTED: Final = "no certificate that is trusted"


class HttpError(Exception):
    """A request that was not answered as it should be; its text says what came instead.

    Attributes:
        status: The answer's status; 0: there was no answer.
        told: The server's own words, without secrets.
        retry_after: Seconds that the server asks to wait.
        foreign: The answer came from something else than the API.
        certain: It will be the same next time, such as a certificate that is not trusted.
        unheard: The request was sent, and no answer was heard: it may have been done.
    """

    def __init__(
        self,
        text: str,
        *,
        status: int = 0,
        told: str = "",
        retry_after: float | None = None,
        foreign: bool = False,
        certain: bool = False,
        unheard: bool = False,
    ) -> None:
        super().__init__(text)
        self.status, self.told, self.retry_after = status, told, retry_after
        self.foreign, self.certain, self.unheard = foreign, certain, unheard


def is_passing(problem: HttpError) -> bool:
    """Tell whether the same request may succeed a little later."""
    if problem.foreign or problem.certain:
        return False
    return problem.status == 0 or problem.status in PASSING


def problem_of(error: Exception, hidden: tuple[str, ...]) -> HttpError:
    """Say what came instead of an answer.

    Args:
        error: What the generated client, or urllib3 below it, raised.
        hidden: Texts that are shown nowhere.
    """
    status = getattr(error, "status", None)
    if status:
        told = _without(_told(getattr(error, "body", None)), hidden)
        headers = getattr(error, "headers", None) or {}
        return HttpError(f"answer {status}", status=status, told=told, retry_after=_seconds(headers))
    return _unanswered(getattr(error, "reason", error), of_tls=status == 0)


def _unanswered(reason: Any, *, of_tls: bool) -> HttpError:
    """Say why there was no answer; to what concerns TLS the generated client gives the status 0."""
    import urllib3.exceptions as problems

    if of_tls or isinstance(reason, problems.SSLError):
        untrusted = "CERTIFICATE_VERIFY_FAILED" in str(reason)
        return HttpError(UNTRUSTED if untrusted else "no TLS", certain=True)
    if isinstance(reason, problems.NameResolutionError):
        return HttpError("no server of this name")
    if isinstance(reason, problems.NewConnectionError | problems.ConnectTimeoutError):
        return HttpError("no connection")
    if isinstance(reason, problems.ReadTimeoutError):
        return HttpError("no answer in time", unheard=True)
    return HttpError("a connection that closed before the answer was whole", unheard=True)


def is_object(text: str) -> bool:
    """Tell whether a text is a JSON object, as every answer of the API is."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _told(body: Any) -> str:
    """Find the server's words in an answer: the message of the API's own error, or nothing of another's page."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    try:
        content = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(content, dict):
        return ""
    found = " ".join(str(content.get("message") or content.get("error") or "").split())
    return found if len(found) <= LONGEST else f"{found[:LONGEST]} …"


def _seconds(headers: Any) -> float | None:
    text = str(headers.get("Retry-After", "") or "")
    return float(text) if text.isdigit() else None


def _without(text: str, hidden: tuple[str, ...]) -> str:
    for secret in hidden:
        text = text.replace(secret, HIDDEN) if secret else text
    return text


class Refusal:
    """Says why a server refuses.

    Args:
        host: Its address.
        access: How we signed in.
    """

    def __init__(self, host: str, access: "PipelinesAccess") -> None:
        self.host, self.access = host, access

    def of(self, problem: HttpError, doing: str) -> SparkhuError:
        """Give the error of a problem that does not pass."""
        told = f": {problem.told.rstrip('.')}" if problem.told else ""
        if problem.foreign or problem.status == 404:
            return InputError(f"{doing} failed: {self.host} gives {problem}{told}. {self._where()}")
        if problem.status == 401 or 300 <= problem.status < 400:
            return InputError(
                f"{doing} failed: {self.host} wants to know who you are ({problem.status}){told}. {self._who()}"
            )
        if problem.status == 403:
            way = "Ask for the right to do so in this namespace, or name another with --namespace."
            return InputError(f"{doing} failed: {self.host} does not let you (403){told}. {way}")
        if problem.certain:
            untrusted = str(problem) == UNTRUSTED
            way = "Name the file of its certificates in SPARKHU_KFP_CA." if untrusted else "Is it an http:// address?"
            return InputError(f"{doing} failed: {self.host} has {problem}. {way}")
        if 400 <= problem.status < 500:
            return InputError(f"{doing} failed: {self.host} refuses it ({problem.status}){told}.")
        return SparkhuError(f"{doing} failed: {self.host} gives {problem}{told}.")

    def _where(self) -> str:
        return "Is this the address of Kubeflow Pipelines? Behind Kubeflow's dashboard it ends in /pipeline."

    def _who(self) -> str:
        if self.access.token:
            return "The token in SPARKHU_KFP_TOKEN is not accepted, or has run out; set a new one."
        if self.access.cookie:
            return "The cookie in SPARKHU_KFP_COOKIE is not accepted, or has run out; set a new one."
        return "Set SPARKHU_KFP_TOKEN to a token for it."
