"""Training: seconds per run-epoch of every way to train a problem, and the share of the machine's matmul peak."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing import get_context

import torch

from focalbench.bench.lockstep import MIXED, lockstep, lockstep_everywhere, runs_of_a_stack
from focalbench.bench.peers import Peer
from focalbench.bench.problem import Problem
from focalbench.bench.rows import OURS, Goal, Row, Scale, row
from focalbench.bench.timing import Timing, Work, interleaved, seconds

CUBE, CUBES = 1024, 10  # the product whose speed is called the machine's peak, and how many make a round
FOCAL = f"{OURS}, gammas 0, 2 and 5"
WARM, LONG = 3, 5  # calls until every process has built its runs; seconds of a first epoch worth a note
Wanted = dict[str, float]  # how many times as long a peer should take


@dataclass(frozen=True)
class Entry:
    """A work to be timed, on how many threads, and how many run-epochs (or products) a call is."""

    name: str
    threads: str
    work: Work
    parts: int
    note: str = ""


def training(problem: Problem, peers: Sequence[Peer], wanted: Wanted, scale: Scale) -> tuple[list[Row], list[Goal]]:
    """Time ours, on one core and on all, against peers in one process, each on one thread and on all.

    Peers that train runs together get all of them at once, and as few as one of our stacks holds.
    """
    entries = [Entry("peak", "1", on_threads(1, matmul_peak(problem.device)), CUBES)]
    failed: list[Row] = []
    for peer in peers:
        sizes = sorted({problem.runs, runs_of_a_stack(problem)}, reverse=True) if peer.together else [1]
        for runs in sizes:
            name = f"{peer.name}, {runs} at once" if len(sizes) > 1 else peer.name
            try:
                entries += _entries(name, peer, replace(problem, runs=runs), scale)
            except Exception as error:  # other libraries raise anything
                failed.append(Row(_title(problem), name, "", note=f"failed: {type(error).__name__}: {error}"[:200]))
    with ExitStack() as opened:
        spawned = (ProcessPoolExecutor(1, get_context("spawn")) for _ in range(scale.cores))  # one each: none takes two
        processes = [opened.enter_context(process) for process in spawned]
        entries.append(Entry(OURS, "1", lockstep(problem), problem.runs))
        entries.append(Entry(FOCAL, "1", lockstep(problem, MIXED), problem.runs))
        if problem.device == "cpu" and 1 < scale.cores <= problem.runs:
            everywhere = lockstep_everywhere(problem, processes)
            for _ in range(WARM):
                everywhere()
            runs = problem.runs // scale.cores * scale.cores
            entries.append(Entry(OURS, f"{scale.cores} x 1", everywhere, runs))
        taken = interleaved([entry.work for entry in entries], scale.rounds, problem.device)
    each = [timing.of(entry.parts) for entry, timing in zip(entries, taken, strict=True)]
    rows, goals = reported(problem, entries, each, wanted)
    return [*rows, *failed], goals


def _entries(name: str, peer: Peer, problem: Problem, scale: Scale) -> list[Entry]:
    work = peer.make(problem)
    first = seconds(work, problem.device)
    note = f"first epoch {first:.0f} s" if first > LONG else ""
    if peer.own_threads:
        return [Entry(name, "own", work, problem.runs, note)]
    entries = []
    for threads in (1,) if problem.device != "cpu" else sorted({1, scale.cores}):
        limited = on_threads(threads, work)
        limited()  # what fails on another number of threads fails here
        entries.append(Entry(name, str(threads), limited, problem.runs, note))
    return entries


def on_threads(threads: int, work: Work) -> Work:
    """The same work on so many of torch's threads."""

    def limited() -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            work()
        finally:
            torch.set_num_threads(before)

    return limited


def matmul_peak(device: str) -> Work:
    """CUBES float32 products of two matrices of CUBE by CUBE."""
    left, right = (torch.randn(CUBE, CUBE, device=device) for _ in range(2))
    into = torch.empty_like(left)

    def products() -> None:
        for _ in range(CUBES):
            torch.mm(left, right, out=into)

    return products


def reported(
    problem: Problem, entries: Sequence[Entry], each: Sequence[Timing], wanted: Wanted
) -> tuple[list[Row], list[Goal]]:
    """Rows and goals, from the seconds of one run-epoch (or product) of every entry."""
    part, (peak, *timings) = _title(problem), each
    ours = [timing for entry, timing in zip(entries[1:], timings, strict=True) if entry.name == OURS]
    alone, best = ours[0], min(ours, key=lambda timing: timing.median)
    share = problem.flops / (2 * CUBE**3) * peak.times(alone)
    rows = [
        row(part, entry.name, entry.threads, timing, 1e3, alone, entry.note)
        for entry, timing in zip(entries[1:], timings, strict=True)
    ]
    note = f"{2 * CUBE**3 / peak.median / 1e9:.0f} GFLOP/s; ours reaches {share:.2f} of it"
    rows.append(row(part, f"matmul, {CUBE} cube (ms)", "1", peak, 1e3, None, note))
    goals = [Goal(f"{problem.title}: share of the matmul peak, one thread", share, 0.5)] if problem.hidden[1:] else []
    for name, times in wanted.items():
        theirs = [timing for entry, timing in zip(entries[1:], timings, strict=True) if entry.name.startswith(name)]
        if theirs:
            fastest = min(theirs, key=lambda timing: timing.median)
            title = f"{problem.title}: {name} at its best, in one process, takes times ours on all cores"
            goals.append(Goal(title, fastest.times(best), times))
    return rows, goals


def _title(problem: Problem) -> str:
    return f"training: {problem.title}, {problem.rows:,} rows, {problem.runs} runs (ms per run-epoch)"
