"""The embedded database of finished runs: resume = plan - done. One SQLite file, one transaction a stack.

Every row carries the hash of what it holds, so that damage is found and never reported as a number. Processes may write
to one file at a time; the first result of a run stays. A file that cannot be written to is read, as a copy of it.
"""

import hashlib
import json
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from types import TracebackType
from typing import Self

from focalbench.base.files import is_local
from focalbench.base.rows import columns, flatten, lacking, renamed, rows_of
from focalbench.errors import InputError, MachineError, StoreError
from focalbench.runs.result import Curves, Outcome, Result, Scores
from focalbench.runs.run import Run

# 3: a result may hold influences. 2: rows carry their hash, results their library versions. 1: neither
FORMAT, READ = 3, (2, 3)
APPLICATION = 0x666F6361  # "foca", which tells our files from other programs' before SQLite opens them
WAIT = 60  # seconds for another process to finish its transaction
BESIDE = ("-wal", "-shm", "-journal")  # end the names of what SQLite keeps beside a file of its own
_DAMAGE = (sqlite3.DatabaseError, UnicodeDecodeError)  # the latter from names that are no text
_REMEDY = "choose another file as the `store`, or move this one away"


class Store:
    """Finished runs by run_id. A context manager; raises StoreError for a file of another kind or version, or a damaged
    one, and leaves it untouched. read_only: whether it can only be read.
    """

    def __init__(self, path: Path, local: Callable[[Path], bool] = is_local) -> None:
        self.path = path
        _check_header(path)
        self.read_only = not _may_write(path)
        self._open = ExitStack()  # what is given back at the end
        with ExitStack() as opened:
            file = _copy(path, opened) if self.read_only else path.absolute()  # a bare name may mean more to SQLite
            try:
                self._db = opened.enter_context(closing(sqlite3.connect(file, timeout=WAIT)))
            except sqlite3.DatabaseError as error:
                raise StoreError(f"{path} cannot be opened ({error}); {_REMEDY}") from None
            with self._reading():
                self._prepare(local(path))
            self._file = _identity(path)
            self._open = opened.pop_all()

    def _prepare(self, local: bool) -> None:
        if self._db.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
            raise StoreError(f"{self.path} is damaged; {_REMEDY}")
        self._db.execute("PRAGMA synchronous = FULL")  # a run that is said to be safe survives a power failure
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables:
                columns = "run_id TEXT PRIMARY KEY, identity TEXT, result TEXT, versions TEXT, sha256 TEXT"
                self._db.execute(f"CREATE TABLE runs ({columns})")
                self._db.execute(f"PRAGMA application_id = {APPLICATION}")
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
            elif tables != {"runs"}:
                raise StoreError(f"{self.path} is damaged or another program's; {_REMEDY}")
        # a log beside the file lets others read while one writes, but needs memory that all processes share
        with suppress(sqlite3.OperationalError):  # another process is at it, and will have chosen the same
            self._db.execute(f"PRAGMA journal_mode = {'WAL' if local else 'DELETE'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def check_takes(self, runs: Sequence[Run]) -> None:
        """Raise StoreError where some of `runs` are missing and the file cannot be written to."""
        if self.read_only and (missing := len(runs) - len(self.done(runs))):
            remedy = "copy it to where it can, and name the copy as the `store`"
            raise StoreError(f"{self.path} lacks {missing} of {len(runs)} runs and cannot be written to; {remedy}")

    def done(self, runs: Iterable[Run]) -> set[str]:
        """The run_ids among `runs` that are finished. Raises StoreError where one of their rows is damaged."""
        wanted = {run.run_id for run in runs}
        with self._reading():
            rows = self._db.execute("SELECT run_id, identity, result, versions, sha256 FROM runs")
            return {self._checked(row)[0] for row in rows if row[0] in wanted}

    def add(self, runs: Sequence[Run], results: Sequence[Result], versions: str) -> None:
        """Commit a stack's results in one transaction; a run that is there already stays as it is.

        Raises MachineError where the disk is full or fails; then none of them is there.
        """
        self.check_takes(runs)
        rows = [
            (run.run_id, run.identity, to_json(result), versions) for run, result in zip(runs, results, strict=True)
        ]
        try:
            with self._db:
                statement = "INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?)"
                self._db.executemany(statement, [(*row, _sha256(*row)) for row in rows])
                self._db.execute(f"PRAGMA user_version = {FORMAT}")  # of an older file, once something new is in it
        except sqlite3.OperationalError as error:
            remedy = "wait for who is writing to it" if _is_busy(error) else "make room, or choose another `store`"
            raise MachineError(f"cannot write to {self.path} ({error}); {remedy}") from None
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self.path} is damaged ({error}); {_REMEDY}") from None
        if _identity(self.path) != self._file:
            raise MachineError(
                f"{self.path} was moved or deleted meanwhile; what it held is lost unless it is put back"
            )

    def results(self, runs: Iterable[Run]) -> Iterator[Result]:
        """The results of finished runs, one by one in the order asked for. Raises as result."""
        return (self.result(run.run_id) for run in runs)

    def result(self, run_id: str) -> Result:
        """The result of a finished run. Raises KeyError where it is missing and StoreError where it is damaged."""
        query = "SELECT run_id, identity, result, versions, sha256 FROM runs WHERE run_id = ?"
        with self._reading():
            row = self._db.execute(query, (run_id,)).fetchone()
        if row is None:
            raise KeyError(run_id)
        try:
            return result_of(run_id, self._checked(row)[2])
        except InputError as error:
            raise StoreError(f"{self.path} cannot be read at the run {run_id} ({error}); {_REMEDY}") from None

    def versions(self, runs: Iterable[Run]) -> set[str]:
        """The library versions under which the finished ones among `runs` were made."""
        wanted = {run.run_id for run in runs}
        with self._reading():
            rows = self._db.execute("SELECT run_id, versions FROM runs")
            return {versions for run_id, versions in rows if run_id in wanted}

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what SQLite finds wrong into a StoreError, and a process that does not let go into a MachineError."""
        try:
            yield
        except _DAMAGE as error:
            if _is_busy(error):
                raise MachineError(f"another process holds {self.path}; wait for it, or stop it") from None
            raise StoreError(f"{self.path} cannot be used as a store of runs ({error}); {_REMEDY}") from None

    def _checked(self, row: tuple[str, ...]) -> tuple[str, ...]:
        if _sha256(*row[:4]) != row[4]:
            raise StoreError(f"{self.path} is damaged at the run {row[0]}; {_REMEDY}")
        return row


def to_json(result: Result) -> str:
    """A result as the store keeps it: numbers by name, curves by name, seconds, and influences if there are any."""
    curves = {each.name: curve for each in fields(Curves) if (curve := getattr(result.curves, each.name))}
    kept = [result.influences] if result.influences else []
    return json.dumps([flatten(result.outcome), curves, result.seconds, *kept])


def result_of(run_id: str, text: str) -> Result:
    """The result that to_json wrote, of any version. Raises InputError where a number is of another kind."""
    values, curves, seconds, *kept = json.loads(text)
    now = renamed(Outcome)
    named = {now.get(name, name): value for name, value in values.items()}
    (outcome,) = rows_of(Outcome, [dict.fromkeys(columns(Outcome)) | named])
    influences = tuple(map(tuple, kept[0])) if kept else ()
    points = Curves(**{each.name: tuple(curves.get(each.name, ())) for each in fields(Curves)})
    return Result(run_id, outcome, points, seconds, influences, lacking(Scores, named))


def _sha256(*texts: str) -> str:
    return hashlib.sha256(json.dumps(texts, default=repr).encode()).hexdigest()  # what is no text is damage


def is_begun(path: Path) -> bool:
    """Whether there is anything at a store's path. Raises StoreError where nobody may look, where it is no file, and
    where there lies beside it what SQLite would take for its own, and remove.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        left = [path.name + ending for ending in BESIDE if Path(f"{path}{ending}").exists()]
        if left:
            raise StoreError(f"{path.parent} holds a {left[0]} without its database; {_REMEDY}") from None
        return False
    except OSError as error:
        raise StoreError(f"{path} cannot be used as a store of runs ({error.strerror}); {_REMEDY}") from None
    if not stat.S_ISREG(found.st_mode):  # opening it may take for ever
        raise StoreError(f"{path} is no file; {_REMEDY}")
    return found.st_size > 0


