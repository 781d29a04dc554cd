"""A lake on S3: endpoints that refuse, lack a bucket, go away, or answer when nobody listens any more."""

import time
from collections.abc import Iterator

import pytest

from sparkhu.errors import InputError, SparkhuError
from sparkhu.lake import Append, Lake, create_lake, is_lake, objects, open_lake
from tests.services import S3Endpoint
from tests.sparkhu.lake.made_rows import observed
from tests.sparkhu.lake.proxy import Proxy, When


@pytest.fixture
def lake(conditional_place: str) -> Lake:
    lake = create_lake(conditional_place)
    add(lake, 2)
    return lake


@pytest.fixture
def proxy(conditional_s3_endpoint: S3Endpoint, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """Stand before the endpoint; the lake is there already."""
    proxy = Proxy(conditional_s3_endpoint.url)
    reconnect(monkeypatch, AWS_ENDPOINT_URL=proxy.url)
    monkeypatch.setitem(objects.CONNECTION, "retries", {"mode": "standard", "total_max_attempts": 2})
    yield proxy
    proxy.away = True
    proxy.close()


def reconnect(monkeypatch: pytest.MonkeyPatch, **variables: str | None) -> None:
    for name, value in variables.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)


def add(lake: Lake, hours: int, y: float = 0.0) -> None:
    lake.commit({"observations": Append(observed(hours=hours, y=y))}, run="run", based_on=lake.version())


def rows(lake: Lake) -> list[float]:
    return open_lake(lake.uri).version().table("observations").read()["y"].to_list()


