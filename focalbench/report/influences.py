"""influences.csv: what the intervals of a real table rest on, beside runs.csv; one line a chosen run and output."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import cast

from focalbench.analysis.evidence import Influences
from focalbench.analysis.records import Record, read_csv, to_csv
from focalbench.analysis.selection import cells_of, entries_of
from focalbench.metrics.influence import BUCKETS
from focalbench.runs.result import Number, Result

SUMS = tuple(f"bucket_{place}" for place in range(BUCKETS))
COLUMNS = ("run_id", "output", *SUMS)
TEXTS = frozenset(("run_id",))


def influences_text(records: Sequence[Record], result: Callable[[str], Result]) -> str | None:
    """The sums of the runs that the table's rows rest on, as CSV; None where there are none, as for fresh draws.

    result: of a run_id.
    """
    chosen = (run_id for cell in cells_of(records) for entry in entries_of(cell) for run_id in entry.run_ids)
    lines = [line for run_id in dict.fromkeys(chosen) for line in _lines(run_id, result(run_id).influences)]
    return to_csv(COLUMNS, lines) if lines else None


def _lines(run_id: str, influences: Iterable[Sequence[float]]) -> list[Record]:
    named: list[Record] = []
    for output, sums in enumerate(influences):
        line: dict[str, Number] = {"run_id": run_id, "output": output}
        named.append(line | dict(zip(SUMS, sums, strict=True)))
    return named


def read_influences(path: Path) -> Influences:
    """The sums of each run of a file; of none where there is no such file. Raises InputError for any other file."""
    found: dict[str, list[list[float]]] = {}
    for line in read_csv(path, COLUMNS, TEXTS) if path.is_file() else ():
        found.setdefault(str(line["run_id"]), []).append([cast(float, line[name]) for name in SUMS])
    return lambda run_id: found.get(run_id, ())