def _may_write(path: Path) -> bool:
    """Whether SQLite may write to a path and beside it, or there is nothing to read yet."""
    place = path.resolve()
    return not place.exists() or (os.access(place, os.W_OK) and os.access(place.parent, os.W_OK))


def _copy(path: Path, opened: ExitStack) -> Path:
    """A copy of a store and of its log, as SQLite may have to mend what a killed process left."""
    try:
        copy = Path(opened.enter_context(tempfile.TemporaryDirectory())) / "runs.sqlite"
        shutil.copyfile(path, copy)
        for ending in (ending for ending in BESIDE if ending != "-shm"):  # which is memory
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path.resolve()}{ending}", f"{copy}{ending}")
    except OSError as error:
        raise MachineError(f"cannot copy {path}, which can only be read, to read it ({error}); make room") from None
    return copy


def _is_busy(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file lies at a path."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _check_header(path: Path) -> None:
    """Look at a file's first bytes, because SQLite may write to whatever it opens. Raises StoreError for what is not
    ours.
    """
    if not is_begun(path):  # nothing, or before the first transaction
        return
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise StoreError(f"{path} cannot be used as a store of runs ({error.strerror}); {_REMEDY}") from None
    version, application = (int.from_bytes(header[at : at + 4], "big") for at in (60, 68))
    if not header.startswith(b"SQLite format 3\0"):
        raise StoreError(f"{path} is not a database; {_REMEDY}")
    if application != APPLICATION:
        raise StoreError(f"{path} is another program's database, or an older version's; {_REMEDY}")
    if version not in READ:
        raise StoreError(f"{path} holds format {version} and this version reads {READ[0]} to {READ[-1]}; {_REMEDY}")
