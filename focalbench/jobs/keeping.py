"""Models in files: written, and read back without running anything that a stranger put there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import numpy as np
import skops.io
from numpy.typing import NDArray
from skops.io.exceptions import UntrustedTypesFoundException

from focalbench.datasets.files.file import Written, read_as_written
from focalbench.datasets.tables.reading import kind_sentences
from focalbench.datasets.tables.table import ColumnReading
from focalbench.datasets.tables.targets import listed
from focalbench.errors import InputError
from focalbench.estimators import TRUSTED

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

STEPS = ["read", "prepare", "model"]


def check_keeping(path: Path) -> None:
    """Raise InputError where no model could be written to a path, or something is there."""
    if path.exists():
        raise InputError(f"{path} is there already; name another file, or move it away")
    if not path.absolute().parent.is_dir():
        raise InputError(f"there is no folder {path.parent} for {path.name}; make it first")


def keep_model(model: Pipeline, path: Path) -> None:
    """Write a model as a skops file. Raises InputError where it cannot be written."""
    content = skops.io.dumps(model)
    try:
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); choose another file") from None


def kept_model(path: Path) -> Pipeline:
    """A model that keep_model wrote. Raises InputError for any other file."""
    if not path.is_file():
        raise InputError(f"no file {path}; name one that focalbench advise wrote with `save`")
    try:
        model = skops.io.load(path, trusted=TRUSTED)
    except UntrustedTypesFoundException as error:
        raise InputError(f"{path} holds types that no model of ours has ({error}); it is not loaded") from None
    except (BadZipFile, KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise InputError(f"{path} is no model of focalbench's ({type(error).__name__}); name one") from None
    if getattr(model, "steps", None) is None or [name for name, _ in model.steps] != STEPS:
        raise InputError(f"{path} is no model that focalbench advise wrote; name one")
    return model


@dataclass(frozen=True, eq=False)
class NewRows:
    """Rows of a file as a model sees them. probabilities: (rows,) of being positive; told: how the rows were read, a
    sentence each; warnings: what a person should look at.
    """

    probabilities: NDArray[np.float64]
    told: tuple[str, ...]
    warnings: tuple[str, ...]


def score(model: Pipeline, path: str) -> NewRows:
    """What a kept model says of a file's rows, and how these were read. Raises InputError where it cannot read them."""
    written = rows_for(model, path)
    features, read = model["read"].read(written.frame)
    columns = [ColumnReading(name, each.kind, "; ".join(each.how), each.missing, 0) for name, each in read.items()]
    doubts = tuple(f"column {name!r}: {doubt}" for name, each in read.items() for doubt in each.doubts)
    probabilities = model[1:].predict_proba(features)[:, 1]
    return NewRows(probabilities, (f"read as {written.how}", *kind_sentences(columns)), doubts)


def rows_for(model: Pipeline, path: str) -> Written:
    """The columns of a file that a model looks at. Raises InputError where it lacks one."""
    try:
        return read_as_written(path, [name for name, _, _ in model["read"].columns])
    except InputError as error:
        raise InputError(
            f"{error}; the model was trained on {listed([n for n, _, _ in model['read'].columns])}"
        ) from None
