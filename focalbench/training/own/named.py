"""What somebody names as module:NAME, found in its module."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Literal, NamedTuple

from focalbench.errors import InputError


class Own(NamedTuple):
    """A loss or a model, as module:NAME; as text it begins a sentence about it."""

    kind: Literal["loss", "model"]
    spec: str

    def __str__(self) -> str:
        return f"the {self.kind} {self.spec}"

    @property
    def ending(self) -> str:
        """What it should do instead of ending its process."""
        return "a loss returns a value" if self.kind == "loss" else "a model is fitted, and then scores rows"


@contextmanager
def errors_as(what: str) -> Iterator[None]:
    """Turn whatever somebody's code raises into one sentence."""
    try:
        yield
    except InputError:
        raise
    except BaseException as error:
        raise InputError(f"{what}: {_one_line(error)}") from error


def found_in(own: Own) -> Any:
    """What module:NAME means; its module is imported. Raises InputError."""
    module_name, _, name = own.spec.partition(":")
    module = _imported(own, module_name)
    with errors_as(str(own)):
        if not hasattr(module, name):
            raise InputError(f"{own}: {module_name} holds no {name!r}")
        return getattr(module, name)


def _imported(own: Own, name: str) -> ModuleType:
    if (here := os.getcwd()) not in sys.path:  # noqa: PTH109 (a console script does not look where it was started)
        sys.path.append(here)
    try:
        return importlib.import_module(name)
    except BaseException as error:  # whatever its top level does
        why = f"cannot import {name} ({_one_line(error)})"
        raise InputError(f"{own}: {why}; start in its folder or install it") from None


def _one_line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except BaseException:  # of somebody's own kind of exception
        text = "it cannot say why"
    return f"{type(error).__name__}: {text}".removesuffix(": ")
