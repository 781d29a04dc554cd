"""Wall clocks and instants, against zoneinfo."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkhu.errors import InputError
from sparkhu.zones import check_zone, from_wall, to_wall

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> np.ndarray:
    return np.array([(moment - EPOCH) // timedelta(microseconds=1)])


def moment(values: np.ndarray) -> datetime:
    return EPOCH + timedelta(microseconds=int(values[0]))


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2037, 1, 1)),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "America/Sao_Paulo"]),
)
def test_wall_clocks_agree_with_zoneinfo(local: datetime, name: str) -> None:
    zone = ZoneInfo(name)
    wall = microseconds(local.replace(tzinfo=UTC))
    instant = moment(from_wall(wall, name))
    back = instant.astimezone(zone).replace(tzinfo=None)
    skipped = back != local
    assert instant == local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    assert skipped == (local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) != local)
    if not skipped:
        assert to_wall(microseconds(instant), name).tolist() == wall.tolist()


def test_a_doubled_hour_means_its_first_pass() -> None:
    wall = microseconds(datetime(2024, 10, 27, 2, 30, tzinfo=UTC))
    assert moment(from_wall(wall, "Europe/Berlin")) == datetime(2024, 10, 27, 0, 30, tzinfo=UTC)


def test_a_skipped_time_is_read_behind_the_jump() -> None:
    walls = microseconds(datetime(2024, 3, 31, 2, 30, tzinfo=UTC))
    both = np.concatenate([walls, walls + 86_400_000_000])
    found = from_wall(both, "Europe/Berlin")
    assert moment(found[:1]) == datetime(2024, 3, 31, 1, 30, tzinfo=UTC)
    assert moment(found[1:]) == datetime(2024, 4, 1, 0, 30, tzinfo=UTC)


def test_utc_needs_no_turning() -> None:
    values = np.array([5, -7])
    assert to_wall(values, "UTC") is values
    assert from_wall(values, "UTC") is values


def test_an_unknown_zone_is_refused_with_an_example() -> None:
    check_zone("Asia/Seoul")
    with pytest.raises(
        InputError, match=r"^zone must be an IANA time zone such as UTC or Europe/Berlin, got 'CET/Berlin'$"
    ):
        check_zone("CET/Berlin")
