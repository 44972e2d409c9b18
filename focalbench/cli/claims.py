"""`focalbench run` of an experiment file with claims, and its folder printed and drawn again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from focalbench.cli.job import Finish, Job, Study, print_estimate, run_job
from focalbench.cli.options import Format
from focalbench.errors import InputError

if TYPE_CHECKING:
    from focalbench.cli.ending import Ended
    from focalbench.jobs.claims import ClaimsResult, PlannedClaims
    from focalbench.jobs.trainer import Done, Execution
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

    def run(_: Plan, how: Execution) -> ClaimsResult:
        from focalbench.jobs.claims import plan_claims, run_claims

        return run_claims(planned or plan_claims(claims), file, job.folder, how, job.store)

    return Study(plan, names, run)


def run_claims_file(study: Study[ClaimsResult], job: Job, guard: Callable[[Done], None], *, dry_run: bool) -> None:
    """Run it, draw it, keep the numbers that guard it, and print the verdicts; or only say what it would cost."""
    if dry_run:
        print_estimate(study.plan, job)
        return

    def finish(result: ClaimsResult) -> None:
        from focalbench.report.claim_figures import draw_claims

        draw_claims(job.folder, result.claims.claims)
        guard(result.done)

    result, ended = run_job(study, job, Finish(finish))
    from focalbench.cli.render import raise_failed

    (_show_json if job.as_json else _show)(result, ended, job.folder)
    raise_failed(ended)


def _show(result: ClaimsResult, ended: Ended, folder: Path) -> None:
    from rich.console import Console

    from focalbench.cli.messages import say
    from focalbench.report.claims import claims_page

    claims_page(result.claims.claims, result.rows).print(Console())
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


def holds_claims(folder: Path) -> bool:
    """Whether a results folder holds claims in the place of a table."""
    from focalbench.report.folder import CLAIMS

    return (folder / CLAIMS).is_file()


def show_claims(folders: Sequence[Path], format: str) -> None:  # noqa: A002
    """Print the claims of results folders. Raises InputError for a format that is of tables only."""
    from focalbench.cli.render import show_page
    from focalbench.report.claims import claim_lines, claims_page
    from focalbench.report.folder import CLAIMS, check_unchanged

    known: dict[str, Format] = {"rich": "rich", "markdown": "markdown", "latex": "latex", "csv": "csv"}
    if others := [folder for folder in folders if not holds_claims(folder)]:
        raise InputError(f"{others[0]} holds no claims; show it by itself")
    if format not in (*known, "overview"):
        raise InputError(f"{folders[0]} holds claims; show them with --format {', '.join(known)} or overview")
    from focalbench.report.reading import read_claims

    for folder in folders:
        check_unchanged(folder, [CLAIMS])
    claims, rows = read_claims(folders)
    if format == "overview":
        print(claim_lines(claims, rows), end="")
    else:
        show_page(claims_page(claims, rows), known[format])


def plot_claims(folder: Path, out: Path | None, names: Sequence[str], formats: Sequence[str]) -> list[Path]:
    """Draw the claims of a results folder again: all, or those of these ids."""
    from focalbench.plan.toml import claims_in
    from focalbench.report.claim_figures import draw_claims
    from focalbench.report.folder import CLAIMS, EXPERIMENT, LOSS_CURVES, POINTS, check_unchanged, claim_pictures
    from focalbench.report.owned import finish_more, working_in

    if out is not None:
        raise InputError("--out: the figures of claims are drawn into the folder's own figures; leave it out")
    check_unchanged(folder, [CLAIMS, POINTS, LOSS_CURVES])
    every = {claim.id: claim for claim in claims_in(folder / EXPERIMENT)}
    for name in names:
        if name not in every:
            raise InputError(f"{folder} holds no claim {name!r}; choose one of {', '.join(every)}")
    claims = [claim for claim in every.values() if claim.id in names or not names]
    with working_in(folder, claim_pictures((claim.id for claim in claims), formats)):
        written = draw_claims(folder, claims, formats)
        finish_more(folder, [path.relative_to(folder).as_posix() for path in written])
    return written
