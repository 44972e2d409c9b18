"""A run and its result as one flat record: the row of runs.csv. CSV in and out without losing a bit."""

import csv
import io
import json
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import cast

from focalbench.base.files import regular
from focalbench.datasets.synthetic.families import is_synthetic
from focalbench.errors import InputError
from focalbench.execution.store import RENAMED
from focalbench.runs.arms import LOSSES, SOFTMAX, Arm, Run
from focalbench.runs.result import Number, Result
from focalbench.training.references import is_reference, row_name

Record = Mapping[str, Number]
FAILED = "failed"  # the status of a run whose workers died each time it was tried: it has no numbers

CALIBRATION = (
    "brier",
    "log_loss",
    "log_loss_skill",
    "expected_observed",
    "calibration_slope",
    "calibration_intercept",
    "ece",
)
METRICS = (
    "roc_auc",
    "r_precision",
    "recall_at_fpr",
    *CALIBRATION,
    *("recovered_" + name for name in CALIBRATION),
    "noisy_test_average_precision",
    "positives_per_batch",
    "batches_without_positives",
)
RUN_COLUMNS = (
    *(
        "run_id",
        "dataset",
        "source",
        "positive_rate",
        "label_noise",
        "arm",
        "family",
        "loss",
        "alpha",
        "gamma",
    ),
    *(
        "init",
        "params",
        "lr",
        "seed",
        "restart",
        "model",
        "hidden",
        "sampler",
        "batch_size",
        "epochs",
        "epoch",
    ),
    *("train_rows", "train_positives", "val_rows", "val_positives", "test_rows", "test_positives"),
    *("test_prevalence", "split", "train_share"),
    *("val_average_precision", "test_average_precision", "bayes_average_precision", "status"),
    *("val_average_precision_quarter", "test_average_precision_quarter"),
    *("val_average_precision_half", "test_average_precision_half"),
    *METRICS,
    "k",
    "classes",
    "data_sha256",
)
LONGEST_CELL = 2**31 - 1  # characters; hundreds of classes stand in one
FORMULA = tuple("=+-@\t\r\n")  # a text that begins so is run by spreadsheets; to_csv puts a ' before it
RUN_TEXTS = frozenset(
    (
        *(
            "run_id",
            "dataset",
            "source",
            "split",
            "arm",
            "family",
            "loss",
            "alpha",
            "init",
            "params",
            "model",
            "hidden",
        ),
        *("sampler", "status", "classes", "data_sha256"),
    )
)


def record(run: Run, result: Result) -> Record:
    """One row of runs.csv: what was asked, then what came out."""
    reference, training = is_reference(run), run.training
    asked: dict[str, Number] = {
        "run_id": run.run_id,
        "dataset": run.recipe.dataset,
        "source": "synthetic" if is_synthetic(run.recipe.dataset) else "table",
        "positive_rate": run.recipe.positive_rate,
        "label_noise": run.recipe.label_noise,
        "arm": row_name(run),
        "family": "reference" if reference else run.arm.family,
        "loss": run.arm.loss,
        "alpha": None if run.arm.alpha is None else str(run.arm.alpha),
        "gamma": run.arm.gamma if run.arm.loss in (*LOSSES, *SOFTMAX) else None,
        "init": None if reference else run.arm.init,
        "params": _params(run.arm),
        "lr": None if reference else run.lr,
        "seed": run.seed,
        "restart": run.restart,
        "model": training.model,
        "hidden": "-".join(map(str, training.hidden)),
        "sampler": training.sampler,
        "batch_size": training.batch_size or None,
        "epochs": training.epochs or None,
    }
    return {name: (asked | result.values).get(name) for name in RUN_COLUMNS}


def _params(arm: Arm) -> str:
    """All that makes up an arm's loss beside its name, as JSON."""
    if arm.loss in (*LOSSES, *SOFTMAX):
        return json.dumps({"alpha": arm.alpha, "gamma": arm.gamma})
    return json.dumps(dict(arm.params) | ({"source": arm.source} if arm.source else {}))


def to_csv(columns: Sequence[str], records: Sequence[Record]) -> str:
    """CSV text: floats by repr, empty for None; no text that a spreadsheet would take for a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(row[name]) for name in columns] for row in records)
    return out.getvalue()


def _cell(value: Number) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if _is_formula(value) else value
    return repr(float(value)) if isinstance(value, float) else str(value)


def _is_formula(text: str) -> bool:
    """Whether a spreadsheet would run a text, or would once it has been quoted so: then it is quoted once more."""
    return text.lstrip("'")[:1] in FORMULA


def read_csv(path: Path, columns: Sequence[str], texts: Collection[str] = RUN_TEXTS) -> list[Record]:
    """The records of a file that to_csv wrote with these columns, of which some are texts and the others numbers.

    Raises InputError for any other file.
    """
    limit = csv.field_size_limit(LONGEST_CELL)
    try:
        with regular(path).open(encoding="utf-8", newline="") as file:
            rows = csv.reader(file)
            if [RENAMED.get(name, name) for name in next(rows, [])] != list(columns):
                raise ValueError("its columns are others")
            return [
                {name: _value(name, text, is_text=name in texts) for name, text in zip(columns, row, strict=True)}
                for row in rows
            ]
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        raise InputError(f"cannot read {path} as a table of this version ({error}); run the experiment again") from None
    finally:
        csv.field_size_limit(limit)


def _value(name: str, text: str, *, is_text: bool) -> Number:
    if text == "":
        return "" if name == "hidden" else None
    if is_text:
        return text[1:] if text.startswith("'") and _is_formula(text) else text
    number = json.loads(text)
    if type(number) not in (int, float) or not abs(number) <= sys.float_info.max:
        raise ValueError(f"{text!r} is no number of {name}")
    return cast(Number, number)
