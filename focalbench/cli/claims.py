"""`focalbench run` of an experiment file with claims, and what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from focalbench.cli.job import Finish, Job, Study, print_estimate, run_job

if TYPE_CHECKING:
    from focalbench.cli.ending import Ended
    from focalbench.execution.pools import Backend
    from focalbench.jobs.budget import Budget
    from focalbench.jobs.claims import ClaimsResult, PlannedClaims
    from focalbench.jobs.trainer import Done, Watch
    from focalbench.plan.claims import Claims
    from focalbench.plan.planning import Plan


def claims_study(claims: Claims, file: Path, job: Job) -> Study[ClaimsResult]:
    """The study whose results are verdicts. file: which declares the claims."""
    planned: PlannedClaims | None = None

    def plan() -> Plan:
        from focalbench.jobs.claims import plan_claims

        nonlocal planned
        planned = plan_claims(claims)
        return planned.whole

    def names() -> Sequence[str]:
        from focalbench.jobs.sweep import names_in
        from focalbench.report.folder import claim_pictures

        return [*names_in(job.folder, job.store), *claim_pictures(claim.id for claim in claims.claims)]

    def run(
        _: Plan, backend: Backend, watch: Watch, budget: Budget | None, shares: Mapping[str, float] | None
    ) -> ClaimsResult:
        from focalbench.jobs.claims import plan_claims, run_claims

        found = planned or plan_claims(claims)
        return run_claims(found, file, job.folder, backend, watch, job.store, budget, shares)

    return Study(plan, names, run)


def run_claims_file(study: Study[ClaimsResult], job: Job, guard: Callable[[Done], None], *, dry_run: bool) -> None:
    """Run it, draw it, keep the numbers that guard it, and print the verdicts; or only say what it would cost."""
    if dry_run:
        print_estimate(study.plan, job)
        return

    def finish(result: ClaimsResult) -> None:
        from focalbench.report.claim_figures import draw_claims

        draw_claims(job.folder, result.claims)
        guard(result.done)

    result, ended = run_job(study, job, Finish(finish))
    (_show_json if job.as_json else _show)(result, ended, job.folder)


def _show(result: ClaimsResult, ended: Ended, folder: Path) -> None:
    from rich.console import Console

    from focalbench.cli.messages import say
    from focalbench.report.claims import claims_page

    claims_page(result.claims, result.rows).print(Console())
    say(f"{ended.summary()} Files: {folder}")


def _show_json(result: ClaimsResult, ended: Ended, folder: Path) -> None:
    from focalbench.base.rows import flatten

    done = result.done
    content = {
        "event": "end",
        "runs": len(done.plan.runs),
        "trained": done.new_runs,
        "folder": str(folder),
        "seconds": ended.seconds,
        "claims": list(map(flatten, result.rows)),
    }
    print(json.dumps(content), flush=True)
