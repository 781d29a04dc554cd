"""What a user may say about a source; everything else is found from the data."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceOptions:
    """What is known of a source before it is read; an empty text means: find it, and say what was found.

    Attributes:
        time: Column of the observation times.
        value: Column of the values (long layout).
        id: Column of the series' names (long layout).
        wide: Every column but the time column is a series, named by its header.
        zone: IANA time zone of times without an offset.
        time_format: `strptime` format of the times, such as `%d/%m/%Y`, where the data alone cannot tell.
    """

    time: str = ""
    value: str = ""
    id: str = ""
    wide: bool = False
    zone: str = "UTC"
    time_format: str = ""
