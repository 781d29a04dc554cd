"""A connection to the API of Kubeflow Pipelines that waits out what passes and says in one sentence what does not.

It stands on `kfp_server_api`, the API's own generated client, on which `kfp.Client` stands as well. That one sets no
time limit, prints, and gives a run no description, by which one that was made although its answer was lost is found.
"""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import urlsplit

from sparkhu.errors import InputError, SparkhuError
from sparkhu_pipelines.submission.refusals import HttpError, Refusal, is_object, is_passing, problem_of

if TYPE_CHECKING:
    from sparkhu.settings import PipelinesAccess

TRIES: Final = 5
FIRST_PAUSE: Final = 1.0
"""Seconds before the second try; each next pause is twice as long, and up to half of it is chance."""
LONGEST_PAUSE: Final = 60.0
TIMEOUT: Final = (10.0, 60.0)
"""Seconds to connect, and between two parts of an answer."""
FOREIGN: Final = "an answer that is not the API's"
Answer = TypeVar("Answer")


class Connection:
    """The API of Kubeflow Pipelines at an address.

    Args:
        host: Address, such as https://kubeflow.example.org/pipeline.
        access: How to sign in.
        say: Called with a line whenever a request is tried again.

    Raises:
        InputError: The address or what to sign in with cannot be used.
    """

    def __init__(self, host: str, access: "PipelinesAccess", say: Callable[[str], None]) -> None:
        import kfp_server_api as api

        self.host, self.say = checked_host(host), say
        self.access, self.hidden = access, access.secrets()
        self.client = client = api.ApiClient(_configuration(self.host, access), cookie=_header(access, "cookie"))
        self.runs, self.schedules = api.RunServiceApi(client), api.RecurringRunServiceApi(client)
        self.experiments, self.health = api.ExperimentServiceApi(client), api.HealthzServiceApi(client)

    def ask(self, doing: str, request: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Send a request that may be sent twice without harm, again while what hinders it passes.

        Args:
            doing: What is being done, as in `listing runs`.
            request: A method of the generated client.
            arguments: What it takes.
            named: What it takes by name.

        Raises:
            InputError: The server refuses it.
            SparkhuError: It failed a number of times, or cannot succeed.
        """
        for number in range(1, TRIES + 1):
            try:
                return self._send(request, *arguments, **named)
            except HttpError as problem:
                self._wait_or_give_up(doing, problem, number)
        raise AssertionError(doing)

    def make(self, doing: str, create: Callable[[], Answer], find: Callable[[], Answer | None]) -> Answer:
        """Create something once: before it is tried again, what an unheard answer may have told of is looked for.

        Args:
            doing: What is being done, as in `creating the run`.
            create: Sends the request, by `send`.
            find: Looks for what was created; None: it was not.

        Raises:
            InputError: The server refuses it.
            SparkhuError: It failed a number of times, and was not created.
        """
        for number in range(1, TRIES + 1):
            try:
                return create()
            except HttpError as problem:
                if is_passing(problem) and (found := self._after_pause(doing, problem, number, find)) is not None:
                    return found
                self._wait_or_give_up(doing, problem, number, waited=True)
        raise AssertionError(doing)

    def send(self, request: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        """Send a request once; for `make`."""
        return self._send(request, *arguments, **named)

    def _after_pause(
        self, doing: str, problem: HttpError, number: int, find: Callable[[], Answer | None]
    ) -> Answer | None:
        """Wait, and look for what was created although no answer came."""
        if number < TRIES:
            self._pause(doing, problem, number)
        # What the server is still at work on would not be found yet, so the last look comes after a pause as well.
        elif problem.unheard:
            time.sleep(_length(number, problem))
        return find()

    def _send(self, request: Callable[..., Answer], *arguments: Any, **named: Any) -> Answer:
        import kfp_server_api as api
        import urllib3

        try:
            answer = request(*arguments, _request_timeout=TIMEOUT, **named)
        except (api.ApiException, urllib3.exceptions.HTTPError) as error:
            raise problem_of(error, self.hidden) from None
        except (ValueError, TypeError, AttributeError):  # JSON of another kind
            raise HttpError(FOREIGN, foreign=True) from None
        # Of a page, such as one to sign in at, the generated client makes an empty answer.
        if not is_object(self.client.last_response.data):
            raise HttpError(FOREIGN, foreign=True)
        return answer

    def _wait_or_give_up(self, doing: str, problem: HttpError, number: int, *, waited: bool = False) -> None:
        if not is_passing(problem):
            raise Refusal(self.host, self.access).of(problem, doing) from problem
        if number == TRIES:
            told = f"{doing} failed {TRIES} times: {self.host} gives {problem}. Try again when it is up."
            raise SparkhuError(told) from problem
        if not waited:
            self._pause(doing, problem, number)

    def _pause(self, doing: str, problem: HttpError, number: int) -> None:
        seconds = _length(number, problem)
        self.say(f"{doing}: {problem}; trying again in {seconds:.1f} s ({number + 1} of {TRIES})")
        time.sleep(seconds)


def _length(number: int, problem: HttpError) -> float:
    """Give the pause after a try: what the server asks for, or twice the last one, less up to half by chance."""
    asked = problem.retry_after
    if asked is not None:
        return min(asked, LONGEST_PAUSE)
    return min(FIRST_PAUSE * 2.0 ** (number - 1), LONGEST_PAUSE) * random.uniform(0.5, 1.0)


def checked_host(host: str) -> str:
    """Check the address of Kubeflow Pipelines, and give it without a slash at the end.

    Raises:
        InputError: It is no address of a server, or holds a password.

    Example:
        >>> checked_host("https://kubeflow.example.org/pipeline/")
        'https://kubeflow.example.org/pipeline'
    """
    way = "give it as https://HOST or https://HOST/pipeline"
    parts = None
    with suppress(ValueError):  # such as a bracket that does not close
        parsed = urlsplit(host)
        _ = parsed.port
        parts = parsed
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"host '{host.rpartition('@')[2]}' is no address; {way}.")
    if parts.username is not None or parts.password is not None:
        raise InputError("host holds a name or password, which would be written down; set SPARKHU_KFP_TOKEN instead.")
    if parts.query or parts.fragment:
        raise InputError(f"host '{host}' is the address of a page, not of the server; {way}.")
    return host.rstrip("/")


def _configuration(host: str, access: "PipelinesAccess") -> Any:
    import kfp_server_api as api
    import urllib3

    found = api.Configuration(host=host)
    # We try again ourselves, aloud; and a redirection leads to a page to sign in at.
    found.retries = urllib3.Retry(total=None, connect=0, read=0, redirect=False, status=0, other=0)
    token = _header(access, "token")
    if token:
        found.api_key["authorization"], found.api_key_prefix["authorization"] = token, "Bearer"
    if access.ca:
        if not access.ca.is_file():
            raise InputError(f"SPARKHU_KFP_CA='{access.ca}' is no file. Name the file with the certificates.")
        found.ssl_ca_cert = str(access.ca)
    return found


def _header(access: "PipelinesAccess", name: str) -> str | None:
    """Give a secret as it stands in a header; where it cannot, say so without it."""
    secret = getattr(access, name)
    text = secret.get_secret_value().strip() if secret else ""
    if not text.isascii() or not text.isprintable() or (name == "token" and " " in text):
        raise InputError(f"SPARKHU_KFP_{name.upper()} holds signs that no header takes; set it to the {name} alone.")
    return text or None
