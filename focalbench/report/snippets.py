"""Code to paste: a loss that a comparison found, in the library that somebody trains with.

The rows are called X_train, y_train and X_new, arrays of numbers, standardised where a network sees them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import SIGMOID
from focalbench.runs.reference import WEIGHTED, is_own, name_in
from focalbench.runs.resampling import Method, Resampling
from focalbench.training.references import PENALTIES, TREES

SAMPLERS = {  # of imbalanced-learn
    Method.UNDERSAMPLE: ("under_sampling", "RandomUnderSampler"),
    Method.OVERSAMPLE: ("over_sampling", "RandomOverSampler"),
    Method.SMOTE: ("over_sampling", "SMOTE"),
}
CLASSIFIERS = {  # of other libraries: what is imported, and how it is told to weigh the classes alike
    "lightgbm": ("LGBMClassifier", "verbosity=-1", "class_weight='balanced'"),
    "xgboost": ("XGBClassifier", "", "scale_pos_weight=(1 - rate) / rate"),
    "catboost": ("CatBoostClassifier", "verbose=False, allow_writing_files=False", "auto_class_weights='Balanced'"),
}


@dataclass(frozen=True)
class Trained:
    """A loss with the settings that validation chose. hidden: units a layer; epochs: passes over the rows."""

    arm: Arm
    hidden: tuple[int, ...]
    lr: float
    epochs: int
    batch_size: int

    @property
    def alpha(self) -> str:
        """The weight of the positives as code; pos_weight and balanced weigh by the share of the negatives."""
        return "1 - rate" if self.arm.balanced else repr(self.arm.alpha)

    @property
    def is_bce(self) -> bool:
        """Whether it is plain cross entropy."""
        return self.arm.loss == "bce"


def snippets(found: Trained) -> dict[str, str]:
    """Code by library: of a loss that has no closed form, scikit-learn's only."""
    if found.arm.resampling is not None:
        return {"scikit-learn": _resampled(found, found.arm.resampling)}
    named = {"scikit-learn": _estimator(found)}
    if found.arm.loss not in SIGMOID:
        return named
    return {"pytorch": _pytorch(found), **named, "lightgbm": _lightgbm(found), "xgboost": _xgboost(found)}


def _pytorch(found: Trained) -> str:
    loss = "torch.nn.BCEWithLogitsLoss()" if found.is_bce else f"SigmoidFocalLoss({_focal(found)}, reduction='mean')"
    own = "" if found.is_bce else "SigmoidFocalLoss, "
    return f"""\
import torch
from focalbench.losses import {own}best_constant, focal_to_probability

X, y = torch.as_tensor(X_train, dtype=torch.float32), torch.as_tensor(y_train, dtype=torch.float32)
rate = y.mean().item()
network = torch.nn.Sequential(
{_layers(found.hidden)}
)
torch.nn.init.constant_(network[-1].bias, best_constant(rate, {_focal(found)}))
loss = {loss}
optimizer = torch.optim.Adam(network.parameters(), lr={found.lr!r})
for _ in range({found.epochs}):
    for rows in torch.randperm(len(X)).split({found.batch_size}):
        optimizer.zero_grad()
        loss(network(X[rows]).squeeze(1), y[rows]).backward()
        optimizer.step()
with torch.no_grad():
    logits = network(torch.as_tensor(X_new, dtype=torch.float32)).squeeze(1)
probability = focal_to_probability(logits, {_focal(found)})
"""


def _focal(found: Trained) -> str:
    return f"alpha={found.alpha}, gamma={found.arm.gamma!r}"


def _layers(hidden: Sequence[int]) -> str:
    widths = ["X.shape[1]", *map(str, hidden), "1"]
    lines = [f"    torch.nn.Linear({inputs}, {outputs})," for inputs, outputs in pairwise(widths)]
    return "\n    torch.nn.ReLU(),\n".join(lines)


def _settings(found: Trained, passes: str) -> str:
    """The settings of the estimator, a line each. passes: over the rows, as code."""
    arm = found.arm
    given: dict[str, object] = {"hidden_layer_sizes": found.hidden, "loss": arm.loss}
    given |= {"alpha": arm.alpha} if arm.alpha is not None else {}
    given |= {"gamma": arm.gamma} if arm.loss == "focal" else {}
    given |= {"loss_params": dict(arm.params)} if arm.params else {}
    given |= {"init": arm.init} if arm.init != "own" else {}
    given |= {"learning_rate_init": found.lr}
    lines = [f"{name}={value!r}" for name, value in given.items()]
    return "\n".join(f"    {line}," for line in (*lines, f"max_iter={passes}", f"batch_size={found.batch_size}"))


