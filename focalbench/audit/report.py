"""The audit as a table with its remarks, and as rows of CSV."""

from dataclasses import dataclass

from focalbench.audit.cost import SPEED_LOGITS, THREADS
from focalbench.audit.exactness import CASES, DTYPES, SMALLEST, TOLERANCE
from focalbench.audit.peers import dtype_name
from focalbench.audit.survey import REMEDY, Audit, Verdict
from focalbench.base.rows import rows_text
from focalbench.report.grid import Column, Grid, Line, Page, Section

TITLE = "focal losses installed here"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """A loss in one dtype: cases non-finite and wrong, None where it is refused; time and memory are of float32, as
    multiples of BCE's.
    """

    loss: str
    version: str
    dtype: str
    non_finite: int | None
    wrong: int | None
    alpha: str
    time: float | None
    memory: float | None


def audit_page(found: Audit) -> Page:
    """The table with its remarks; as CSV a row for each loss and dtype."""
    rows = (_row(verdict, dtype_name(dtype)) for verdict in found.verdicts for dtype in DTYPES)
    return Page((_grid(found),), tuple(_remarks(found)), rows_text(AuditRow, rows))


def _row(verdict: Verdict, dtype: str) -> AuditRow:
    count, cost = verdict.counts.get(dtype), verdict.cost
    return AuditRow(
        loss=verdict.name,
        version=verdict.version,
        dtype=dtype,
        non_finite=None if count is None else count.non_finite,
        wrong=None if count is None else count.wrong,
        alpha=verdict.alpha,
        time=None if cost is None else cost.time,
        memory=None if cost is None else cost.memory,
    )


def _grid(found: Audit) -> Grid:
    """The table: "non-finite/wrong" for each dtype; time and memory only where they were measured."""
    headings = [*map(dtype_name, DTYPES), "alpha", *(["time", "memory"] if found.baseline else [])]
    columns = (Column("focal loss", wraps=True), *(Column(heading, right=True) for heading in headings))
    lines = (Line(_cells(verdict), "green" if verdict.is_right else "") for verdict in found.verdicts)
    return Grid(columns, (Section("", tuple(lines)),), TITLE)


def _cells(verdict: Verdict) -> tuple[str, ...]:
    counts = [verdict.counts.get(dtype_name(dtype)) for dtype in DTYPES]
    texts = ["refused" if count is None else f"{count.non_finite}/{count.wrong}" for count in counts]
    costs = [verdict.cost.time, verdict.cost.memory] if verdict.cost else []
    return verdict.name, *texts, verdict.alpha, *("" if cost is None else f"{cost:.1f}" for cost in costs)


def _remarks(found: Audit) -> list[str]:
    """What stands under the table, a sentence or list a line."""
    lines = [
        f"Cells: non-finite/wrong of {CASES} (logit, target, gamma), in value or gradient; wrong: off by more "
        f"than ({TOLERANCE} + |log value|) eps and {SMALLEST} smallest normal numbers. alpha: what it weights."
    ]
    if found.baseline and found.baseline.memory:
        lines.append(
            f"time, memory (peak): forward + backward of the mean of {SPEED_LOGITS:,} float32 logits, as multiples of "
            f"BCEWithLogitsLoss ({found.baseline.time * 1e3:.1f} ms, {found.baseline.memory / 1e6:.0f} MB); "
            f"torch on {THREADS} thread, XLA on its own."
        )
    lines += [f"{note}." for verdict in found.verdicts for note in verdict.notes]
    lines.append("Versions: " + ", ".join(dict.fromkeys(verdict.version for verdict in found.verdicts)) + ".")
    missing = [absent.name for absent in found.absent if absent.reason == "not installed"]
    if missing:
        lines.append(f"Not installed: {', '.join(missing)}.")
    lines += [f"{absent.name}: {absent.reason}." for absent in found.absent if absent.name not in missing]
    if not found.compares:
        lines.append(f"No other library to compare with: {REMEDY}")
    return lines