def test_a_wrong_sign_in_is_told_without_the_secret(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.MonkeyPatch.context() as patch:
        reconnect(patch, AWS_SECRET_ACCESS_KEY="not-the-secret")
        for attempt in (open_lake, create_lake, is_lake):
            with pytest.raises(
                InputError, match=r"refuses the sign-in \(SignatureDoesNotMatch\). Check AWS_"
            ) as caught:
                attempt(lake.uri)
            assert "not-the-secret" not in str(caught.value)
        reconnect(patch, AWS_ACCESS_KEY_ID="nobody")
        with pytest.raises(InputError, match=r"refuses the sign-in \(InvalidAccessKeyId\)"):
            open_lake(lake.uri)
        reconnect(patch, AWS_ACCESS_KEY_ID=None, AWS_SECRET_ACCESS_KEY=None, AWS_EC2_METADATA_DISABLED="true")
        with pytest.raises(InputError, match=r"refuses the sign-in \(NoCredentialsError\)"):
            open_lake(lake.uri)
    reconnect(monkeypatch)
    assert rows(lake) == [0.0, 1.0]


@pytest.mark.parametrize("endpoint", ["conditional_s3_endpoint", "s3_endpoint"])
def test_a_missing_bucket_is_named(
    request: pytest.FixtureRequest, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reconnect(monkeypatch, **request.getfixturevalue(endpoint).environment)
    for attempt in (open_lake, create_lake, is_lake):
        with pytest.raises(InputError, match=r"there is no bucket 'nobucket'. Make it, or name another"):
            attempt("s3://nobucket/lake")


def test_a_uri_without_a_bucket_is_refused() -> None:
    with pytest.raises(InputError, match="a lake on S3 lies under s3://bucket/prefix, got 's3:///lake'"):
        open_lake("s3:///lake")


def test_an_endpoint_that_is_not_there_is_told_within_seconds(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    reconnect(monkeypatch, AWS_ENDPOINT_URL="http://127.0.0.1:1")
    began = time.monotonic()
    with pytest.raises(SparkhuError, match=r"cannot read 's3://plant/.*/current.json': EndpointConnectionError"):
        open_lake(lake.uri)
    assert time.monotonic() - began < 30


def test_an_endpoint_that_goes_away_in_the_middle_leaves_the_old_version(lake: Lake, proxy: Proxy) -> None:
    opened = open_lake(lake.uri)
    for strike in (3, 4):  # a manifest, the version
        proxy.away = False
        proxy.arm(strike, "middle", lambda: setattr(proxy, "away", True))
        with pytest.raises(SparkhuError, match=r"cannot write 's3://plant/.*Check AWS_ENDPOINT_URL"):
            add(opened, 1, 5.0)
    proxy.away = False
    assert rows(lake) == [0.0, 1.0]
    add(opened, 1, 5.0)
    assert rows(lake) == [0.0, 5.0, 1.0]


def test_an_endpoint_that_goes_away_at_the_swap_leaves_it_open_whether_it_was_made(lake: Lake, proxy: Proxy) -> None:
    opened = open_lake(lake.uri)
    add(opened, 1, 5.0)
    swap = 4  # data, manifest and version are written before it
    proxy.arm(swap, "after", lambda: setattr(proxy, "away", True))
    with pytest.raises(SparkhuError, match=r"Whether version 3 was committed is not known. Run it again"):
        add(opened, 1, 6.0)
    assert "current.json" in proxy.writes[swap - 1]
    proxy.away = False
    assert rows(lake) == [0.0, 5.0, 6.0, 1.0]


def test_a_lost_answer_is_found_out_although_others_have_committed_since(lake: Lake, proxy: Proxy) -> None:
    opened = open_lake(lake.uri)
    add(opened, 1, 5.0)

    def overtake() -> None:
        """Commit twice before the client hears that its connection has broken off."""
        proxy.arm(0, "before", lambda: None)
        for y in (7.0, 8.0):
            add(lake, 1, y)

    proxy.arm(4, "after", overtake)  # the swap: it has been made
    add(opened, 1, 6.0)
    assert rows(lake) == [0.0, 5.0, 6.0, 7.0, 8.0, 1.0]
    assert lake.version().number == 5


@pytest.mark.parametrize("when", ["before", "middle", "after"])
def test_a_lost_answer_neither_loses_nor_doubles_a_commit(lake: Lake, proxy: Proxy, when: When) -> None:
    opened = open_lake(lake.uri)
    add(opened, 1, 5.0)
    strike = 1
    while True:
        proxy.arm(strike, when, lambda: None)  # hangs up once; the client asks again
        before = rows(lake)
        add(opened, 1, 10.0 + strike)
        assert sorted(rows(lake)) == sorted([*before, 10.0 + strike])
        if len(proxy.writes) < strike:
            break
        strike += 1
    assert strike > 4
    assert lake.version().number == 2 + strike


def test_a_reader_whose_connection_breaks_off_reads_again(lake: Lake, proxy: Proxy) -> None:
    opened = open_lake(lake.uri)
    proxy.cut_reads = 2
    assert rows(opened) == [0.0, 1.0]
    assert proxy.cut_reads == 0


def test_more_objects_than_a_page_holds_are_listed_and_removed(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PER_PAGE", 3)
    paths = [f"tables/x/data/{k}" for k in range(8)]
    for path in paths:
        lake._storage.write(path, b"x")
    assert [found.path for found in lake._storage.listed("tables/x/")] == paths
    lake._storage.remove(paths)
    assert lake._storage.listed("tables/x/") == []


def test_the_probe_tells_endpoints_that_heed_conditions_from_those_that_do_not(
    lake: Lake, unconditional_place: str
) -> None:
    assert lake._storage.notes == ()
    version = create_lake(unconditional_place).version()
    assert version.number == 0
    other = open_lake(unconditional_place)
    committed = other.commit({"observations": Append(observed(hours=1))}, run="run", based_on=version)
    assert "ignores the conditions of a write; publishers take turns by leases" in committed.notes[0]


def test_an_endpoint_that_refuses_a_write_before_its_body_came_is_told(unconditional_place: str) -> None:
    # rclone cannot lay an object below another one; asked for leave to send it, it waits for what nobody sends.
    storage = objects.Objects(unconditional_place)
    storage.write("above", b"an object")
    with pytest.raises(SparkhuError, match=r"cannot write '.*/above/below': InternalError"):
        storage.write("above/below", b"another" * 300)
