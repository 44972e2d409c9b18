"""The job of an experiment file with claims: train its parts, decide, and write a results folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from focalbench.analysis.claim_points import PartRuns
from focalbench.analysis.claim_rows import ClaimRow, LossRow, PointRow
from focalbench.analysis.claims import Examined, chosen_runs, claim_rows, examine, point_rows
from focalbench.analysis.evidence import Influences
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import rows_text
from focalbench.errors import InputError
from focalbench.execution.store import Store
from focalbench.jobs.loss_curves import loss_rows
from focalbench.jobs.sweep import names_in
from focalbench.jobs.trainer import Done, Execution, Trainer
from focalbench.plan.claims import Claims
from focalbench.plan.experiment import MANIFEST
from focalbench.plan.planning import Plan, joint, make_plan
from focalbench.report.claims import claims_page
from focalbench.report.folder import (
    CLAIMS,
    CLAIMS_PAGE,
    DATABASE,
    EXPERIMENT,
    INFLUENCES,
    LOSS_CURVES,
    PICTURE,
    POINTS,
    RUNS,
    WRITTEN,
)
from focalbench.report.influences import sums_text
from focalbench.report.owned import TIMINGS, claim, make_folder, owned, refuse_foreign, remove_own, write_bytes


@dataclass(frozen=True)
class PlannedClaims:
    """Claims and the plan of each of their parts."""

    claims: Claims
    plans: tuple[Plan, ...]

    @cached_property
    def whole(self) -> Plan:
        """The runs of all parts, each once."""
        return joint(self.plans)

    def parts(self, rows: Sequence[RunRow]) -> list[PartRuns]:
        """The rows of each part."""
        by_id = {row.settings.run_id: row for row in rows}
        return [
            PartRuns(name, [by_id[run.run_id] for run in plan.runs])
            for (name, _), plan in zip(self.claims.parts, self.plans, strict=True)
        ]


@dataclass(frozen=True)
class ClaimsResult:
    """What was done, and what it says of the claims."""

    done: Done
    claims: Claims
    rows: list[ClaimRow]


def plan_claims(claims: Claims) -> PlannedClaims:
    """The runs of each part. Raises InputError as make_plan."""
    return PlannedClaims(claims, tuple(make_plan(experiment) for _, experiment in claims.parts))


def run_claims(
    planned: PlannedClaims,
    file: Path,
    folder: Path,
    how: Execution,
    database: Path | None = None,
) -> ClaimsResult:
    """Train what the store lacks, then write every file of the folder but the manifest. file: which declares them.

    Ctrl-C, and a budget that is spent, leave what is finished in the store and write nothing: KeyboardInterrupt and
    InputError. Raises as run_experiment.
    """
    names = names_in(folder, database)
    refuse_foreign(folder, names)
    make_folder(folder)
    claim(folder, names)
    with Store(database or folder / DATABASE) as store:
        trainer = Trainer(planned.whole, store, how)
        stopped = trainer.train()
        if stopped == "by hand":
            raise KeyboardInterrupt
        if stopped is not None:
            raise InputError("claims need all of their runs, and the budget was over before")
        rows = trainer.rows(planned.whole)
        parts = planned.parts(rows)
        examined = examine(planned.claims, parts, trainer.influences)
        texts = claim_texts(planned.claims, rows, examined, trainer.influences)
        curves = loss_rows(planned.claims.claims, parts, planned.whole.runs)
        texts |= {LOSS_CURVES: rows_text(LossRow, curves)} if curves else {}
        contents = {name: text.encode() for name, text in texts.items()}
        write_bytes(folder, contents | {EXPERIMENT: file.read_bytes()})
        remove_own(folder, [name for name in owned(folder) if _is_outdated(name) and name not in contents])
        return ClaimsResult(trainer.done(planned.whole, None), planned.claims, claim_rows(examined))


def _is_outdated(name: str) -> bool:
    """Whether a file of a results folder is of the runs before, if it was not written now."""
    kept = (EXPERIMENT, TIMINGS, MANIFEST)
    return (name in WRITTEN and name not in kept) or PICTURE.fullmatch(name) is not None


def claim_texts(
    claims: Claims, rows: Sequence[RunRow], examined: Sequence[Examined], influences: Influences
) -> dict[str, str]:
    """The files that runs make, by name."""
    decided = claim_rows(examined)
    texts = {
        RUNS: rows_text(RunRow, rows),
        CLAIMS: rows_text(ClaimRow, decided),
        POINTS: rows_text(PointRow, point_rows(examined)),
        CLAIMS_PAGE: claims_page(claims.claims, decided).markdown(),
    }
    if (sums := sums_text(chosen_runs(examined), influences)) is not None:
        texts[INFLUENCES] = sums
    return texts
