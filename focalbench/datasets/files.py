"""The user's own file as a frame: CSV in any usual dress, or Parquet. Nothing in a file is ever executed."""

import codecs
import csv
import gzip
import hashlib
import io
import lzma
import re
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.columns import Columns, did_you_mean, make_table
from focalbench.datasets.table import Table
from focalbench.datasets.targets import listed
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".zip", ".zst", ".parquet")
_SEPARATORS = ",;\t|"
_BLOCK, _HEAD = 2**20, 100_000  # bytes read at a time, and those that hold the header
_ROWS = 50_000  # parsed at a time
_DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)
_REMEDY = "pip install 'focalbench[files]'"


def file_sha256(path: str) -> str:
    """Return the hash (64 hex digits) of a file's bytes. Raises InputError where it cannot be read."""
    digest = hashlib.sha256()
    with _opened(path) as file:
        for block in _blocks(file):
            digest.update(block)
    return digest.hexdigest()


def read_table(path: str, columns: Columns) -> Table:
    """Read a file with its target: CSV (comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252; plain, gz, zip or
    zst) or Parquet. A large file is never in memory as text.

    Empty cells, NA and '?' are missing; the rest is make_table's. Raises InputError for anything else.
    """
    digest = file_sha256(path)
    with _opened(path) as file, tempfile.TemporaryFile() as unpacked, tempfile.TemporaryFile() as recoded:
        if file.read(4) == b"PAR1":
            file.seek(0)
            return make_table(path, _parquet(path, file), columns, digest)
        file.seek(0)
        text, lines, notes = _as_utf8(path, _unpacked(path, file, unpacked), recoded)
        table = make_table(path, _parse(path, text, lines), columns, digest)
    return replace(table, notes=notes + table.notes)


def exists(path: str) -> bool:
    """Whether there is such a file or folder, as far as can be seen."""
    try:
        return Path(path).exists()
    except OSError:  # too long a name, or no right to look
        return False


def _opened(path: str) -> BinaryIO:
    file = Path(path)
    try:
        return file.open("rb")
    except FileNotFoundError:
        near = file.parent.iterdir() if file.parent.is_dir() else ()
        raise InputError(f"no file {path}{did_you_mean(file.name, [other.name for other in near])}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a readable file") from None


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: file.read(_BLOCK), b"")


def _unpacked(path: str, file: BinaryIO, spool: BinaryIO) -> BinaryIO:
    """The file, or what is inside a gzip, zip or zst file, told by how it begins, written to spool."""
    head = file.read(4)
    file.seek(0)
    try:
        if head.startswith(b"\x1f\x8b"):
            shutil.copyfileobj(gzip.GzipFile(fileobj=file), spool, _BLOCK)
        elif head == b"PK\x03\x04":
            _only_member(path, file, spool)
        elif head == b"\x28\xb5\x2f\xfd":
            _zst(path, file, spool)
        else:
            return file
    except InputError:
        raise
    except _DAMAGED:
        raise InputError(f"{path} is a damaged or locked archive; pack it again") from None
    spool.seek(0)
    return spool


def _only_member(path: str, file: BinaryIO, spool: BinaryIO) -> None:
    with zipfile.ZipFile(file) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if len(names) != 1:
            raise InputError(f"{path} holds {len(names)} files ({listed(names)}); pack the one to read alone")
        with archive.open(names[0]) as member:
            shutil.copyfileobj(member, spool, _BLOCK)


def _zst(path: str, file: BinaryIO, spool: BinaryIO) -> None:
    try:
        import zstandard
    except ImportError:
        raise InputError(f"{path} is packed with Zstandard, which needs an extra: {_REMEDY}") from None
    frame = None
    try:
        for block in _blocks(file):
            rest = block
            while rest:  # a frame after the other; a cut one would else be read as a shorter table
                frame = zstandard.ZstdDecompressor().decompressobj() if frame is None else frame
                spool.write(frame.decompress(rest))
                rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    except zstandard.ZstdError:
        raise EOFError from None
    if frame is not None:
        raise EOFError


