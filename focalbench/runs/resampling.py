"""How training rows are resampled before training: methods of imbalanced-learn, and the ratio of the classes after."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from focalbench.errors import InputError


class Method(StrEnum):
    """What is done to the training rows; never to those of validation and test.

    UNDERSAMPLE: some negatives are left out at random. OVERSAMPLE: positives are repeated at random. SMOTE: positives
    are made between neighbouring ones (Chawla et al. 2002).
    """

    UNDERSAMPLE = "undersample"
    OVERSAMPLE = "oversample"
    SMOTE = "smote"


@dataclass(frozen=True, slots=True)
class Resampling:
    """method: what is done. ratio: positives to a negative afterwards, in (0, 1], which imbalanced-learn calls
    sampling_strategy; what already has more stays as it is. Raises InputError for another ratio.
    """

    method: Method
    ratio: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.ratio <= 1:
            raise InputError(f"resampling takes a ratio of positives to negatives in (0, 1], got {self.ratio}")
        object.__setattr__(self, "ratio", float(self.ratio))

    @classmethod
    def parse(cls, text: str) -> Self:
        """A method's name, with a ratio after a colon where it is not 1. Raises InputError.

        >>> str(Resampling.parse("smote:0.1")), Resampling.parse("undersample").ratio
        ('smote:0.1', 1.0)
        """
        name, colon, ratio = text.partition(":")
        if name not in list(Method):
            raise InputError(f"unknown `resampling` {text!r}; choose one of {', '.join(Method)}, or as smote:0.1")
        try:
            return cls(Method(name), float(ratio) if colon else 1.0)
        except ValueError:  # an InputError is one
            raise InputError(f"`resampling={text}`: after the colon goes a ratio of positives in (0, 1]") from None

    def __str__(self) -> str:
        return f"{self.method}" if self.ratio == 1 else f"{self.method}:{self.ratio!r}"
