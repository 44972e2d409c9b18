"""Somebody's own model as whoever trains sees it: asked for the scores of a fit, in a process for each run."""

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import NamedTuple

import numpy as np

from focalbench.datasets.dataset import Floats
from focalbench.errors import InputError
from focalbench.training.own.asking import asked, begin, good, present
from focalbench.training.own.model import PROBABILITY, OwnRows
from focalbench.training.own.named import Own
from focalbench.training.own.process import ABOUT, FIT
from focalbench.training.own.processes import Process


class About(NamedTuple):
    """source: hash of the source and parameters of a model (64 hex digits); weighs: whether it takes row weights."""

    source: str
    weighs: bool


class Scores(NamedTuple):
    """Of a fitted model, (rows,) each. log_odds: whether they are that; else they only rank."""

    validation: Floats
    test: Floats
    log_odds: bool


class Fits:
    """The models of a name, one for each that it holds, to be fitted on the same rows."""

    def __init__(self, own: Own, process: Process, rows: OwnRows) -> None:
        self._own, self._process, self._rows = own, process, rows
        process.tell(pickle.dumps(rows, protocol=pickle.HIGHEST_PROTOCOL))
        self.count = int(self._take())

    def scores(self, place: int) -> Scores:
        """Of the one at a place, fitted anew. Raises InputError where it fails."""
        self._process.tell(str(place).encode())
        answer = self._take()
        found = np.frombuffer(answer, dtype=np.float64, offset=1)
        validation, test = np.split(found, [len(self._rows.validation)])
        return Scores(validation.copy(), test.copy(), answer[:1] == PROBABILITY)

    def _take(self) -> bytes:
        with present(self._own):
            return good(self._process.answer(quiet=True))


@cache
def about(spec: str) -> About:
    """What module:NAME is, asked once a process. Raises InputError for what is no model, or gives no scores."""
    return About(*json.loads(asked(Own("model", spec), ABOUT)))


@contextmanager
def fitting(spec: str, source: str, rows: OwnRows) -> Iterator[Fits]:
    """The models of module:NAME in a process of their own. Raises InputError where they are not those of the plan."""
    if about(spec).source != source:
        raise InputError(f"the source of the model {spec} has changed since the sweep began; start again")
    own = Own("model", spec)
    with present(own):
        process = begin(own, FIT)
    try:
        yield Fits(own, process, rows)
    finally:
        process.end()
