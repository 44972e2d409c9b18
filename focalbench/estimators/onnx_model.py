"""A network as an ONNX model: its layers, and the inverse of its loss in float64."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from focalbench.base.files import replace_files
from focalbench.errors import InputError
from focalbench.estimators.probabilities import log_odds_of
from focalbench.estimators.rows import Weights, counts_of
from focalbench.runs.arm import Arm
from focalbench.training.arm_loss import softmax_weights
from focalbench.training.models import Layer

OPSET, FORMAT = 17, 8  # of 2022: old enough for every runtime in use
STEEP = 37.0  # below -37 the ratio r of losses/inverse.py is 1 to float64
SERIES = 10.0  # below -10 log(1 + e) loses digits that its series keeps
SMALLEST = 1e-300  # of a sum whose logarithm is taken


def write_onnx(path: Path, layers: Sequence[Layer], arm: Arm, class_count: Weights) -> None:
    """Write a model with the outputs logits and probabilities. Raises InputError without the package onnx."""
    try:
        import onnx
    except ImportError:
        raise InputError("to_onnx needs the package onnx; install it: pip install 'focalbench[onnx]'") from None
    opset = [onnx.helper.make_opsetid("", OPSET)]
    graph = _graph(layers, arm, class_count)
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=FORMAT, producer_name="focalbench")
    onnx.checker.check_model(model)
    replace_files({path: lambda file: file.write(model.SerializeToString())}, "onnx")


def _graph(layers: Sequence[Layer], arm: Arm, class_count: Weights) -> Any:
    from onnx import helper

    steps, classes = _Steps(), len(class_count)
    last = steps.layers(layers)
    steps.call(steps.add("Squeeze", last, steps.array([1])) if classes == 2 else last, "logits")
    steps.call(steps.cast(steps.probabilities(last, arm, class_count), "FLOAT"), "probabilities")
    logits = _described("logits", ["rows"] if classes == 2 else ["rows", classes])
    outputs = [logits, _described("probabilities", ["rows", classes])]
    given = [_described("X", ["rows", layers[0][0].shape[1]])]
    return helper.make_graph(steps.nodes, "focalbench", given, outputs, steps.constants)


def _described(name: str, shape: Sequence[int | str]) -> Any:
    from onnx import TensorProto, helper

    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


class _Steps:
    """Nodes and constants in the order of the computation; every step gives the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, op: str, *inputs: str, attributes: Mapping[str, int | list[int]] | None = None) -> str:
        from onnx import helper

        result = f"{op.lower()}_{len(self.nodes)}"
        node = helper.make_node(op, inputs, [result])
        node.attribute.extend(helper.make_attribute(key, value) for key, value in (attributes or {}).items())
        self.nodes.append(node)
        return result

    def array(self, values: Any, dtype: type = np.int64) -> str:
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def number(self, value: float) -> str:
        return self.array(value, np.float64)

    def call(self, result: str, name: str) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [result], [name]))

    def cast(self, result: str, to: str) -> str:
        from onnx import TensorProto

        return self.add("Cast", result, attributes={"to": TensorProto.DataType.Value(to)})

    def layers(self, layers: Sequence[Layer]) -> str:
        """Logits (row, output)."""
        result = "X"
        for i, (weight, bias) in enumerate(layers):
            below = self.add("Relu", result) if i else result
            arrays = self.array(weight, np.float32), self.array(bias, np.float32)
            result = self.add("Gemm", below, *arrays, attributes={"transB": 1})
        return result

    def probabilities(self, logits: str, arm: Arm, class_count: Weights) -> str:
        """(row, class) float64 from logits (row, output)."""
        wide = self.cast(logits, "DOUBLE")
        return (self.binary if len(class_count) == 2 else self.softmax)(wide, arm, class_count)

    def binary(self, x: str, arm: Arm, class_count: Weights) -> str:
        """Probabilities (row, class) from logits (row, 1); the sigmoid where the loss has no inverse."""
        odds = self._odds(x, arm, class_count)
        both = self.add("Concat", self.add("Neg", odds), odds, attributes={"axis": 1})
        return self._sigmoid(both)

    def _odds(self, x: str, arm: Arm, class_count: Weights) -> str:
        """Log odds, log B - log A of losses/inverse.py, from A and B of each loss."""
        h = dict(arm.params)
        if arm.loss == "focal_star":
            return self._star(self.scaled(x, h["gamma"]), h["beta"])
        if arm.loss == "label_smoothed":
            least = h["smoothing"] / 2
            return self.add("Sub", self._above(x, least), self._above(self.add("Neg", x), least))
        if arm.loss == "poly1":
            moved = self.add("Sub", self._poly(self.add("Neg", x), h["epsilon"]), self._poly(x, h["epsilon"]))
            return self.add("Add", x, moved)
        shift = float(log_odds_of(arm, class_count, np.zeros((1, 1), dtype=np.float32))[0, 0])  # all that is left at 0
        return self.plus(self._focused(x, arm.gamma), shift)

    def _star(self, x: str, beta: float) -> str:
        """log(1 + e^(x + beta)) - log(1 + e^(beta - x))."""
        up, down = (self._softplus(self.plus(each, beta)) for each in (x, self.add("Neg", x)))
        return self.add("Sub", up, down)

    def _above(self, x: str, least: float) -> str:
        """log(sigmoid(x) - least), -inf below it."""
        return self.add("Log", self.add("Relu", self.plus(self._sigmoid(x), -least)))

    def _poly(self, x: str, epsilon: float) -> str:
        """log(1 + epsilon sigmoid(x))."""
        return self.add("Log", self.plus(self.scaled(self._sigmoid(x), epsilon), 1.0))

    def _sigmoid(self, x: str) -> str:
        """Not onnxruntime's own, which is 0 below 1e-16."""
        return self.add("Exp", self.add("Neg", self._softplus(self.add("Neg", x))))

    def plus(self, x: str, value: float) -> str:
        return self.add("Add", x, self.number(value))

    def scaled(self, x: str, value: float) -> str:
        return self.add("Mul", x, self.number(value))

    def _focused(self, x: str, gamma: float) -> str:
        """(gamma + 1) x + log(1 + gamma r(x)) - log(1 + gamma r(-x))."""
        if gamma == 0:
            return x
        up, down = self._log_focus(x, gamma), self._log_focus(self.add("Neg", x), gamma)
        return self.add("Add", self.scaled(x, gamma + 1), self.add("Sub", up, down))

    def _log_focus(self, u: str, gamma: float) -> str:
        """log(1 + gamma r(u)), r(u) = e^-u log(1 + e^u)."""
        v = self.add("Clip", u, self.number(-STEEP), self.number(1e4))
        e = self.add("Exp", v)
        third = self.scaled(e, 1 / 3)
        falling = self.add("Mul", e, self.add("Sub", self.number(0.5), third))
        series = self.add("Sub", self.number(1.0), falling)  # log(1 + e) / e
        plain = self.add("Mul", self.add("Exp", self.add("Neg", v)), self._softplus(v))
        ratio = self.add("Where", self.add("Less", v, self.number(-SERIES)), series, plain)
        return self.add("Log", self.plus(self.scaled(ratio, gamma), 1.0))

    def _softplus(self, u: str) -> str:
        """log(1 + e^u)."""
        fall = self.add("Exp", self.add("Neg", self.add("Abs", u)))
        return self.add("Add", self.add("Relu", u), self.add("Log", self.plus(fall, 1.0)))

    def softmax(self, x: str, arm: Arm, class_count: Weights) -> str:
        """Probabilities (row, class) from logits (row, class), as softmax_recovered_logits has them."""
        lead, gamma = self._leads(x, len(class_count)), arm.gamma
        log_weights = self.array(np.log(softmax_weights(arm, counts_of(class_count))), np.float64)
        fall, rise = self._softplus(lead), self._softplus(self.add("Neg", lead))
        log_slope = self.add("Sub", rise, self.scaled(fall, gamma))
        log_slope = self.add("Add", log_slope, self._log_focus(self.add("Neg", lead), gamma))
        score = self.add("Neg", self.add("Add", log_slope, log_weights))
        return self.add("Softmax", score, attributes={"axis": 1})

    def _leads(self, x: str, classes: int) -> str:
        """Each logit less the logsumexp of the others, which are summed without it: nothing cancels."""
        below = self.add("Sub", x, self.add("ReduceMax", x, attributes={"axes": [1]}))
        others = self.add("MatMul", self.add("Exp", below), self.array(1 - np.eye(classes), np.float64))
        return self.add("Sub", below, self.add("Log", self.add("Max", others, self.number(SMALLEST))))
