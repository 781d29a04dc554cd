"""Reaching a bucket with the minio client: endpoint, region and sign-in come from the standard `AWS_*` variables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sparkhu.errors import InputError, SparkhuError

if TYPE_CHECKING:
    from minio import Minio
    from minio.credentials.providers import Provider

AMAZON = "https://s3.amazonaws.com"
SIGN_IN = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"}
MISSING = {"NoSuchKey", "NoSuchVersion", "NoSuchObject"}
"""What an endpoint answers when there is no such object."""

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 10.0, 60.0, 4


def connect(*, over_nothing: bool = False) -> "Minio":
    """Make a client; nothing is asked yet.

    Args:
        over_nothing: Its writes are refused where an object is there, by endpoints that heed conditions.

    Raises:
        InputError: `AWS_ENDPOINT_URL` is no address.
    """
    import urllib3
    from minio import Minio

    from sparkhu_retention.storages.s3_conditions import OverNothing

    named = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or AMAZON
    endpoint = urlsplit(named)
    if endpoint.scheme not in ("http", "https") or not endpoint.hostname or endpoint.path.strip("/"):
        raise InputError("AWS_ENDPOINT_URL must be http://HOST:PORT or https://HOST:PORT. Change or unset it.")
    retries = urllib3.Retry(total=ATTEMPTS - 1, backoff_factor=0.2, status_forcelist=[500, 502, 503, 504])
    pool = (OverNothing if over_nothing else urllib3.PoolManager)(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=retries,
        maxsize=16,
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("AWS_CA_BUNDLE") or _certificates(),
    )
    return Minio(
        endpoint.netloc,
        credentials=_credentials(),
        region=os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"),
        secure=endpoint.scheme == "https",
        http_client=pool,
    )


@contextmanager
def told(action: str, place: str) -> Iterator[None]:
    """Turn an error of the client into one of ours, which names the place and holds no secret.

    Raises:
        InputError: There is no such bucket, or the sign-in is refused.
        SparkhuError: The endpoint fails.
    """
    from minio.error import MinioException, S3Error
    from urllib3.exceptions import HTTPError

    try:
        yield
    except S3Error as error:
        code = error.code or "no reason given"
        if code == "NoSuchBucket":
            raise InputError(f"cannot {action} '{place}': there is no such bucket. Make it, or name another.") from None
        if code in SIGN_IN:
            raise InputError(
                f"cannot {action} '{place}': the endpoint refuses ({code}). Check AWS_ACCESS_KEY_ID, "
                "AWS_SECRET_ACCESS_KEY and what they allow."
            ) from None
        raise SparkhuError(f"cannot {action} '{place}': {code}.") from None
    except (MinioException, HTTPError, OSError) as error:
        raise SparkhuError(
            f"cannot {action} '{place}': {type(error).__name__}. Check AWS_ENDPOINT_URL, and that the endpoint runs "
            "and is not full; then run it again."
        ) from None


def _credentials() -> "Provider":
    from minio.credentials.providers import AWSConfigProvider, ChainedProvider, EnvAWSProvider, IamAwsProvider

    known: list[Provider] = [EnvAWSProvider(), AWSConfigProvider()]
    if os.environ.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
        known.append(IamAwsProvider())
    return ChainedProvider(known)


def _certificates() -> str:
    import certifi

    return certifi.where()
