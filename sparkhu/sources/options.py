"""What a user may say about a source; everything else is found from the data."""

from dataclasses import dataclass

ALL = "all"


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
        extra: Further columns that travel along, with commas between them, or `all`; empty: none.
        table: Table of a database, `schema.table` where it is in no default schema.
        query: SQL query to read instead of a table.
        delimiter: The one sign between the fields of a line; `tab` is one too.
        encoding: Encoding of text files: any codec of Python, such as `cp949`.
        decimal: Decimal sign of the numbers, `.` or `,`; the other one may separate thousands.
        start: ISO time; dated folders that end more than a day before it are not opened.
        end: ISO time; dated folders that begin more than a day after it are not opened.
    """

    time: str = ""
    value: str = ""
    id: str = ""
    wide: bool = False
    zone: str = "UTC"
    time_format: str = ""
    extra: str = ""
    table: str = ""
    query: str = ""
    delimiter: str = ""
    encoding: str = ""
    decimal: str = ""
    start: str = ""
    end: str = ""

    @property
    def extra_names(self) -> tuple[str, ...]:
        """The extra columns by name, each once; none where `all` are wanted."""
        names = (part.strip() for part in self.extra.split(","))
        return () if self.extra.strip() == ALL else tuple(dict.fromkeys(name for name in names if name))
