"""Test scores of the runs that a table rests on, a Parquet file a run, for tools that take scores of any model."""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from focalbench.report.folder import picture_name
from focalbench.report.owned import SCORES
from focalbench.runs.run import Run
from focalbench.training.references import row_name


@dataclass(frozen=True, eq=False)
class RunScores:
    """What a run says of its test rows, (rows,) each. row: numbers from 0 among the table's rows, those of fresh draws
    among themselves; score: by which they rank, a logit; probability: recovered, None where the loss has no inverse;
    flagged: by the threshold asked for, None without one.
    """

    row: NDArray[np.int64]
    target: NDArray[np.int8]
    weight: NDArray[np.float64]
    score: NDArray[np.float64]
    probability: NDArray[np.float64] | None
    flagged: NDArray[np.bool_] | None


def score_name(run: Run) -> str:
    """The name of a run's file in a results folder."""
    arm = re.sub(r"[^A-Za-z0-9._-]+", "-", row_name(run)).strip("-")
    return f"{SCORES}/{picture_name(*run.recipe.cell)}_{arm}_seed{run.seed}.parquet"


def score_names(runs: Iterable[Run]) -> list[str]:
    """The names that the files of some of these runs may have."""
    return list(dict.fromkeys(map(score_name, runs)))


def parquet(run: Run, found: RunScores) -> bytes:
    """The content of a run's file, with what run it is of in the metadata."""
    import pyarrow
    from pyarrow import parquet as files

    columns = {
        "row": found.row,
        "seed": np.full(len(found.row), run.seed, dtype=np.int64),
        "target": found.target,
        "weight": found.weight,
        "score": found.score,
        "probability": pyarrow.nulls(len(found.row), "float64") if found.probability is None else found.probability,
    }
    if found.flagged is not None:
        columns["flagged"] = found.flagged
    said = {"run_id": run.run_id, "dataset": run.recipe.dataset, "arm": row_name(run), "seed": str(run.seed)}
    file = io.BytesIO()
    files.write_table(pyarrow.table(columns).replace_schema_metadata(said), file)
    return file.getvalue()
