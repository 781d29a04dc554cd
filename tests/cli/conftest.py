"""Fixtures of the tests of the command."""

from tests.cli.submitter import api, submit

__all__ = ["api", "submit"]
