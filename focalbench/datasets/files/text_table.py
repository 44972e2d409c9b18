"""The text of a CSV file as a frame: which separator, which header, and rows read part by part.

pandas types the columns whose cells Python would read; the others stay texts, which features.py reads.
"""

import csv
import io
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_SEPARATORS = "\t|;,"  # of two that would do, the earlier
UNNAMED = "Unnamed: "  # begins the name of a column that has none
_ROWS = 50_000  # parsed at a time
_HEAD, _MOST_HEADER = 100_000, 2**26  # bytes of a header: looked at first, and at most
_LOOKED_AT, _MOST = 20, 0.9  # rows that show the separator; so many of them make a rule
_OTHER_TEXTS = {
    re.compile(rb"\s*(\[\s*)?\{\s*\"|\s*\[\s*\["): "JSON",
    re.compile(rb"\s*<[!?a-zA-Z]"): "HTML or XML",
    re.compile(rb"\s*@relation\b", re.IGNORECASE): "an ARFF file",
}
_NAMED = re.compile(rb"\s*sep=(.)\s*", re.IGNORECASE)  # a line that Excel writes and obeys
_UNEVEN = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_OPEN_QUOTE = re.compile(r"EOF inside string starting at row (\d+)")


@dataclass(frozen=True)
class TextTable:
    """A CSV file in UTF-8. source: its name for messages. start: the byte at which the header begins. names: of the
    columns, blanks around them stripped; rows: the most there can be.
    """

    source: str
    file: IO[bytes]
    start: int
    separator: str
    names: tuple[str, ...]
    rows: int

    def frame(self, predicted: Sequence[str] = (), only: Sequence[str] | None = None) -> "pd.DataFrame":
        """All rows, each column typed by all of its cells; those to predict as they are written where some are missing,
        because NA or None may be a class. only: some of the columns, None for all. Raises InputError for rows that do
        not fit the header.
        """
        import pandas as pd

        options = self._options()
        if only is not None:
            options["usecols"] = sorted({self.names.index(name) for name in only})
        with self._errors_named():
            with pd.read_csv(self._from_start(), chunksize=_ROWS, **options) as reader:
                found = _joined(reader, self.rows)
            if found is None:
                found = pd.read_csv(self._from_start(), **options)
        if found.empty:
            raise InputError(f"{self.source} has a header and no rows; name a file with data")
        with_gaps = [name for name in predicted if name in found and found[name].isna().any()]
        if not with_gaps:
            return found
        texts = self.texts(with_gaps)
        return found.assign(**{name: texts[name].where(texts[name] != "") for name in with_gaps})

    def texts(self, names: Sequence[str], rows: int | None = None) -> "pd.DataFrame":
        """Columns as they were written, of the first so many rows or of all."""
        import pandas as pd

        with self._errors_named():
            found = pd.read_csv(
                self._from_start(),
                **self._options() | {"na_values": []},
                usecols=[self.names.index(name) for name in names],
                dtype="str",
                keep_default_na=False,
                nrows=rows,
            )
        return found[list(names)]

    def _from_start(self) -> IO[bytes]:
        self.file.seek(self.start)
        return self.file

    def _options(self) -> dict[str, Any]:
        return {
            "sep": self.separator,
            "header": 0,
            "names": list(self.names),
            "index_col": False,
            "skipinitialspace": True,
            "na_values": ["?"],
            "low_memory": False,
        }

    @contextmanager
    def _errors_named(self) -> Iterator[None]:
        """Turn what pandas says of a table that is none into a sentence of ours."""
        import pandas as pd

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)
                yield
        except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
            raise InputError(f"{self.source} is not a regular table: {_in_words(str(error))}") from None


class _Reading(NamedTuple):
    """How a file begins when a sign parts its cells. header: the first row that is not empty; widths: cells of each of
    the rows after it that are looked at.
    """

    separator: str
    header: list[str]
    widths: list[int]

    @property
    def rank(self) -> tuple[bool, float, bool, int, int]:
        """What makes it likely: several columns, rows that fit them, no quotation marks torn apart, many columns; and
        where all that is the same, a sign that no decimal number or sentence holds.
        """
        fitting = self.widths.count(len(self.header)) / len(self.widths) if self.widths else 1.0
        torn = any('"' in name for name in self.header)
        return len(self.header) > 1, fitting, not torn, len(self.header), -_SEPARATORS.index(self.separator)

    @property
    def below(self) -> int:
        """The cells that most of the rows have, where nearly all have as many."""
        width, rows = Counter(self.widths).most_common(1)[0] if self.widths else (0, 0)
        return width if rows >= _MOST * len(self.widths) else 0


