"""What is known of a real table that goes by a name: its card, where its files come from, and how they are read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from focalbench.datasets.tables.table import Groups

if TYPE_CHECKING:
    import pandas as pd

Mask = NDArray[np.bool_]


class Origin(Protocol):
    """Where the files of a table come from."""

    def sha256(self) -> str:
        """Hash of what the table is made of. Raises AbsentDataError where that is not available."""

    def contents(self) -> list[bytes]:
        """The bytes of its files. Raises AbsentDataError, with the remedy, where they are not available."""

    def __str__(self) -> str:
        """In words."""


class Unhashed(NamedTuple):
    """A table before it has a name: features, which rows are positive, and the groups if any."""

    frame: "pd.DataFrame"
    positive: Mask
    groups: Groups | None = None


@dataclass(frozen=True)
class Card:
    """What a reader should know of a table.

    copies: whether rows with equal features may be one thing twice, and so go to one split; else they are different
    things, and each goes by itself. equal_rows: what is said of them.
    """

    about: str
    origin: Origin
    licence: str
    removed: str
    read: Callable[[list[bytes]], Unhashed]
    copies: bool = True
    equal_rows: str = ""
