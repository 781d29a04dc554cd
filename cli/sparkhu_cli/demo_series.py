"""The series of the demo: real ones that come with statsmodels, each with its unit, its calendar and its source.

| series | what | unit | calendar | source |
| --- | --- | --- | --- | --- |
| co2 | carbon dioxide in the air at Mauna Loa; 59 weeks are missing | ppmv | weekly, 1958 to 2001 | Keeling and Whorf, SIO |
| sunspots | sunspot number | count | yearly, 1700 to 2008 | NOAA, NGDC |
| nile | discharge of the Nile at Aswan | 10^8 m³ | yearly, 1871 to 1970 | Cobb (1978) |
| elnino | sea surface temperature, region Niño 1+2 | °C | monthly, 1950 to 2010 | NOAA, ERSST.V3B |
| euro_electrical_turnover | turnover of electrical equipment makers, euro area | index | monthly, 1995 to 2016 | Eurostat |
| us_gdp, us_consumption, us_investment, us_disposable_income | national accounts, seasonally adjusted | 10^9 US$ of 2005 | quarterly, 1959 to 2009 | FRED |
| us_cpi | consumer prices | 1982-84 = 100 | quarterly, 1959 to 2009 | FRED |
| us_m1 | money stock M1 | 10^9 US$ | quarterly, 1959 to 2009 | FRED |
| us_treasury_bill | three-month treasury bill rate | % | quarterly, 1959 to 2009 | FRED |
| us_unemployment | unemployment rate | % | quarterly, 1959 to 2009 | BLS |
| danish_bond_rate, danish_deposit_rate | interest rates, as a share | 1 | quarterly, 1974 to 1987 | Johansen and Juselius (1990) |
| german_inflation | change of the logarithm of the GDP deflator | 1 | quarterly, 1972 to 1998 | JMulTi, e6 |
| german_interest | nominal long-term interest rate, as a share | 1 | quarterly, 1972 to 1998 | JMulTi, e6 |
"""  # noqa: E501 - a table

from pathlib import Path
from typing import Any, Final

import polars as pl

MACRO: Final = {
    "realgdp": "us_gdp",
    "realcons": "us_consumption",
    "realinv": "us_investment",
    "realdpi": "us_disposable_income",
    "cpi": "us_cpi",
    "m1": "us_m1",
    "tbilrate": "us_treasury_bill",
    "unemp": "us_unemployment",
}
MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def demo_frame() -> pl.DataFrame:
    """Give the demo's series as one long table: `series`, `date`, `value` (null where the source has none)."""
    from statsmodels.datasets import (
        co2,
        danish_data,
        elec_equip,
        elnino,
        interest_inflation,
        macrodata,
        nile,
        sunspots,
    )

    macro, german = _quarters(macrodata.load_pandas().data), _quarters(interest_inflation.load_pandas().data)
    danish, electrical = danish_data.load().data, elec_equip.load().data
    weekly = co2.load_pandas().data
    parts = [
        _series("co2", pl.Series(weekly.index), weekly["co2"]),
        _yearly("sunspots", sunspots.load_pandas().data, "YEAR", "SUNACTIVITY"),
        _yearly("nile", nile.load_pandas().data, "year", "volume"),
        _elnino(elnino.load_pandas().data),
        _series("euro_electrical_turnover", pl.Series(electrical.index), electrical.iloc[:, 0]),
        *[_series(name, macro["date"], macro[column]) for column, name in MACRO.items()],
        _series("danish_bond_rate", pl.Series(danish.index), danish["ibo"]),
        _series("danish_deposit_rate", pl.Series(danish.index), danish["ide"]),
        _series("german_inflation", german["date"], german["Dp"]),
        _series("german_interest", german["date"], german["R"]),
    ]
    return pl.concat(parts)


def write_demo_series(folder: Path) -> Path:
    """Write the demo's series to `demo-series.csv` in `folder` and give its path; an equal file is written over."""
    folder.mkdir(parents=True, exist_ok=True)
    path, draft = folder / "demo-series.csv", folder / ".demo-series.csv"
    demo_frame().write_csv(draft)
    draft.replace(path)
    return path


def _series(name: str, dates: pl.Series, values: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "series": [name] * len(dates),
            "date": dates.cast(pl.Date),
            "value": pl.Series(values.to_numpy(), dtype=pl.Float64).fill_nan(None),
        }
    )


def _yearly(name: str, table: Any, year: str, value: str) -> pl.DataFrame:
    frame = pl.DataFrame({"year": table[year].to_numpy()}).with_columns(pl.col("year").cast(pl.Int32))
    return _series(name, frame.select(pl.date("year", 1, 1)).to_series(), table[value])


def _quarters(table: Any) -> pl.DataFrame:
    frame: pl.DataFrame = pl.from_pandas(table)
    month = (pl.col("quarter").cast(pl.Int32) - 1) * 3 + 1
    return frame.with_columns(date=pl.date(pl.col("year").cast(pl.Int32), month, 1))


def _elnino(table: Any) -> pl.DataFrame:
    """Lay the table of years and months in one column."""
    numbers = dict(zip(MONTHS, range(1, 13), strict=True))
    long = (
        pl.from_pandas(table)
        .unpivot(on=list(MONTHS), index="YEAR", variable_name="month")
        .with_columns(date=pl.date(pl.col("YEAR").cast(pl.Int32), pl.col("month").replace_strict(numbers), 1))
        .sort("date")
    )
    return _series("elnino", long["date"], long["value"])
