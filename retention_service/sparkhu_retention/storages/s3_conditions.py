"""Requests to S3 that write over nothing: each goes out with the condition that its object is not there."""

from typing import Any

from urllib3 import BaseHTTPResponse, HTTPHeaderDict, PoolManager

CONDITION = ("If-None-Match", "*")
REFUSED, CONFLICT = "PreconditionFailed", "ConditionalRequestConflict"
"""What an endpoint answers when an object is there, and when another is just being written."""


class OverNothing(PoolManager):
    """Connections of a client that only writes: the minio client itself has no way to set the condition."""

    def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> BaseHTTPResponse:  # type: ignore[override]
        """Send a request; one that lets an object appear, whole or as the end of its parts, with the condition."""
        query = url.partition("?")[2]
        if (method == "PUT" and not query) or (method == "POST" and "uploadId=" in query):
            options["headers"] = HTTPHeaderDict(options.get("headers"))
            options["headers"][CONDITION[0]] = CONDITION[1]
        return super().urlopen(method, url, redirect=redirect, **options)