def _as_utf8(path: str, file: BinaryIO, spool: BinaryIO) -> tuple[BinaryIO, int, tuple[str, ...]]:
    """The text file in UTF-8, past its mark if it has one, or written to spool as such; the most lines it can have; and
    a note where its encoding had to be guessed.
    """
    head = file.read(3)
    file.seek(0)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    sound = _decodes(file, encoding)
    if not (encoding == "utf-8" and sound):
        _recode(file, encoding if sound else "cp1252", spool)
        file, head = spool, b""
    lines = 1
    for block in _blocks(file):
        if b"\0" in block:
            raise InputError(f"{path} is no text (it holds NUL characters); save it as CSV in UTF-8")
        lines += block.count(b"\n") + block.count(b"\r")
    file.seek(3 if head == b"\xef\xbb\xbf" else 0)
    return file, lines, () if sound else ("not UTF-8: read as Windows-1252, which other alphabets will not survive",)


def _decodes(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(file):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    finally:
        file.seek(0)
    return True


def _recode(file: BinaryIO, encoding: str, spool: BinaryIO) -> None:
    """Write a file's text to spool as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in _blocks(file):
        spool.write(decoder.decode(block).encode())
    spool.write(decoder.decode(b"", final=True).encode())
    spool.seek(0)


def _parquet(path: str, file: BinaryIO) -> "pd.DataFrame":
    import pandas as pd

    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"{path} is a Parquet file, which needs an extra: {_REMEDY}") from None
    try:
        table = parquet.read_table(file)
        table.validate(full=True)  # texts that are not UTF-8 would else be found out later
        frame: pd.DataFrame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{path} is no readable Parquet file ({_short(error)}); write it again") from None
    frame.columns = frame.columns.map(str)  # an index without a name is no column
    frame = frame.drop(columns=[name for name in frame.columns if re.fullmatch(r"__index_level_\d+__", name)])
    if frame.empty:
        raise InputError(f"{path} has no rows or no columns; name a file with data")
    _check_names(path, list(frame.columns))
    return _flat(frame.reset_index(drop=True))


def _flat(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Cells of lists, structures and bytes as their text; a column of a type that CSV lacks as text too."""
    import pandas as pd

    odd = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    cells = {name: frame[name].astype(object) for name in odd}
    texts = {name: cell.map(str).mask(cell.isna() | (cell.map(str).str.strip() == "?")) for name, cell in cells.items()}
    numbers = {name: frame[name].astype("float64") for name in frame.columns.difference(odd, sort=False)}
    return pd.DataFrame({name: texts.get(name, numbers.get(name)) for name in frame.columns}, index=frame.index)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]


def _parse(path: str, file: BinaryIO, rows: int) -> "pd.DataFrame":
    """The rows of a text file, at most so many, read part by part; where these take a column for different kinds, read
    as one.
    """
    import pandas as pd

    start = file.tell()
    separator = _separator(path, file.read(_HEAD).decode(errors="ignore"))
    options = {"sep": separator, "index_col": False, "skipinitialspace": True, "na_values": ["?"], "low_memory": False}
    file.seek(start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            with pd.read_csv(file, chunksize=_ROWS, **options) as reader:
                frame = _joined(reader, rows)
            if frame is None:
                file.seek(start)
                frame = pd.read_csv(file, **options)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        message = f"{path} is not a regular table: {str(error).strip()}"
        raise InputError(f"{message}; give every row as many cells as the header") from None
    if frame.empty:
        raise InputError(f"{path} has a header and no rows; name a file with data")
    return frame


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


def _separator(path: str, head: str) -> str:
    """Return the separator that gives the header most columns. Raises InputError for an unusable header."""
    head = head.lstrip("\r\n")

    def names(separator: str) -> list[str]:
        return next(csv.reader(io.StringIO(head), delimiter=separator, skipinitialspace=True), [])

    try:
        separator = max(_SEPARATORS, key=lambda each: len(names(each)))
        header = names(separator)
    except csv.Error as error:
        raise InputError(f"{path} has no readable header ({error}); save it as CSV") from None
    if not any(header):
        raise InputError(f"{path} is empty; name a CSV file with a header and rows")
    _check_names(path, header)
    return separator


def _check_names(path: str, names: list[str]) -> None:
    repeated = sorted(name for name, count in Counter(names).items() if name and count > 1)
    if repeated:
        raise InputError(f"{path} has more than one column named {listed(repeated)}; rename all but one")
