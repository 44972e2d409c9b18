"""Classifiers for scikit-learn that are trained by the sweeps' trainer, with any loss of the catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, check_random_state, validate_data
from torch import nn

from focalbench.base.randomness import generator
from focalbench.errors import InputError
from focalbench.estimators import asked
from focalbench.estimators.exporting import module_of
from focalbench.estimators.onnx_model import write_onnx
from focalbench.estimators.probabilities import Logits, has_inverse, log_odds_of, log_probabilities_of, probabilities_of
from focalbench.estimators.rows import (
    Features,
    Labelled,
    Labels,
    Weights,
    class_weighted,
    counts_of,
    labelled,
    present,
    tensor_of,
)
from focalbench.estimators.trainee import (
    Fitted,
    Order,
    Terms,
    Trainee,
    logits_of,
    moments,
    resume,
    train_all,
    train_until_best,
)
from focalbench.losses.reference import Array
from focalbench.runs.arm import Alpha, Arm, Init
from focalbench.runs.run import LrSchedule
from focalbench.training.arm_loss import run_loss, start_biases
from focalbench.training.learned_start import learned_biases
from focalbench.training.models import Architecture, Layer, draw_weights
from focalbench.training.stack import one_thread

KEY = "estimator"  # of draws, where a sweep has its data source


class NetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """What the classifiers of this room share; FocalMLPClassifier says what parameters and attributes mean."""

    classes_: Labels
    class_count_: Weights
    coefs_: list[NDArray[np.float32]]
    intercepts_: list[NDArray[np.float32]]
    calibrated_by_inverse_: bool
    n_iter_: int
    best_iter_: int
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    _arm: dict[str, Any]  # as it was trained, whatever set_params says since
    _optimizer_state: tuple[str, int, list[NDArray[np.float32]]]  # its name, its updates, what it remembers

    def __init__(
        self,
        *,
        loss: str = "focal",
        alpha: Alpha = None,
        gamma: float = 2.0,
        loss_params: Mapping[str, float] | None = None,
        init: Init = "own",
        class_weight: str | Mapping[Any, float] | None = None,
        optimizer: str = "adam",
        learning_rate_init: float = 0.001,
        lr_schedule: LrSchedule = "constant",
        batch_size: int | str = "auto",
        max_iter: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.loss = loss
        self.alpha = alpha
        self.gamma = gamma
        self.loss_params = loss_params
        self.init = init
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.lr_schedule = lr_schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.random_state = random_state

    # ---- training

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        *,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
        sample_weight_val: npt.ArrayLike | None = None,
    ) -> Self:
        """Train anew. With validation rows, given or kept (early_stopping), the best pass on them stays, else the last.

        Args:
            X: (row, feature), finite numbers; a data frame's names are kept.
            y: (row,), labels of two classes or more.
            sample_weight: (row,), >= 0 and not all 0; None: 1 each. Rows of weight 0 are left out.
            X_val: (row, feature), rows for validation, or None.
            y_val: (row,), their labels, every class among them.
            sample_weight_val: (row,), what they weigh in the average precision; None: 1 each.

        Returns:
            The estimator.

        Raises:
            InputError: for parameters outside their ranges, one class only, weights with a loss of whole batches, and
                training that diverges. scikit-learn raises ValueError for rows that are no finite numbers and lengths
                that differ.
        """
        self._check_parameters()
        features, labels, weights = self._checked(X, y, sample_weight)
        rows = labelled(features, labels, present(labels, weights), weights).need_all_classes("y")
        arm = self._arm_for(len(rows.classes), sample_weight)
        seed = self._seed()
        validation = self._given_validation(X_val, y_val, sample_weight_val, rows.classes)
        if validation is None and self.early_stopping:
            rows, validation = self._parted(rows, seed)
        rows = class_weighted(rows, self.class_weight)
        with one_thread():
            fitted = self._trained(arm, rows, validation, seed)
        return self._keep(arm, rows, fitted)

    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """One pass over these rows, in their order. After fit it goes on from there, with a new optimiser.

        Class weights, the start and the inverse follow the rows of the first call, which need every class.

        Args:
            X: (row, feature), finite numbers.
            y: (row,), labels.
            classes: (class,), all labels there will be, at the first call; later the same ones, or None.
            sample_weight: (row,), >= 0 and not all 0; None: 1 each. They count against each other within a call.

        Returns:
            The estimator.

        Raises:
            InputError: as fit does; and for losses, schedules and class weights that need to know all passes or rows,
                and for labels that are not among the classes.
        """
        self._check_parameters()
        first = not hasattr(self, "coefs_")
        features, labels, weights = self._checked(X, y, sample_weight, first)
        rows = labelled(features, labels, self._classes_of(classes, first), weights)
        arm = self._arm_for(len(rows.classes), sample_weight) if first else Arm(**self._arm)
        asked.refuse_passes(arm.loss, self.lr_schedule, self.class_weight)
        rows = class_weighted(rows, self.class_weight)
        with one_thread():
            if first:
                layers = self._first_layers(arm, rows.need_all_classes("the first y"), self._seed())
                self._keep(arm, rows, Fitted(layers, 0))
            return self._one_pass(arm, rows)

    def _classes_of(self, classes: npt.ArrayLike | None, first: bool) -> Labels:
        if first and classes is None:
            raise InputError("the first call of partial_fit needs all labels; give it classes")
        given = self.classes_ if classes is None else np.unique(classes)
        if not (first or np.array_equal(given, self.classes_)):
            raise InputError(f"classes are other ones than at first, {self.classes_.tolist()}; leave them out")
        return np.asarray(given)

    def _one_pass(self, arm: Arm, rows: Labelled) -> Self:
        size = len(rows.codes)
        trainee = Trainee(self._layers, run_loss(arm, counts_of(self.class_count_)), self._terms(size), 1)
        optimizer, made, remembered = self._optimizer_state
        if optimizer == self.optimizer:
            resume(trainee, remembered, made)
        fitted = train_all(trainee, rows.rows, [np.arange(size)])
        self._optimizer_state = self.optimizer, trainee.steps.made, moments(trainee.optimizer)
        self.n_iter_ += 1
        self.best_iter_ = self.n_iter_
        return self._keep_layers(fitted.layers)

    def _trained(self, arm: Arm, train: Labelled, validation: Labelled | None, seed: int) -> Fitted:
        terms, size = self._terms(len(train.codes)), len(train.codes)
        loss = run_loss(arm, counts_of(train.class_count))
        steps = terms.epochs * -(-size // terms.batch_size)
        trainee = Trainee(self._first_layers(arm, train, seed), loss, terms, steps)
        orders = _orders(size, terms.epochs, seed)
        if validation is None:
            return train_all(trainee, train.rows, orders)
        return train_until_best(trainee, train.rows, orders, validation.rows, self.n_iter_no_change)

    def _first_layers(self, arm: Arm, train: Labelled, seed: int) -> list[Layer]:
        """As a sweep draws them, with the last bias at its start."""
        architecture = Architecture(train.features.shape[1], self._hidden(), train.outputs)
        layers = draw_weights(architecture, generator(seed, f"weights {architecture.hidden} 0", KEY))
        counts = counts_of(train.class_count)
        if arm.init == "learned":
            starts = learned_biases(architecture, layers, run_loss(arm, counts), train.rows)
        else:
            starts = start_biases(arm, counts)
        layers[-1] = layers[-1][0], np.array(starts, dtype=np.float32)
        return layers

    def _check_parameters(self) -> None:
        asked.check_terms(
            self.learning_rate_init, self.max_iter, self.n_iter_no_change, self.validation_fraction, self.optimizer
        )
        asked.check_schedule(self.lr_schedule)
        self._hidden()

    def _hidden(self) -> tuple[int, ...]:
        """Units of each hidden layer."""
        return ()

    def _terms(self, rows: int) -> Terms:
        size = asked.batch_rows(self.batch_size, rows)
        return Terms(float(self.learning_rate_init), size, int(self.max_iter), self.optimizer, self.lr_schedule)

    def _arm_for(self, classes: int, sample_weight: npt.ArrayLike | None) -> Arm:
        arm = asked.arm_of(self.loss, self.alpha, self.gamma, self.loss_params, self.init, classes)
        asked.refuse_weights(arm.loss, sample_weight, self.class_weight)
        return arm

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    # ---- rows

    def _checked(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None, first: bool = True
    ) -> tuple[Features, Labels, Weights | None]:
        """Numbers, labels and weights. first: whether X says how many features there are, and their names."""
        with np.errstate(over="ignore"):  # what float32 cannot hold is refused as infinite
            features, labels = validate_data(self, X, y, dtype=np.float32, order="C", reset=first)
        check_classification_targets(labels)
        if sample_weight is None:
            return features, labels, None
        weights = _check_sample_weight(sample_weight, features, dtype=np.float64, ensure_non_negative=True)
        return features, labels, weights

    def _given_validation(
        self, X: npt.ArrayLike | None, y: npt.ArrayLike | None, sample_weight: npt.ArrayLike | None, classes: Labels
    ) -> Labelled | None:
        if X is None or y is None:
            if not (X is None and y is None and sample_weight is None):
                raise InputError("validation rows need both X_val and y_val; give both, or neither of them")
            return None
        features, labels, weights = self._checked(X, y, sample_weight, first=False)
        return labelled(features, labels, classes, weights).need_all_classes("y_val")

    def _parted(self, rows: Labelled, seed: int) -> tuple[Labelled, Labelled]:
        """The rows to train on, and those kept for validation."""
        share, places = self.validation_fraction, np.arange(len(rows.codes))
        train, kept = train_test_split(places, test_size=share, random_state=seed, stratify=rows.codes)
        return rows.take(train), rows.take(kept).need_all_classes("the share kept for validation")

    # ---- what is kept

    def _keep(self, arm: Arm, rows: Labelled, fitted: Fitted) -> Self:
        self._arm = asdict(arm)
        self.classes_, self.class_count_ = rows.classes, rows.class_count
        self.calibrated_by_inverse_ = has_inverse(arm)
        self.validation_scores_ = fitted.validation
        best = fitted.epochs if fitted.best is None else fitted.best
        self.best_iter_, self.n_iter_ = best, fitted.epochs
        self.best_validation_score_ = None if fitted.validation is None else fitted.validation[best - 1]
        self._optimizer_state = "", 0, []
        return self._keep_layers(fitted.layers)

    def _keep_layers(self, layers: Sequence[Layer]) -> Self:
        self.coefs_ = [np.ascontiguousarray(weight.T) for weight, _ in layers]
        self.intercepts_ = [bias for _, bias in layers]
        return self

    @property
    def _layers(self) -> list[Layer]:
        return [  # copies: what joblib maps from a file cannot be written, of which torch warns
            (np.array(coef.T, dtype=np.float32, order="C"), np.array(intercept, dtype=np.float32))
            for coef, intercept in zip(self.coefs_, self.intercepts_, strict=True)
        ]

    # ---- what is said of new rows

    def decision_function(self, X: npt.ArrayLike) -> Logits:
        """Logits, as trained.

        Args:
            X: (row, feature), finite numbers.

        Returns:
            float32, (row,) for the second of two classes, or (row, class).
        """
        logits = self._logits(X)
        return logits[0] if len(logits) == 1 else np.ascontiguousarray(logits.T)

    def predict_proba(self, X: npt.ArrayLike) -> Array:
        """Probabilities of the classes, by the inverse of the loss, or, where it has none, by the plain sigmoid.

        Args:
            X: (row, feature), finite numbers.

        Returns:
            (row, class) float64 in [0, 1], in the order of classes_.
        """
        return probabilities_of(self._log_odds(X))

    def predict_log_proba(self, X: npt.ArrayLike) -> Array:
        """Logarithms of predict_proba, finite where its rounding gives 0.

        Args:
            X: (row, feature), finite numbers.

        Returns:
            (row, class) float64, at most 0.
        """
        return log_probabilities_of(self._log_odds(X))

    def predict(self, X: npt.ArrayLike) -> Labels:
        """The class that is most probable by predict_proba.

        Where alpha or pos_weight moves the logits, this is another question than whether decision_function is above 0.

        Args:
            X: (row, feature), finite numbers.

        Returns:
            (row,) labels.
        """
        log_odds = self._log_odds(X)
        found = (log_odds[0] > 0).astype(np.int64) if len(log_odds) == 1 else log_odds.argmax(axis=0)
        return np.asarray(self.classes_[found])

    def _log_odds(self, X: npt.ArrayLike) -> Array:
        logits = self._logits(X)
        return log_odds_of(Arm(**self._arm), self.class_count_, logits)

    def _logits(self, X: npt.ArrayLike) -> Logits:
        """(output, row)."""
        check_is_fitted(self)
        with np.errstate(over="ignore"):
            features = validate_data(self, X, dtype=np.float32, order="C", reset=False)
        return np.asarray(logits_of(self._layers, tensor_of(features)).numpy())  # in any number of threads

    # ---- to other libraries

    def to_torch(self) -> nn.Sequential:
        """The network as a module of its own: Linear and ReLU layers, logits out.

        Returns:
            A module from (row, feature) float32 to logits (row, 1) of two classes, or (row, class).
        """
        check_is_fitted(self)
        return module_of(self._layers)

    def to_onnx(self, path: str | Path) -> None:
        """Write the network as an ONNX model: X (row, feature) float32 in, logits and probabilities out.

        Outputs: "logits", float32, as decision_function; "probabilities", (row, class) float32, as predict_proba, for
        which the inverse of the loss is part of the model.

        Args:
            path: the file to write.

        Raises:
            InputError: where the package onnx is not installed.
        """
        check_is_fitted(self)
        write_onnx(Path(path), self._layers, Arm(**self._arm), self.class_count_)


def _orders(size: int, epochs: int, seed: int) -> Iterator[Order]:
    """Every row once a pass, in random order."""
    rng = generator(seed, "batches", KEY)
    for _ in range(epochs):
        yield rng.permutation(size)


class FocalMLPClassifier(NetworkClassifier):
    """A ReLU network with the focal loss, or another of the catalogue, on scikit-learn's conventions.

    Of two classes the second of classes_, in sorted order, is the positive one, which alpha weights and early stopping
    ranks: where the rare one is another, give y == "rare".

    It is trained by the sweeps' own trainer, in float32, without weight decay. Two classes have one logit; three and
    more a softmax, where bce, pos_weight and focal are ce, weighted_ce and softmax_focal. Scale the features first:
    nothing is scaled inside. predict_proba gives the probabilities behind the logits by the inverse of the loss, as
    far as it has one (calibrated_by_inverse_); rows' weights move them, alpha and pos_weight do not.

    Args:
        hidden_layer_sizes: units of each hidden layer, >= 1; () is logistic regression.
        loss: a name of the catalogue (`focalbench losses`).
        alpha: of focal and alpha: weight of the positives in [0, 1], 1 - alpha that of the negatives, "balanced", or
            None (off). With several classes None or "balanced".
        gamma: of focal: its exponent, >= 0. Other losses do not read it.
        loss_params: hyperparameters of the other losses by name, such as {"beta": 0.9} of tversky.
        init: where the last bias starts: own (the loss's best constant), prior (log odds), zero, or learned.
        class_weight: None, "balanced", or weights by class, > 0; they multiply the rows' weights in the loss.
        optimizer: adam, or sgd with momentum .9.
        learning_rate_init: the learning rate, > 0.
        lr_schedule: constant, or cosine down to 0 after max_iter passes.
        batch_size: rows of a batch; "auto" is 512, and never more than there are.
        max_iter: passes over the rows (epochs).
        early_stopping: whether to keep a share of the rows for validation where no validation rows are given.
        validation_fraction: that share, in (0, 1), stratified.
        n_iter_no_change: passes without a better average precision on validation after which training ends.
        random_state: int, RandomState or None: the first weights, the batches, and the rows kept for validation.

    Attributes:
        classes_: (class,), sorted labels.
        coefs_: one (inputs, units) float32 a layer.
        intercepts_: one (units,) float32 a layer.
        class_count_: (class,) float64, rows of each class by weight, which weights, start and inverse follow.
        calibrated_by_inverse_: whether the loss has an inverse; else predict_proba is the plain sigmoid.
        n_iter_: passes made.
        best_iter_: the pass that is kept, counted from 1; n_iter_ without validation rows.
        validation_scores_: average precision on validation after each pass, NaN where it is not finite; several classes
            each against the rest, by their softmax, averaged. None without validation rows.
        best_validation_score_: of the pass that is kept; None without validation rows.
        n_features_in_: columns of X.
        feature_names_in_: their names, where X has names that are strings.

    References:
        Lin et al., Focal Loss for Dense Object Detection, ICCV 2017 (arXiv 1708.02002); for the probabilities
        Charoenphakdee et al., On Focal Loss for Class-Posterior Probability Estimation, CVPR 2021.
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (64, 64),
        *,
        loss: str = "focal",
        alpha: Alpha = None,
        gamma: float = 2.0,
        loss_params: Mapping[str, float] | None = None,
        init: Init = "own",
        class_weight: str | Mapping[Any, float] | None = None,
        optimizer: str = "adam",
        learning_rate_init: float = 0.001,
        lr_schedule: LrSchedule = "constant",
        batch_size: int | str = "auto",
        max_iter: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        super().__init__(
            loss=loss,
            alpha=alpha,
            gamma=gamma,
            loss_params=loss_params,
            init=init,
            class_weight=class_weight,
            optimizer=optimizer,
            learning_rate_init=learning_rate_init,
            lr_schedule=lr_schedule,
            batch_size=batch_size,
            max_iter=max_iter,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            random_state=random_state,
        )
        self.hidden_layer_sizes = hidden_layer_sizes

    def _hidden(self) -> tuple[int, ...]:
        return asked.hidden_units(self.hidden_layer_sizes)


class FocalLogisticClassifier(NetworkClassifier):
    """Logistic regression with the focal loss, or another of the catalogue, on scikit-learn's conventions.

    Its parameters and attributes are those of FocalMLPClassifier, without hidden layers.
    """
