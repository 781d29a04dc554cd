"""What the tests of sources share: the services that they read from."""

from tests.services import postgres_url, s3_endpoint

__all__ = ["postgres_url", "s3_endpoint"]
