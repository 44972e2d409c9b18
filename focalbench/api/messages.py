"""What is said to a caller from Python: settings under the names of parameters, and warnings where they called."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from focalbench.base.text import with_parameters
from focalbench.errors import InputError

PARAMETERS = {
    "group": "groups",
    "weight": "sample_weight",
    "positive_rates": "positive_rate",
    "loss": "losses",
    "reference": "references",
}


@contextmanager
def as_parameters() -> Iterator[None]:
    """Name settings in the message of an InputError as the parameters that they are."""
    try:
        yield
    except InputError as error:
        raise InputError(told(str(error))) from None


def told(text: str) -> str:
    """A message with settings as parameters.

    >>> told("`group` and `time` are two ways to split")
    'groups and time are two ways to split'
    """
    return with_parameters(text, lambda key: PARAMETERS.get(key, key))


def warned(texts: Iterable[str], depth: int = 3) -> None:
    """Warn of each text, at the line that called. depth: of that call above this one."""
    for text in texts:
        warnings.warn(told(text), stacklevel=depth)
