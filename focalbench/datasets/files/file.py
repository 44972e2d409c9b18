"""The user's own file as a frame: CSV in any usual dress, or Parquet. Nothing in a file is ever executed."""

import codecs
import errno
import gzip
import hashlib
import lzma
import os
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from focalbench.datasets.columns.column import Style
from focalbench.datasets.columns.frame import did_you_mean, make_table, style_of
from focalbench.datasets.columns.texts import Origin, as_written_in, is_text
from focalbench.datasets.files.parquet import parquet_names, read_parquet
from focalbench.datasets.files.text_table import open_text
from focalbench.datasets.tables.table import Table
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError, MachineError
from focalbench.runs.catalogue import Task
from focalbench.runs.columns import Columns

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".zip", ".zst", ".parquet")
MOST_UNPACKED = 2**35  # bytes that an archive may unpack to
_BLOCK, _ZST_BLOCK = 2**20, 2**12  # bytes read at a time; of zst, where one may unpack to 30,000, fewer
_FAILING = {  # what a disk says, rather than a damaged archive
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENODEV, errno.EROFS, errno.ENXIO, errno.ESTALE)
}
_ENCODINGS = {"utf-8": "UTF-8", "utf-16": "UTF-16", "cp1252": "Windows-1252"}
_GUESSED = "not UTF-8: read as Windows-1252, which other alphabets will not survive"
_SPOKEN = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_OTHER_KINDS = {  # of files, by how they begin
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"ARROW1": "an Arrow or Feather file",
    b"\x93NUMPY": "a NumPy array",
    b"%PDF": "a PDF document",
    b"\x89PNG": "a picture",
    b"BZh": "packed with bzip2",
    b"\xfd7zXZ": "packed with xz",
    b"7z\xbc\xaf": "packed with 7-Zip",
}
_DAMAGED = (
    *(OSError, EOFError, ValueError, RuntimeError, NotImplementedError),
    *(zlib.error, lzma.LZMAError, zipfile.BadZipFile),
)


def file_sha256(path: str) -> str:
    """SHA-256 hash of a file's bytes.

    Args:
        path: of the file.

    Returns:
        64 hex digits.

    Raises:
        InputError: where the file cannot be read.
    """
    digest = hashlib.sha256()
    with _opened(path) as file:
        for block in _blocks(file):
            digest.update(block)
    return digest.hexdigest()


def read_table(path: str, columns: Columns, task: Task = "binary") -> Table:
    """Read a file with its target: CSV or Parquet.

    A CSV file is separated by comma, semicolon, tab or bar; in UTF-8, UTF-16 or Windows-1252; plain, gz, zip or zst. A
    large file is never in memory as text. Empty cells, NA and '?' are missing; the rest is make_table's.

    Args:
        path: of the file.
        columns: which column plays which part.
        task: binary, multiclass or multilabel.

    Returns:
        The table, before it is split.

    Raises:
        InputError: for any other file, or what cannot be a table.
        MachineError: where there is no room to unpack or recode the file, or no memory for the table.
    """
    digest = file_sha256(path)
    with open_frame(path) as opened:
        frame, origin = opened.read(columns.predicted, None)
        table = make_table(path, frame, columns, digest, origin, task)
    return replace(table, notes=opened.notes + table.notes)


def read_exact(path: str, columns: Columns) -> tuple[Table, Style]:
    """The table of a binary task with numbers in float64 as they are, and how the file writes them and its dates.
    Raises as read_table.
    """
    digest = file_sha256(path)
    with open_frame(path) as opened:
        frame, origin = opened.read(columns.predicted, None)
        style = style_of(frame, columns, origin)
        return make_table(path, frame, columns, digest, origin, style=style, exact=True), style


class Written(NamedTuple):
    """Some columns of a file, as texts where it is one. how: its encoding, and what separates its cells."""

    frame: "pd.DataFrame"
    how: str


def read_as_written(path: str, names: Sequence[str]) -> Written:
    """Some columns of a file. Raises as read_table, and InputError for columns that it has not."""
    with open_frame(path) as opened:
        if lacking := [name for name in names if name not in opened.names]:
            near = did_you_mean(lacking[0], list(opened.names))
            raise InputError(f"{path} has no column {lacking[0]!r}{near}")
        frame, origin = opened.read((), names)
        written = as_written_in(frame, origin, [name for name in names if not is_text(frame[name])])
        return Written(frame.assign(**written), opened.how)