def open_text(source: str, file: IO[bytes], rows: int) -> TextTable:
    """Find the separator and header of a text file that stands where its text begins; rows: the most it can hold.

    The separator is the one of a first line `sep=;`, or the one that gives the header and the rows below it as many
    cells. Raises InputError for an unusable header.
    """
    start = file.tell()
    line = file.readline(100)
    if (named := _NAMED.fullmatch(line)) and line.strip() != line:
        separators, start = named[1].decode(errors="replace"), start + len(line)
        _check_kind(source, file, start)
        found = _begin(file, start, separators)
    else:
        _check_kind(source, file, start)
        readings = [_begin(file, start, separator) for separator in _SEPARATORS]
        found = max(readings, key=lambda each: each.rank)
        _check_header(source, found, max(readings, key=lambda each: each.below))
    if not found.header and file.seek(start) == start and file.read(_HEAD).strip():
        raise InputError(f"{source} has no readable header; save it as CSV, with short names in the first row")
    names = [" ".join(name.split()) for name in found.header]
    if not any(names):
        raise InputError(f"{source} is empty; name a CSV file with a header and rows")
    check_names(source, names)
    return TextTable(source, file, start, found.separator, tuple(_all_named(names)), rows)


def _all_named(names: Sequence[str]) -> Iterator[str]:
    """The names, with one that no other column has for each without."""
    for place, name in enumerate(names):
        longer = f"{UNNAMED}{place}"
        while not name and longer in names:
            longer += "_"
        yield name or longer


def _check_kind(source: str, file: IO[bytes], start: int) -> None:
    """Raise InputError for text that is no table."""
    file.seek(start)
    head = file.read(200)
    for begin, kind in _OTHER_TEXTS.items():
        if begin.match(head):
            raise InputError(f"{source} is {kind}, which is not read; save the table as CSV or Parquet")


def _check_header(source: str, found: _Reading, widest: _Reading) -> None:
    """Raise InputError for a first line that is no header of what follows: a title, or a remark."""
    for reading in (found, widest):
        wide = reading.below > len(reading.header) + 1 or reading.below > len(reading.header) == 1
        if reading.header and wide and (reading is found or len(found.header) == 1):
            line = found.separator.join(found.header)[:60]
            raise InputError(
                f"{source} begins with {line!r}, which is no header of the rows below it; remove the lines above the "
                "header"
            )


def check_names(source: str, names: Sequence[str]) -> None:
    """Raise InputError where two columns have one name."""
    repeated = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if repeated:
        raise InputError(f"{source} has more than one column named {listed(repeated)}; rename all but one")


def _begin(file: IO[bytes], start: int, separator: str) -> _Reading:
    """The header, however long it is, and the rows below it; nothing where the text cannot be parted so."""
    size = _HEAD
    while True:
        file.seek(start)
        head = file.read(size)
        text = io.StringIO(head.decode(errors="ignore").lstrip("\r\n"), newline="")
        rows = csv.reader(text, delimiter=separator, skipinitialspace=True)
        try:
            first = next(rows, [])
        except csv.Error:  # a cell beyond every reason, because another sign parts them
            return _Reading(separator, [], [])
        if len(head) < size or text.read(1) or size >= _MOST_HEADER:
            break
        size *= 16
    text.seek(0)
    return _Reading(separator, first, _widths(text, separator, whole=len(head) < size))


def _widths(text: io.StringIO, separator: str, *, whole: bool) -> list[int]:
    """Cells of the rows after the first; whole: whether the text is the whole file, so that its last row is, too."""
    rows = csv.reader(text, delimiter=separator, skipinitialspace=True)
    widths: list[int] = []
    with suppress(csv.Error):
        widths += [len(row) for row in islice(rows, _LOOKED_AT) if row]
    return widths[1:] if whole or len(widths) == _LOOKED_AT else widths[1:-1]


def _in_words(error: str) -> str:
    if found := _UNEVEN.search(error):
        expected, line, seen = found.groups()
        return f"line {line} has {seen} cells and the header {expected}; give every row as many cells as the header"
    if found := _OPEN_QUOTE.search(error):
        return f'a quotation mark that opens in data row {found[1]} is never closed; write "" for one inside a cell'
    return "some rows have more cells than the header; give every row as many cells as the header"


def _joined(parts: "Iterable[pd.DataFrame]", most: int) -> "pd.DataFrame | None":
    """Parts of a table of at most so many rows as one, never there twice; None where a column's kinds differ."""
    import pandas as pd

    numbers: dict[str, NDArray[Any]] = {}
    texts: dict[str, list[pd.Series[Any]]] = {}
    names: list[str] = []
    rows = 0
    for part in parts:
        end = rows + len(part)
        for name, column in part.items():
            kind = column.dtype
            if not rows:
                names.append(name)
                if kind in ("int64", "float64"):
                    numbers[name] = np.empty(most, dtype=kind)
                else:
                    texts[name] = []
            if name in texts:
                if texts[name] and kind != texts[name][0].dtype:
                    return None
                texts[name].append(column)
            elif kind in ("int64", "float64"):
                if kind == "float64" != numbers[name].dtype:
                    numbers[name] = numbers[name].astype(np.float64)
                numbers[name][rows:end] = column
            else:
                return None
        rows = end
    columns = {
        name: pd.concat(texts.pop(name), ignore_index=True) if name in texts else numbers.pop(name)[:rows]
        for name in names
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(rows), copy=False)
