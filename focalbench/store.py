"""The embedded database of finished runs: resume = plan - done. One SQLite file, one transaction a stack."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from focalbench.arms import Run
from focalbench.errors import StoreError

FORMAT = 1
Number = float | int | str | None


@dataclass(frozen=True)
class Result:
    """What a finished run leaves: numbers by column name, and curves (lists) by name."""

    run_id: str
    values: dict[str, Number]
    curves: dict[str, list[float | None]]
    seconds: float


class Store:
    """Finished runs by run_id. A context manager; raises StoreError for a file of another kind or version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._db = sqlite3.connect(path, timeout=60)
            self._prepare()
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{path} cannot be used as a store of runs ({error}); choose another --out") from None

    def _prepare(self) -> None:
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if not tables:
            with self._db:
                self._db.execute(
                    "CREATE TABLE runs (run_id TEXT PRIMARY KEY, identity TEXT, result TEXT, versions TEXT)"
                )
                self._db.execute(f"PRAGMA user_version = {FORMAT}")
        elif tables != {"runs"} or version != FORMAT:
            raise StoreError(
                f"{self.path} holds another version's database (format {version}, this one writes {FORMAT}); "
                "choose another --out, or move the file away"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def done(self, runs: Iterable[Run]) -> set[str]:
        """The run_ids among `runs` that are finished."""
        stored = {run_id for (run_id,) in self._db.execute("SELECT run_id FROM runs")}
        return stored & {run.run_id for run in runs}

    def add(self, runs: Sequence[Run], results: Sequence[Result], versions: str) -> None:
        """Commit a stack's results in one transaction; a run that is there already stays as it is."""
        rows = [
            (run.run_id, run.identity, json.dumps([result.values, result.curves, result.seconds]), versions)
            for run, result in zip(runs, results, strict=True)
        ]
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?)", rows)

    def results(self, runs: Iterable[Run]) -> Iterator[Result]:
        """The results of finished runs, one by one in the order asked for. Raises KeyError for one that is missing."""
        return (self.result(run.run_id) for run in runs)

    def result(self, run_id: str) -> Result:
        """The result of a finished run. Raises KeyError where it is missing."""
        row = self._db.execute("SELECT result FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise KeyError(run_id)
        return Result(run_id, *json.loads(row[0]))

    def versions(self, runs: Iterable[Run]) -> set[str]:
        """The library versions under which the finished ones among `runs` were made."""
        wanted = {run.run_id for run in runs}
        rows = self._db.execute("SELECT run_id, versions FROM runs")
        return {versions for run_id, versions in rows if run_id in wanted}
