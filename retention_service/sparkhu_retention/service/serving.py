"""Serve: what is checked before anybody is listened to, and the server."""

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from sparkhu.errors import InputError
from sparkhu_retention.database.opening import open_database
from sparkhu_retention.service.keys import Keys
from sparkhu_retention.service.listening import listen
from sparkhu_retention.service.logs import JsonLines
from sparkhu_retention.service.settings import RetentionSettings

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn import Server

logger = logging.getLogger(__name__)


def check_address(settings: RetentionSettings, keys: Keys) -> None:
    """See that an address that other machines reach is not opened to everybody.

    Raises:
        InputError: Nobody would need to sign in, or nobody could.
    """
    if settings.is_loopback:
        return
    if not settings.authentication:
        raise InputError(
            f"host '{settings.host}' is reached from other machines, and SPARKHU_RETENTION_AUTHENTICATION is off. "
            "Turn it on, or listen on 127.0.0.1."
        )
    if not settings.has_proxy and not keys.any_in_force():
        raise InputError(
            f"host '{settings.host}' is reached from other machines, and nobody can sign in yet. Make a key first: "
            "sparkhu retention key add NAME --role operator"
        )


def serve(settings: RetentionSettings) -> None:
    """Serve until the process is ended.

    Raises:
        InputError: A setting cannot be used.
        SparkhuError: The database fails.
    """
    from sparkhu_retention.places import read_places
    from sparkhu_retention.service.app import make_app
    from sparkhu_retention.service.embedded import Embedded

    database = open_database(settings.database)
    try:
        keys = Keys(database)
        check_address(settings, keys)
        operations = Embedded(database, read_places(settings.storages_file))
        sockets = listen(settings.host, settings.port)
        _log_lines()
        for name in settings.unknown():
            logger.warning("%s is the variable of no setting and counts for nothing", name)
        for warning in operations.crossing():
            logger.warning("plans refuse what falls under two policies: %s", warning)
        for each in sockets:
            logger.info("listening at %s, port %d", *each.getsockname()[:2])
        with suppress(KeyboardInterrupt):
            _server(make_app(operations, keys, settings)).run(sockets)
    finally:
        database.close()


def _server(app: "FastAPI") -> "Server":
    from uvicorn import Config, Server

    # A proxy's word on addresses is not taken: callers are named by keys, or by headers with a secret.
    config = Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=15,
        # The parser that keeps to the limit on headers.
        http="h11",
        h11_max_incomplete_event_size=64 * 1024,
        limit_concurrency=200,
    )
    return Server(config)


def _log_lines() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers, root.level = [handler], logging.INFO