class OpenFrame(NamedTuple):
    """An open file. names: of its columns. read: some columns (None: all) with what their types do not tell, those to
    predict as they are written where cells are missing; notes: what had to be guessed of its encoding. how: as of
    Written.
    """

    names: tuple[str, ...]
    read: Callable[[Sequence[str], Sequence[str] | None], tuple["pd.DataFrame", Origin]]
    notes: tuple[str, ...] = ()
    how: str = "Parquet"


@contextmanager
def open_frame(path: str) -> Iterator[OpenFrame]:
    """Open a CSV or Parquet file, while it is read. Raises as read_table."""
    with _opened(path) as file, _spool() as unpacked, _spool() as recoded:
        _check_kind(path, file)
        is_parquet = file.read(4) == b"PAR1"
        file.seek(0)
        try:
            yield _parquet(path, file) if is_parquet else _text(path, file, unpacked, recoded)
        except MemoryError:
            raise MachineError(f"no memory for {path}; close other programs, or take fewer columns or rows") from None


def _parquet(path: str, file: IO[bytes]) -> OpenFrame:
    names = parquet_names(path, file)

    def read(_: Sequence[str], only: Sequence[str] | None) -> tuple["pd.DataFrame", Origin]:
        file.seek(0)
        frame, kinds = read_parquet(path, file, only)
        return frame, Origin(kinds=kinds)

    return OpenFrame(tuple(names), read)


def _text(path: str, file: IO[bytes], unpacked: IO[bytes], recoded: IO[bytes]) -> OpenFrame:
    with _room():
        text, lines, encoding = _as_utf8(path, _unpacked(path, file, unpacked), recoded)
    parts = open_text(path, text, lines)

    def read(predicted: Sequence[str], only: Sequence[str] | None) -> tuple["pd.DataFrame", Origin]:
        return parts.frame(predicted, only), Origin(parts.separator, texts=parts.texts)

    notes = (_GUESSED,) if encoding == "cp1252" else ()
    separator = _SPOKEN.get(parts.separator, repr(parts.separator))
    return OpenFrame(parts.names, read, notes, f"{_ENCODINGS[encoding]}, cells separated by {separator}")


def exists(path: str) -> bool:
    """Whether there is such a file or folder, as far as can be seen."""
    try:
        return Path(path).exists()
    except OSError:  # too long a name, or no right to look
        return False


def _opened(path: str) -> IO[bytes]:
    file = Path(path)
    try:
        if not stat.S_ISREG(file.stat().st_mode) and not file.is_dir():  # a pipe or device may never end
            raise InputError(f"{path} is no regular file; save its content in one")
        return file.open("rb")
    except FileNotFoundError:
        near = file.parent.iterdir() if file.parent.is_dir() else ()
        raise InputError(f"no file {path}{did_you_mean(file.name, [other.name for other in near])}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}; name a readable file") from None


@contextmanager
def _spool() -> Iterator[IO[bytes]]:
    """A file for what is unpacked, gone when closed. Raises MachineError where there is no place for one."""
    try:
        spool = tempfile.TemporaryFile()  # noqa: SIM115 (what it says when closed on a full disk is not heard)
    except OSError as error:
        raise _no_room(error) from None
    try:
        yield spool
    finally:
        with suppress(OSError):  # a full disk speaks up once more
            spool.close()


@contextmanager
def _room() -> Iterator[None]:
    """Say which folder lacks room or fails, and the remedy."""
    try:
        yield
    except OSError as error:
        raise _no_room(error) from None


def _no_room(error: OSError) -> MachineError:
    why = error.strerror or str(error)
    return MachineError(
        f"cannot unpack or recode in {_temporary()} ({why}); make room there, or set TMPDIR to a folder on another disk"
    )


def _temporary() -> str:
    try:
        return tempfile.gettempdir()
    except OSError:
        return os.environ.get("TMPDIR", "the folder for temporary files")


