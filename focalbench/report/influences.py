"""influences.csv: what the intervals of a real table rest on, beside runs.csv; one line a chosen run and output."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from focalbench.analysis.evidence import Influences
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import cells_of, entries_of
from focalbench.base.rows import As, read_rows, rows_text
from focalbench.metrics.influence import BUCKETS
from focalbench.runs.result import Result


@dataclass(frozen=True, slots=True)
class Line:
    """A line of influences.csv: the sums of one output of a run, by bucket."""

    run_id: str
    output: int
    sums: Annotated[tuple[float, ...], As(columns=tuple(f"bucket_{place}" for place in range(BUCKETS)))]


def influences_text(rows: Sequence[RunRow], result: Callable[[str], Result]) -> str | None:
    """The sums of the runs that the table's rows rest on, as CSV; None where there are none, as for fresh draws.

    result: of a run_id.
    """
    chosen = (run_id for cell in cells_of(rows) for entry in entries_of(cell) for run_id in entry.run_ids)
    return sums_text(chosen, lambda run_id: result(run_id).influences)


def sums_text(run_ids: Iterable[str], influences: Influences) -> str | None:
    """The sums of some runs, as CSV; None where they have none."""
    lines = [
        Line(run_id, output, tuple(sums))
        for run_id in dict.fromkeys(run_ids)
        for output, sums in enumerate(influences(run_id))
    ]
    return rows_text(Line, lines) if lines else None


def read_influences(path: Path) -> Influences:
    """The sums of each run of a file; of none where there is no such file. Raises InputError for any other file."""
    found: dict[str, list[Sequence[float]]] = {}
    for line in read_rows(path, Line) if path.is_file() else ():
        found.setdefault(line.run_id, []).append(line.sums)
    return lambda run_id: found.get(run_id, ())
