"""The user's own file as a frame: CSV in any usual dress, or Parquet. Nothing in a file is ever executed."""

import csv
import gzip
import hashlib
import io
import lzma
import re
import warnings
import zipfile
import zlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from focalbench.datasets.columns import Columns, did_you_mean, listed, make_table
from focalbench.datasets.table import Table
from focalbench.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".zip", ".zst", ".parquet")
_SEPARATORS = ",;\t|"
_DAMAGED = (OSError, EOFError, ValueError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_REMEDY = "pip install 'focalbench[files]'"


def file_sha256(path: str) -> str:
    """Return the hash (64 hex digits) of a file's bytes. Raises InputError where it cannot be read."""
    return hashlib.sha256(_read_bytes(path)).hexdigest()


def read_table(path: str, columns: Columns) -> Table:
    """Read a file with a binary target: CSV (comma, semicolon, tab or bar; UTF-8, UTF-16 or Windows-1252; plain, gz,
    zip or zst) or Parquet.

    Empty cells, NA and '?' are missing; the rest is make_table's. Raises InputError for anything else.
    """
    content = _read_bytes(path)
    digest = hashlib.sha256(content).hexdigest()
    if content.startswith(b"PAR1"):
        return make_table(path, _parquet(path, content), columns, digest)
    data, notes = _as_utf8(path, _unpacked(path, content))
    del content  # large, and no longer needed
    frame = _parse(path, data)
    del data
    table = make_table(path, frame, columns, digest)
    return replace(table, notes=notes + table.notes)


def exists(path: str) -> bool:
    """Whether there is such a file or folder, as far as can be seen."""
    try:
        return Path(path).exists()
    except OSError:  # too long a name, or no right to look
        return False


def _read_bytes(path: str) -> bytes:
    file = Path(path)
    try:
        return file.read_bytes()
    except FileNotFoundError:
        near = file.parent.iterdir() if file.parent.is_dir() else ()
        raise InputError(f"no file {path}{did_you_mean(file.name, [other.name for other in near])}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a readable file") from None


def _unpacked(path: str, content: bytes) -> bytes:
    """The bytes of the file inside a gzip, zip or zst file, told by how it begins, or the bytes themselves."""
    try:
        if content.startswith(b"\x1f\x8b"):
            return gzip.decompress(content)
        if content.startswith(b"PK\x03\x04"):
            return _only_member(path, content)
        if content.startswith(b"\x28\xb5\x2f\xfd"):
            return _zst(path, content)
    except InputError:
        raise
    except (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
        NotImplementedError,
        RuntimeError,
        ValueError,
    ):
        raise InputError(f"{path} is a damaged or locked archive; pack it again") from None
    return content


def _only_member(path: str, content: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if len(names) != 1:
            raise InputError(f"{path} holds {len(names)} files ({listed(names)}); pack the one to read alone")
        return archive.read(names[0])


def _zst(path: str, content: bytes) -> bytes:
    try:
        import zstandard
    except ImportError:
        raise InputError(f"{path} is packed with Zstandard, which needs an extra: {_REMEDY}") from None
    parts = []
    try:
        while content:  # a frame after the other; a cut one would else be read as a shorter table
            frame = zstandard.ZstdDecompressor().decompressobj()
            parts.append(frame.decompress(content))
            if not frame.eof:
                raise EOFError
            content = frame.unused_data
    except zstandard.ZstdError:
        raise EOFError from None
    return b"".join(parts)


def _as_utf8(path: str, content: bytes) -> tuple[bytes, tuple[str, ...]]:
    """A text file in UTF-8 without a mark, and a note where its encoding had to be guessed."""
    data, notes = _recoded(content)
    if b"\0" in data:
        raise InputError(f"{path} is no text (it holds NUL characters); save it as CSV in UTF-8")
    return data, notes


def _recoded(content: bytes) -> tuple[bytes, tuple[str, ...]]:
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8")):
        if content.startswith(mark):
            try:
                text = content.decode(encoding)
            except UnicodeDecodeError:
                continue
            return (content.removeprefix(b"\xef\xbb\xbf") if encoding == "utf-8" else text.encode()), ()
    guessed = content.decode("cp1252", errors="replace").encode()
    return guessed, ("not UTF-8: read as Windows-1252, which other alphabets will not survive",)


def _parquet(path: str, content: bytes) -> "pd.DataFrame":
    import pandas as pd

    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"{path} is a Parquet file, which needs an extra: {_REMEDY}") from None
    try:
        frame: pd.DataFrame = parquet.read_table(io.BytesIO(content)).to_pandas(ignore_metadata=True)
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


def _parse(path: str, data: bytes) -> "pd.DataFrame":
    import pandas as pd

    separator = _separator(path, data[:100_000].decode(errors="ignore"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            options = {"sep": separator, "index_col": False, "low_memory": False, "skipinitialspace": True}
            frame = pd.read_csv(io.BytesIO(data), na_values=["?"], **options)
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        message = f"{path} is not a regular table: {str(error).strip()}"
        raise InputError(f"{message}; give every row as many cells as the header") from None
    if frame.empty:
        raise InputError(f"{path} has a header and no rows; name a file with data")
    return frame


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
