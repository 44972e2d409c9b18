"""A network in torch and in ONNX says what the estimator says."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from torch import nn

from focalbench.errors import InputError
from focalbench.estimators import FocalLogisticClassifier, FocalMLPClassifier
from focalbench.estimators.classifiers import NetworkClassifier
from focalbench.runs.catalogue import RIVALS, SIGMOID

Floats = NDArray[np.float32]
BINARY: list[dict[str, Any]] = [
    {},
    {"gamma": 5.0, "alpha": 0.25},
    {"gamma": 0.5, "alpha": "balanced"},
    {"loss": "alpha", "alpha": 1.0},
    *({"loss": name} for name in (*SIGMOID, *RIVALS) if name not in ("focal", "alpha")),
]
SEVERAL: list[dict[str, Any]] = [{}, {"loss": "bce"}, {"loss": "pos_weight"}, {"gamma": 5.0, "alpha": "balanced"}]
CASES = [*((loss, 2) for loss in BINARY), *((loss, 4) for loss in SEVERAL)]


def fitted(
    loss: dict[str, Any], classes: int = 2, hidden: tuple[int, ...] = (8, 5)
) -> tuple[NetworkClassifier, Floats]:
    X, y = make_classification(150, 6, n_informative=4, n_classes=classes, random_state=0)
    kind: Any = FocalMLPClassifier(hidden) if hidden else FocalLogisticClassifier()
    kind.set_params(max_iter=5, learning_rate_init=0.05, random_state=0, **loss)
    return kind.fit(X, y), X.astype(np.float32)


def run(path: Path, X: Floats) -> dict[str, Floats]:
    session = onnxruntime.InferenceSession(path)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


@pytest.mark.parametrize("hidden", [(), (8, 5)])
@pytest.mark.parametrize("classes", [2, 4])
def test_the_torch_module_has_the_logits(classes: int, hidden: tuple[int, ...]) -> None:
    model, X = fitted({}, classes, hidden)
    module = model.to_torch()
    assert [type(layer) for layer in module] == [nn.Linear, *[nn.ReLU, nn.Linear] * len(hidden)]
    logits = module(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(logits.squeeze(), model.decision_function(X), rtol=1e-5, atol=1e-6)


def test_the_torch_module_is_a_copy() -> None:
    model, X = fitted({})
    before = model.decision_function(X)
    with torch.no_grad():
        for parameter in model.to_torch().parameters():
            parameter.zero_()
    assert np.array_equal(model.decision_function(X), before)


@pytest.mark.parametrize(("loss", "classes"), CASES, ids=str)
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_onnxruntime_says_the_same(loss: dict[str, Any], classes: int, scale: float, tmp_path: Path) -> None:
    """At moderate logits and at large ones."""
    model, X = fitted(loss, classes)
    model.coefs_[-1] = model.coefs_[-1] * np.float32(scale)
    model.to_onnx(tmp_path / "model.onnx")
    said, logits = run(tmp_path / "model.onnx", X), model.decision_function(X)
    np.testing.assert_allclose(said["logits"], logits, rtol=1e-5, atol=1e-6 * scale)
    moved = np.abs(said["logits"] - logits).max()  # of the logits themselves, which the inverse makes larger
    tolerance = 1e-6 if scale == 1 else 5 * moved + 1e-7
    np.testing.assert_allclose(said["probabilities"], model.predict_proba(X), atol=tolerance)


@pytest.mark.parametrize(
    ("loss", "classes"),
    [*(({"gamma": gamma}, classes) for gamma in (0.5, 3.0) for classes in (2, 3)), *((loss, 2) for loss in BINARY)],
    ids=str,
)
def test_the_inverse_is_the_same_at_any_logit(loss: dict[str, Any], classes: int, tmp_path: Path) -> None:
    """A network that hands its features on as logits, so that only the inverse is compared; tiny shares of 1, too."""
    X = np.random.default_rng(0).uniform(-1, 1, (4000, classes)).astype(np.float32)
    X *= np.float32(10) ** np.random.default_rng(1).uniform(-3, 3, (4000, 1)).astype(np.float32)
    X = X[:, : 1 if classes == 2 else classes]
    model = FocalLogisticClassifier(max_iter=1, random_state=0, **loss).fit(X, np.arange(4000) % 5 % classes)
    model.coefs_[0][:], model.intercepts_[0][:] = np.eye(len(X[0])), 0
    model.to_onnx(tmp_path / "model.onnx")
    said = run(tmp_path / "model.onnx", X)
    assert np.array_equal(said["logits"], model.decision_function(X))
    np.testing.assert_allclose(said["probabilities"], model.predict_proba(X), rtol=1e-6, atol=1e-37)


def test_without_onnx_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"pip install 'focalbench\[onnx\]'"):
        fitted({})[0].to_onnx(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
