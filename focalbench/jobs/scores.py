"""Keep the test scores of the runs that a table rests on: they are trained once more, to the same bits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from focalbench.analysis.rows import Kind
from focalbench.analysis.run_rows import RunRow
from focalbench.analysis.selection import cells_of, entries_of
from focalbench.base.rows import read_rows
from focalbench.errors import InputError
from focalbench.execution.pools import Backend, Stack, mapped
from focalbench.plan.stacks import make_stacks
from focalbench.report.folder import RUNS
from focalbench.report.owned import SCORES, finish_more, make_folder, write_bytes
from focalbench.report.scores import RunScores, parquet, score_name
from focalbench.runs.run import Run


def check_scores(runs: Sequence[Run], backend: Backend) -> None:
    """Raise InputError for what has no single column of scores, and for a cluster."""
    if any(run.recipe.task != "binary" for run in runs):
        raise InputError("`save_scores` is for `task=binary`; leave it out")
    if backend.name == "dask":
        raise InputError("`save_scores` trains on this machine; leave it out, or use `backend=loky`")


def save_scores(folder: Path, runs: Sequence[Run], backend: Backend) -> list[str]:
    """Write a file for every run that a row of the folder's table rests on; return their names in the folder."""
    rows = read_rows(folder / RUNS, RunRow)
    wanted = set(chosen(rows))
    make_folder(folder / SCORES)
    names = []
    for run, found in _trained(make_stacks([run for run in runs if run.run_id in wanted]), backend):
        names.append(score_name(run))
        write_bytes(folder, {names[-1]: parquet(run, found)})
    finish_more(folder, names)
    return names


def chosen(rows: Sequence[RunRow]) -> Iterator[str]:
    """The runs that rows of a table rest on, tuned ones apart, which are some arm's."""
    for cell in cells_of(rows):
        for entry in entries_of(cell):
            if entry.kind is not Kind.TUNED:
                yield from entry.run_ids


def _trained(stacks: Sequence[Stack], backend: Backend) -> Iterator[tuple[Run, RunScores]]:
    for stack, found in zip(stacks, mapped(scores_of, stacks, backend.workers), strict=True):
        yield from zip(stack, found, strict=True)


def scores_of(stack: Stack) -> list[RunScores]:
    """Train a stack; what each run says of its test rows."""
    from focalbench.training.stack import predict_stack

    predictions, splits = predict_stack(stack)
    test = splits.test
    numbers = np.arange(test.rows) if splits.test_numbers is None else splits.test_numbers
    weights = np.ones(test.rows) if test.weights is None else test.weights
    found = []
    for prediction in predictions:
        (back,) = prediction.said.recovered
        probability = None if back is None else 1 / (1 + np.exp(-np.clip(back, -700, 700)))
        score = prediction.said.scores[0].double().numpy()
        flagged = None if prediction.acted is None else prediction.acted.flagged
        found.append(RunScores(numbers, test.targets, weights, score, probability, flagged))
    return found
