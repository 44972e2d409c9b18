"""References: models beside the networks that are compared, by a name of ours or as somebody's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from focalbench.base.text import near_or
from focalbench.errors import InputError
from focalbench.runs.arm import Arm

# how the model of a run is called, by the name that people use
MODELS = {
    "logistic": "sklearn-logistic",
    "boosting": "sklearn-hist-gradient-boosting",
    "lightgbm": "lightgbm",
    "xgboost": "xgboost",
    "catboost": "catboost",
}
TITLES = {"lightgbm": "LightGBM", "xgboost": "XGBoost", "catboost": "CatBoost"}  # in sentences
LIBRARIES = tuple(TITLES)  # each is called as what it takes, which not everybody has installed
WEIGHTED = ", class-weighted"  # what the label of such a row ends with


@dataclass(frozen=True)
class Reference:
    """A model that stands under the table. Raises InputError for an unknown one.

    name: one of MODELS, fitted with and without class weights, or your own as "module:NAME". source: hash of your own
    one's source and parameters.
    """

    name: str
    source: str = ""

    def __post_init__(self) -> None:
        if self.name not in MODELS and not (is_own(self.name) and self.source):
            hint = near_or(self.name, MODELS, f"choose one of {', '.join(MODELS)}, or your own as module:NAME")
            raise InputError(f"unknown reference {self.name!r}; {hint}")

    @property
    def model(self) -> str:
        """What its runs call it."""
        return MODELS.get(self.name, self.name)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What it is fitted as: your own decides about class weights itself."""
        return (Arm("bce"),) if is_own(self.name) else (Arm("bce"), Arm("pos_weight"))


USUAL = (Reference("logistic"), Reference("boosting"))


def is_own(name: str) -> bool:
    """Whether a reference is somebody's own, named as module:NAME."""
    module, colon, attribute = name.partition(":")
    return bool(module and colon and attribute)


def as_said(references: bool | Sequence[Reference]) -> bool | tuple[Reference, ...]:
    """The one way to say it: true for the usual two, false for none.

    >>> as_said(USUAL), as_said([]), as_said([Reference("xgboost")])
    (True, False, (Reference(name='xgboost', source=''),))
    """
    if isinstance(references, bool):
        return references
    found = tuple(references)
    return True if found == USUAL else found or False


def label(name: str, *, weighted: bool = False) -> str:
    """The label of a reference's row in a table."""
    return name + (WEIGHTED if weighted else "")


def name_in(row: str) -> str:
    """The name of the reference in the label of a row.

    >>> name_in(label("xgboost", weighted=True))
    'xgboost'
    """
    return row.removesuffix(WEIGHTED)
