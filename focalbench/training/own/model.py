"""Somebody's own model, named as module:NAME: found, checked, fitted and asked for scores, in a process of its own."""

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from focalbench.base.randomness import generator
from focalbench.datasets.dataset import Floats
from focalbench.errors import InputError
from focalbench.training.own.named import Own, errors_as, found_in

PROBABILITY, RANK = b"p", b"r"  # what the scores of an answer are: log odds of probabilities, or a decision function's
SMALLEST = 1e-15  # of a probability, and of what it lacks to 1
ONE_THREAD = ("n_jobs", "thread_count")  # parameters that say how many; a sweep has a worker a core


@dataclass(frozen=True)
class OwnRows:
    """What a model is fitted on and asked about. train, validation, test: frames; targets: (rows,) of 0 and 1 and
    weights: (rows,) or None, of the training rows; seed, key: of what is drawn at random.
    """

    train: Any
    targets: Any
    weights: Floats | None
    validation: Any
    test: Any
    seed: int
    key: str


def make_models(own: Own) -> list[Any]:
    """Find module:NAME: a scikit-learn estimator, such as a Pipeline, a class or function that makes one, or a list of
    these. Raises InputError for anything else, and for what gives no score.
    """
    found = found_in(own)
    with errors_as(f"{own} cannot be built"):
        models = list(_made(found))
    if not models:
        raise InputError(f"{own} is an empty list; put a model into it")
    for model in models:
        _check(own, model)
    return models


def _made(found: Any) -> Iterator[Any]:
    if isinstance(found, list | tuple):
        for each in found:
            yield from _made(each)
    elif inspect.isclass(found) or (callable(found) and not hasattr(found, "fit")):
        yield from _made(found())
    else:
        yield found


def _check(own: Own, model: Any) -> None:
    from sklearn.base import clone

    kind = type(model).__name__
    if not (hasattr(model, "fit") and hasattr(model, "get_params")):
        raise InputError(f"{own} is no scikit-learn estimator: {kind} has no fit and get_params")
    if not (hasattr(model, "predict_proba") or hasattr(model, "decision_function")):
        raise InputError(f"{own} gives no scores: {kind} has neither predict_proba nor decision_function")
    with errors_as(f"{own} cannot be cloned for each run"):
        clone(model)


def parameters_of(model: Any) -> str:
    """What tells a model from another of its source: its class and parameters, less where they lie in memory."""
    said = repr(sorted(model.get_params(deep=True).items()))
    return re.sub(r" at 0x[0-9a-fA-F]+", "", f"{type(model).__qualname__} {said}")


def takes_weights(model: Any) -> bool:
    """Whether the rows of a fit may weigh something, in a Pipeline those of its last step."""
    from sklearn.utils.validation import has_fit_parameter

    return bool(has_fit_parameter(_last(model), "sample_weight"))


def _last(model: Any) -> Any:
    return _last(model.steps[-1][1]) if _is_pipeline(model) else model


def _is_pipeline(model: Any) -> bool:
    from sklearn.pipeline import Pipeline

    return isinstance(model, Pipeline)


def fitted_scores(own: Own, model: Any, rows: OwnRows) -> bytes:
    """Fit a copy of a model on the training rows: what its scores are, then those of validation and test, float64."""
    from sklearn.base import clone

    with errors_as(f"{own} failed"):
        fresh = clone(model)
        fresh.set_params(**_settings(fresh, rows))
        fresh.fit(rows.train, rows.targets, **_weights(fresh, rows.weights))
        score = _log_odds if hasattr(fresh, "predict_proba") else _decision
        parts = [score(fresh, part) for part in (rows.validation, rows.test)]
    for scores, part in zip(parts, (rows.validation, rows.test), strict=True):
        if scores.shape != (len(part),) or not np.isfinite(scores).all():
            raise InputError(f"{own} gives no finite score for each row: {scores.shape} for {len(part):,} rows")
    return (PROBABILITY if score is _log_odds else RANK) + b"".join(scores.tobytes() for scores in parts)


def _settings(model: Any, rows: OwnRows) -> dict[str, int]:
    """One thread, and seeds drawn from the run's, for every part that has such a parameter."""
    given = model.get_params(deep=True)
    rng = generator(rows.seed, "own model", rows.key)
    seeds = {name: int(rng.integers(2**31)) for name in sorted(given) if name.split("__")[-1] == "random_state"}
    threads = (name for name, value in given.items() if name.split("__")[-1] in ONE_THREAD and value is not None)
    return seeds | dict.fromkeys(threads, 1)


def _weights(model: Any, weights: Floats | None) -> Mapping[str, Floats]:
    """As an argument of fit, in a Pipeline of its last step's; none where it takes none."""
    if weights is None or not takes_weights(model):
        return {}
    prefix = ""
    while _is_pipeline(model):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    return {f"{prefix}sample_weight": weights}


def _log_odds(model: Any, part: Any) -> Floats:
    """Of the class 1."""
    share = np.asarray(model.predict_proba(part), dtype=np.float64)[:, list(model.classes_).index(1)]
    within = np.clip(share, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(within) - np.log1p(-within))


def _decision(model: Any, part: Any) -> Floats:
    return np.ascontiguousarray(model.decision_function(part), dtype=np.float64)
