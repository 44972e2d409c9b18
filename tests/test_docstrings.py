"""Public functions say what they take and give: Args, Returns, Raises and, of a formula, References."""

import inspect
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import focalbench.boosting
import focalbench.losses
from focalbench import datasets
from focalbench.estimators.classifiers import FocalMLPClassifier, NetworkClassifier
from focalbench.losses import binary, inverse, modules, multiclass, rivals
from focalbench.metrics import calibration, ranking, threshold

PUBLIC = [
    *(getattr(module, name) for module in (binary, inverse, modules, multiclass, rivals) for name in module.__all__),
    *(getattr(module, name) for module in (calibration, ranking, threshold) for name in module.__all__),
    *(getattr(datasets, name) for name in datasets.__all__),
    focalbench.boosting.FocalObjective,
    *(getattr(focalbench, name) for name in focalbench.__all__),
    FocalMLPClassifier,
    *(each for name, each in vars(NetworkClassifier).items() if name[0] != "_" and inspect.isfunction(each)),
]
WITH_METHODS = ("focalbench.losses.modules", "focalbench.boosting", "focalbench.estimators.classifiers")
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|References):$", re.MULTILINE)


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function, and the public methods of public classes that are no mere fields."""
    for found in PUBLIC:
        if isinstance(found, types.FunctionType):
            yield found.__qualname__, found
        elif inspect.isclass(found) and found.__module__ in WITH_METHODS:
            for name, method in vars(found).items():
                if isinstance(method, types.FunctionType) and (not name.startswith("_") or name == "__init__"):
                    yield method.__qualname__, method


FUNCTIONS = dict(functions())


def sections(text: str) -> dict[str, str]:
    """The parts of a docstring by their heading; what stands before the first under ""."""
    pieces = SECTION.split(inspect.cleandoc(text))
    return {"": pieces[0]} | dict(zip(pieces[1::2], pieces[2::2], strict=True))


def described(function: Callable[..., Any]) -> str:
    """A function's docstring, or for a constructor its class's."""
    owner = inspect.unwrap(function)
    if owner.__name__ != "__init__":
        return owner.__doc__ or ""
    cls = getattr(inspect.getmodule(owner), owner.__qualname__.partition(".")[0])
    return cls.__doc__ or ""


def test_the_public_functions_are_found() -> None:
    assert {
        "focal_loss",
        "average_precision",
        "build_splits",
        "SigmoidFocalLoss.forward",
        "NetworkClassifier.to_onnx",
    } <= set(FUNCTIONS)
    assert len(FUNCTIONS) > 40


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_parameter_has_its_line(function: Callable[..., Any]) -> None:
    args = sections(described(function)).get("Args", "")
    listed = {name for line in re.findall(r"^    ([\w, ]+):", args, re.MULTILINE) for name in line.split(", ")}
    assert {name for name in inspect.signature(function).parameters if name != "self"} <= listed


def source_of(function: Callable[..., Any]) -> str:
    """What Python wrote, such as a dataclass's constructor, has none."""
    return inspect.getsource(function) if function.__code__.co_filename != "<string>" else ""


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_returned_and_raised_is_said(function: Callable[..., Any]) -> None:
    found = sections(described(function))
    if inspect.signature(function).return_annotation not in (None, "None"):
        assert "Returns" in found
    if "raise InputError" in source_of(function):
        assert "InputError" in found.get("Raises", "")


@pytest.mark.parametrize("name", [name for name in rivals.__all__ if name != "deferred_weights"])
def test_every_rival_names_its_paper(name: str) -> None:
    assert re.search(r"\b(19|20)\d\d\b", sections(getattr(rivals, name).__doc__)["References"])