def _resampled(found: Trained, how: Resampling) -> str:
    """As many steps as in the comparison, whatever the rows; what resampling did to the rate is undone at the end."""
    room, sampler = SAMPLERS[how.method]
    passes = f"max(1, {found.epochs} * len(y_train) // max(len(y), {found.batch_size}))"
    return f"""\
from focalbench.estimators import FocalMLPClassifier
from imblearn.{room} import {sampler}
from scipy.special import expit, logit
from sklearn.preprocessing import StandardScaler

scale = StandardScaler().fit(X_train)
X, y = {sampler}(sampling_strategy={how.ratio!r}).fit_resample(scale.transform(X_train), y_train)
network = FocalMLPClassifier(
{_settings(found, passes)}
)
network.fit(X, y)
moved = logit(y_train.mean()) - logit(y.mean())
probability = expit(logit(network.predict_proba(scale.transform(X_new))[:, 1]) + moved)
"""


def _estimator(found: Trained) -> str:
    return f"""\
from focalbench.estimators import FocalMLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

network = FocalMLPClassifier(
{_settings(found, str(found.epochs))}
)
model = make_pipeline(StandardScaler(), network).fit(X_train, y_train)
probability = model.predict_proba(X_new)[:, 1]
"""


def _lightgbm(found: Trained) -> str:
    if found.is_bce:
        return """\
import lightgbm

model = lightgbm.LGBMClassifier(verbosity=-1).fit(X_train, y_train)
probability = model.predict_proba(X_new)[:, 1]
"""
    return f"""\
import lightgbm
import numpy
from focalbench.boosting import FocalObjective

rate = y_train.mean()
focal = FocalObjective({_focal(found)})
start = focal.start(y_train)
rows = lightgbm.Dataset(X_train, y_train, init_score=numpy.full(len(y_train), start))
model = lightgbm.train({{"objective": focal, "verbosity": -1}}, rows, 100)
probability = focal.probabilities(start + model.predict(X_new))
"""


def _xgboost(found: Trained) -> str:
    if found.is_bce:
        return """\
import xgboost

model = xgboost.XGBClassifier().fit(X_train, y_train)
probability = model.predict_proba(X_new)[:, 1]
"""
    return f"""\
import xgboost
from focalbench.boosting import FocalObjective

rate = y_train.mean()
focal = FocalObjective({_focal(found)})
model = xgboost.train({{"base_score": focal.start(y_train)}}, xgboost.DMatrix(X_train, y_train), 100, obj=focal)
probability = focal.probabilities(model.predict(xgboost.DMatrix(X_new), output_margin=True))
"""


def reference_snippet(row: str) -> str:
    """Code for a reference by the label of its row, its settings chosen anew by cross-validation; "" for your own."""
    name, weighted = name_in(row), ", class_weight='balanced'" if row.endswith(WEIGHTED) else ""
    if is_own(name):
        return ""
    if name in CLASSIFIERS:
        return _library(name, weighted=bool(weighted))
    if name == "logistic":
        imported = "from sklearn.linear_model import LogisticRegression"
        model, grid = f"LogisticRegression(max_iter=1000{weighted})", f"[{{'C': {list(PENALTIES)}}}]"
    else:
        imported = "from sklearn.ensemble import HistGradientBoostingClassifier"
        model = f"HistGradientBoostingClassifier(early_stopping=False{weighted})"
        trees = ({key: [value] for key, value in tree.items()} for tree in TREES)
        grid = "\n".join(["[", *(f"    {tree}," for tree in trees), "]"])
    return f"""\
{imported}
from sklearn.model_selection import GridSearchCV

settings = {grid}
model = GridSearchCV({model}, settings, scoring="average_precision")
probability = model.fit(X_train, y_train).predict_proba(X_new)[:, 1]
"""


def _library(name: str, *, weighted: bool) -> str:
    kind, fixed, balanced = CLASSIFIERS[name]
    given = ", ".join(filter(None, (fixed, balanced if weighted else "")))
    rate = "rate = y_train.mean()\n" if "rate" in given else ""
    return f"""\
from {name} import {kind}

{rate}model = {kind}({given}).fit(X_train, y_train)
probability = model.predict_proba(X_new)[:, 1]
"""
