"""Real tables as read and coded, kept between processes: numbers and category codes only, nothing that was fitted.

A file in the user's cache folder (FOCALBENCH_CACHE, else XDG_CACHE_HOME, else ~/.cache), named by the hashes of what
the table is made of and of the code that makes it. It holds its own checksum; a damaged or foreign one is made anew,
and a folder that cannot be written to is no error. Nothing in it is executed: arrays without pickle, and JSON.
"""

import hashlib
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd

# another version of these makes other files
_READERS = ("cache.py", "duplicates.py", "table.py", "known.py", "installed.py", "adbench.py", "real.py")
_DAMAGED = (
    *(OSError, ValueError, TypeError, LookupError, AttributeError, EOFError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Meta:
    """What a file says beside its arrays. sha256: of what the table is made of; checksum: of the arrays."""

    columns: list[str]
    categories: dict[str, list[str]]
    notes: list[str]
    changes: list[str]
    sha256: str
    checksum: str


def cached(name: str, sha256: str, make: Callable[[], Table]) -> Table:
    """The table of that name and hash from the cache, or made and put there."""
    path = cache_folder() / f"{name}-{sha256[:16]}-{_code()}.npz"
    found = _read(path, sha256)
    if found is not None:
        return found
    table = make()
    _write(path, table)
    return table


def cache_folder() -> Path:
    """Where tables are kept."""
    chosen = os.environ.get("FOCALBENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(chosen) if chosen else Path(base) / "focalbench"


@lru_cache
def _code() -> str:
    """Hash of the source that reads tables, 8 hex digits."""
    sources = (Path(__file__).with_name(name).read_bytes() for name in _READERS)
    return hashlib.sha256(b"".join(sources)).hexdigest()[:8]


def _read(path: Path, sha256: str) -> Table | None:
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays: Arrays = {name: file[name] for name in file.files}
        meta = _Meta(**json.loads(arrays.pop("meta").tobytes()))
        if meta.checksum != _checksum(arrays) or meta.sha256 != sha256:
            return None
        return _table(meta, arrays)
    except _DAMAGED:
        return None


def _write(path: Path, table: Table) -> None:
    meta, arrays = _parts(table)
    said = np.frombuffer(json.dumps(asdict(meta)).encode(), np.uint8)
    part = path.with_name(f"{secrets.token_hex(8)}.part")  # a name that nobody can guess, and put a link at
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as file:
            np.savez(file, allow_pickle=False, meta=said, **arrays)
        part.replace(path)
    except OSError:  # no room, no right: then it is made again next time
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _parts(table: Table) -> tuple[_Meta, Arrays]:
    frame = table.frame
    arrays: Arrays = {"targets": table.targets}
    arrays |= {name: found for name in ("groups", "equal") if (found := getattr(table, name)) is not None}
    categories: dict[str, list[str]] = {}
    for i, name in enumerate(frame.columns):
        if name in table.categorical:
            arrays[f"column{i}"] = np.asarray(frame[name].cat.codes)
            categories[name] = [str(level) for level in frame[name].cat.categories]
        else:
            arrays[f"column{i}"] = np.asarray(frame[name], dtype=np.float64)
    columns, told = list(map(str, frame.columns)), (list(table.notes), list(table.changes))
    return _Meta(columns, categories, *told, table.sha256, _checksum(arrays)), arrays


def _table(meta: _Meta, arrays: Arrays) -> Table:
    import pandas as pd

    def column(i: int, name: str) -> "pd.Categorical | NDArray[Any]":
        if name not in meta.categories:
            return arrays[f"column{i}"]
        levels = pd.Index(meta.categories[name])
        return pd.Categorical.from_codes(arrays[f"column{i}"], levels)

    frame = pd.DataFrame({name: column(i, name) for i, name in enumerate(meta.columns)})
    categorical = tuple(name for name in meta.columns if name in meta.categories)
    return Table(
        frame,
        arrays["targets"],
        categorical,
        meta.sha256,
        tuple(meta.notes),
        arrays.get("groups"),
        changes=tuple(meta.changes),
        equal=arrays.get("equal"),
    )


def _checksum(arrays: Arrays) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
