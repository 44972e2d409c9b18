"""Inside scikit-learn: pipelines, searches, thresholds, calibration, data frames, and files of fitted estimators."""

import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from focalbench.estimators import TRUSTED, FocalLogisticClassifier, FocalMLPClassifier
from focalbench.estimators.classifiers import NetworkClassifier

X, y = make_classification(400, 6, n_informative=4, weights=[0.85], random_state=0)
FAST: tuple[NetworkClassifier, ...] = (
    FocalMLPClassifier((8,), max_iter=10, learning_rate_init=0.02, random_state=0),
    FocalLogisticClassifier(loss="pos_weight", max_iter=10, learning_rate_init=0.1, random_state=0),
)
both = pytest.mark.parametrize("estimator", FAST, ids=lambda each: type(each).__name__)


def scaled(estimator: NetworkClassifier) -> Pipeline:
    return make_pipeline(StandardScaler(), clone(estimator))


@both
def test_cross_validation_in_a_pipeline_finds_more_than_chance(estimator: NetworkClassifier) -> None:
    assert cross_val_score(scaled(estimator), X, y, scoring="average_precision", cv=3).mean() > 2 * y.mean()


def test_a_search_goes_over_losses_and_their_parameters() -> None:
    name = "focalmlpclassifier"
    grid = [
        {f"{name}__gamma": [0.0, 2.0], f"{name}__alpha": [None, 0.25]},
        {f"{name}__loss": ["bce"]},
        {f"{name}__loss": ["tversky"], f"{name}__loss_params": [{"beta": 0.9}, None]},
    ]
    search = GridSearchCV(scaled(FAST[0]), grid, scoring="average_precision", cv=2).fit(X, y)
    scores = {round(score, 12) for score in search.cv_results_["mean_test_score"]}
    assert len(scores) == 7 - 1  # focal at gamma 0 is bce
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@both
def test_thresholds_and_calibration_take_it(estimator: NetworkClassifier) -> None:
    tuned = TunedThresholdClassifierCV(scaled(estimator), scoring="f1", cv=2).fit(X, y)
    assert 0 < tuned.best_threshold_ < 1
    calibrated = CalibratedClassifierCV(scaled(estimator), cv=2).fit(X, y)
    assert calibrated.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.05)


@both
def test_names_of_columns_and_labels_are_kept(estimator: NetworkClassifier) -> None:
    frame = pd.DataFrame(X, columns=[f"column {i}" for i in range(6)])
    labels = np.where(y == 1, "fraud", "genuine")
    pipeline = scaled(estimator).set_output(transform="pandas").fit(frame, labels)
    fitted = pipeline[-1]
    assert fitted.feature_names_in_.tolist() == list(frame.columns)
    assert fitted.classes_.tolist() == ["fraud", "genuine"]
    assert set(pipeline.predict(frame)) <= {"fraud", "genuine"}
    plain = scaled(estimator).fit(X, y)
    if estimator.loss == "focal":  # the other class is the positive one, and the network mirrors no draws
        assert pipeline.predict_proba(frame)[:, 0].mean() == pytest.approx(plain.predict_proba(X)[:, 1].mean(), abs=0.1)
    with pytest.raises(ValueError, match="feature names should match"):
        fitted.predict(pd.DataFrame(X, columns=list("abcdef")))


def test_polars_frames_are_taken() -> None:
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=[f"column {i}" for i in range(6)])
    fitted = clone(FAST[0]).fit(frame, polars.Series(y))
    assert np.array_equal(fitted.predict_proba(frame), clone(FAST[0]).fit(X, y).predict_proba(X))


def test_several_labels_that_are_words() -> None:
    words = np.array(["cat", "dog", "eel"])[np.arange(400) % 3]
    fitted = clone(FAST[0]).fit(X + 3 * (np.arange(400) % 3)[:, None], words)
    assert fitted.decision_function(X).shape == fitted.predict_proba(X).shape == (400, 3)
    assert fitted.score(X + 3 * (np.arange(400) % 3)[:, None], words) > 0.6


def going(estimator: NetworkClassifier) -> NetworkClassifier:
    """One that has something of everything: weights, validation, and an optimiser that remembers."""
    fitted: NetworkClassifier = clone(estimator).fit(X, y, np.arange(400) % 3, X_val=X, y_val=y)
    return fitted.partial_fit(X, y)


def by_pickle(fitted: Any, folder: Path) -> Any:
    return pickle.loads(pickle.dumps(fitted))


def by_joblib(fitted: Any, folder: Path) -> Any:
    joblib.dump(fitted, folder / "fitted")
    return joblib.load(folder / "fitted", mmap_mode="r")


def by_skops(fitted: Any, folder: Path) -> Any:
    skops.io.dump(fitted, folder / "fitted")
    return skops.io.load(folder / "fitted", trusted=TRUSTED)


@both
@pytest.mark.parametrize("way", [by_pickle, by_joblib, by_skops])
def test_a_file_holds_all_of_it(estimator: NetworkClassifier, way: Any, tmp_path: Path) -> None:
    fitted = going(estimator)
    read = way(fitted, tmp_path)
    assert np.array_equal(read.predict_proba(X), fitted.predict_proba(X))
    assert read.get_params() == fitted.get_params()
    assert vars(read).keys() == vars(fitted).keys()
    one, other = read.partial_fit(X, y), fitted.partial_fit(X, y)
    assert np.array_equal(one.decision_function(X), other.decision_function(X))


@both
def test_skops_need_trust_nothing_but_the_class(estimator: NetworkClassifier) -> None:
    held = skops.io.dumps(going(estimator))
    own = f"{type(estimator).__module__}.{type(estimator).__qualname__}"
    assert skops.io.get_untrusted_types(data=held) == [own]
    assert own in TRUSTED
    assert len(TRUSTED) == 5  # classifiers, what reads and clips columns, and numpy.dtype


def test_a_pipeline_goes_into_skops_too() -> None:
    pipeline = scaled(FAST[0]).fit(X, y)
    read = skops.io.loads(skops.io.dumps(pipeline), trusted=TRUSTED)
    assert np.array_equal(read.predict_proba(X), pipeline.predict_proba(X))


@both
def test_an_estimator_holds_plain_things_only(estimator: NetworkClassifier) -> None:
    plain = (str, int, float, bool, type(None), np.ndarray)

    def walk(value: object) -> None:
        if isinstance(value, dict):
            value = [*value, *value.values()]
        if isinstance(value, (list, tuple)):
            for each in value:
                walk(each)
        else:
            assert type(value) in plain, value

    walk(vars(going(estimator)))


def test_a_large_table_is_not_touched() -> None:
    features: NDArray[np.float32] = X.astype(np.float32)
    before, weights = features.copy(), np.ones(400)
    clone(FAST[0]).fit(features, y, weights)
    assert np.array_equal(features, before)
    assert (weights == 1).all()