def _check_kind(path: str, file: IO[bytes]) -> None:
    """Raise InputError for a file of another kind, told by how it begins."""
    head = file.read(16)
    file.seek(0)
    for magic, kind in _OTHER_KINDS.items():
        if head.startswith(magic):
            raise InputError(f"{path} is {kind}, which is not read; save the table as CSV or Parquet")


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    return iter(lambda: file.read(_BLOCK), b"")


def _unpacked(path: str, file: IO[bytes], spool: IO[bytes]) -> IO[bytes]:
    """The file, or what is inside a gzip, zip or zst file, told by how it begins, written to spool."""
    head = file.read(4)
    file.seek(0)
    try:
        if head.startswith(b"\x1f\x8b"):
            _copy(path, gzip.GzipFile(fileobj=file), spool)
        elif head == b"PK\x03\x04":
            _only_member(path, file, spool)
        elif head == b"\x28\xb5\x2f\xfd":
            _zst(path, file, spool)
        else:
            return file
    except InputError:
        raise
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno in _FAILING:
            raise
        raise InputError(f"{path} is a damaged or locked archive; pack it again") from None
    spool.seek(0)
    return spool


def _copy(path: str, packed: gzip.GzipFile | IO[bytes], spool: IO[bytes]) -> None:
    while block := packed.read(_BLOCK):
        _write(path, block, spool)


def _write(path: str, block: bytes, spool: IO[bytes]) -> None:
    if spool.tell() + len(block) > MOST_UNPACKED:
        raise InputError(
            f"{path} unpacks to more than {MOST_UNPACKED / 1e9:.0f} GB; unpack it and name the part to read"
        )
    spool.write(block)


def _only_member(path: str, file: IO[bytes], spool: IO[bytes]) -> None:
    with zipfile.ZipFile(file) as archive:
        inside = archive.namelist()
        if "[Content_Types].xml" in inside or "mimetype" in inside:
            raise InputError(f"{path} is a workbook or document, which is not read; save the table as CSV or Parquet")
        names = [name for name in inside if not name.endswith("/") and not name.startswith("__MACOSX/")]
        if len(names) != 1:
            raise InputError(f"{path} holds {len(names)} files ({listed(names)}); pack the one to read alone")
        with archive.open(names[0]) as member:
            _copy(path, member, spool)


def _zst(path: str, file: IO[bytes], spool: IO[bytes]) -> None:
    try:
        import zstandard
    except ImportError:
        remedy = "pip install 'focalbench[files]'"
        raise InputError(f"{path} is packed with Zstandard, which needs an extra: {remedy}") from None
    frame = None
    try:
        while rest := file.read(_ZST_BLOCK):
            while rest:  # a frame after the other; a cut one would else be read as a shorter table
                frame = zstandard.ZstdDecompressor().decompressobj() if frame is None else frame
                _write(path, frame.decompress(rest), spool)
                rest, frame = (frame.unused_data, None) if frame.eof else (b"", frame)
    except zstandard.ZstdError:
        raise EOFError from None
    if frame is not None:
        raise EOFError


def _as_utf8(path: str, file: IO[bytes], spool: IO[bytes]) -> tuple[IO[bytes], int, str]:
    """The text file in UTF-8, past its mark if it has one, or written to spool as such; the most lines it can have; and
    its encoding, which is guessed where it is neither UTF-8 nor UTF-16.
    """
    head = file.read(3)
    file.seek(0)
    encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    if not _decodes(file, encoding):
        encoding = "cp1252"
    if encoding != "utf-8":
        _recode(file, encoding, spool)
        file, head = spool, b""
    lines = 1
    for block in _blocks(file):
        if b"\0" in block:
            raise InputError(f"{path} is no text (it holds NUL characters); save it as CSV in UTF-8")
        lines += block.count(b"\n") + block.count(b"\r")
    file.seek(3 if head == b"\xef\xbb\xbf" else 0)
    return file, lines, encoding


def _decodes(file: IO[bytes], encoding: str) -> bool:
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


def _recode(file: IO[bytes], encoding: str, spool: IO[bytes]) -> None:
    """Write a file's text to spool as UTF-8."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in _blocks(file):
        spool.write(decoder.decode(block).encode())
    spool.write(decoder.decode(b"", final=True).encode())
    spool.seek(0)
