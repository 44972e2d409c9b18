"""An experiment: everything a person decides, as a frozen dataclass and as a TOML file. An unknown key is an error."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

from focalbench.arms import FOCAL, INITS, LOSSES, OF_A_BATCH, RIVALS, SOFTMAX, TASKS, Alpha, Arm, Init, is_custom
from focalbench.datasets.families import canonical, is_synthetic
from focalbench.errors import InputError
from focalbench.samplers import check_sampler

BCE = Arm("bce")
GAMMA_2 = Arm("focal", gamma=2.0)
ALPHAS: tuple[Alpha, ...] = (0.25, 0.75, 0.9, 0.99)
GAMMAS = (0.5, 1.0, 2.0, 3.0, 5.0)
RETINANET = Arm("focal", alpha=0.25, gamma=2.0)
OWN_ARMS = (
    BCE,
    Arm("pos_weight"),
    *(Arm("alpha", alpha=alpha) for alpha in ALPHAS),
    *(Arm("focal", gamma=gamma) for gamma in GAMMAS),
    RETINANET,
    *(Arm("focal", alpha="balanced", gamma=gamma) for gamma in (0.5, 1.0, 2.0)),
)
CE, WEIGHTED_CE, SOFTMAX_GAMMA_2 = Arm("ce"), Arm("weighted_ce"), Arm("softmax_focal", gamma=2.0)
MULTICLASS_ARMS = (
    CE,
    WEIGHTED_CE,
    *(Arm("softmax_focal", gamma=gamma) for gamma in GAMMAS),
    *(Arm("softmax_focal", alpha="balanced", gamma=gamma) for gamma in (0.5, 1.0, 2.0)),
    BCE,
    Arm("pos_weight"),
    GAMMA_2,
    RETINANET,
)
# shown from zero bias too: what people do without thinking
ZERO_STARTED = (BCE, Arm("pos_weight"), GAMMA_2, CE, WEIGHTED_CE, SOFTMAX_GAMMA_2)
MOST = {"rows": 10_000_000, "seeds": 10_000, "epochs": 10_000, "batch_size": 100_000}  # beyond: a slip of the hand
MOST_UNITS = 16_384
CHECK_EPOCHS = 5  # beyond them, rounding on another CPU moves the numbers
QUICK_ARMS = (BCE, Arm("pos_weight"), GAMMA_2, replace(BCE, init="zero"), replace(GAMMA_2, init="zero"))
QUICK_MULTICLASS = (
    CE,
    WEIGHTED_CE,
    SOFTMAX_GAMMA_2,
    BCE,
    *(replace(arm, init="zero") for arm in (CE, SOFTMAX_GAMMA_2)),
)
SAMPLERS_OF_CLASSES = ("random", "stratified", "groups")  # those that leave the rates alone


def with_zero_starts(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The arms at their own start, then those of BCE, pos_weight and gamma 2 among them from zero bias."""
    return (*arms, *(replace(arm, init="zero") for arm in ZERO_STARTED if arm in arms))


@dataclass(frozen=True)
class Experiment:
    """datasets x positive_rates (None: natural) x arms x lrs x seeds, on equal terms.

    task: binary, multiclass (the rate is that of the rare class) or multilabel. labels: the columns of 0/1 that a
    multilabel file predicts. arms: () are those of the default sweep of the task. rows: training rows; label_noise:
    share of positives swapped, in [0, 0.5); epochs and batch_size in passes and rows; references: whether
    scikit-learn's models stand under the table; claims: False where a table is too small to support one, and says so.
    """

    task: str = "binary"
    datasets: tuple[str, ...] = ("mixture",)
    positive_rates: tuple[float | None, ...] = (0.0015,)
    target: str | None = None
    labels: tuple[str, ...] = ()
    positive: str | None = None
    drop: tuple[str, ...] = ()
    keep_duplicates: bool = False
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    test_prevalence: str = "thin"
    label_noise: float = 0.0
    rows: int = 40_000
    arms: tuple[Arm, ...] = ()
    lrs: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2)
    first_seed: int = 0
    seeds: int = 10
    epochs: int = 20
    batch_size: int = 512
    sampler: str = "random"
    model: str = "mlp"
    hidden: tuple[int, ...] = (64, 64)
    device: str = "cpu"
    references: bool = True
    claims: bool = True

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; choose one of {', '.join(TASKS)}")
        if not self.arms:
            object.__setattr__(self, "arms", with_zero_starts(own_arms(self.task)))
        for name, most in MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"{name} must lie between 1 and {most:,}, got {getattr(self, name):,}")
        if self.first_seed < 0:
            raise InputError(f"first_seed must be at least 0, got {self.first_seed}")
        if not self.lrs or not all(0 < lr < float("inf") for lr in self.lrs):
            raise InputError(f"learning rates must be finite numbers above 0, got {list(self.lrs)}")
        if self.model not in ("logistic", "mlp"):
            raise InputError(f"unknown model {self.model!r}; choose logistic or mlp")
        if self.model == "mlp" and not (self.hidden and 1 <= min(self.hidden) <= max(self.hidden) <= MOST_UNITS):
            raise InputError(f"hidden must name layers of 1 to {MOST_UNITS:,} units, got {list(self.hidden)}")
        if not 0 <= self.label_noise < 0.5:
            raise InputError(f"label noise must lie in [0, 0.5), got {self.label_noise}")
        for rate in self.positive_rates:
            if rate is not None and not 0 < rate < 1:
                raise InputError(f"the positive rate must lie between 0 and 1, got {rate}")
        if self.device not in ("cpu", "cuda"):
            raise InputError(f"unknown device {self.device!r}; choose cpu or cuda")
        object.__setattr__(self, "sampler", check_sampler(self.sampler, self.batch_size))
        names = [canonical(name) if is_synthetic(name) else Path(name).name for name in self.datasets]
        repeatable = {"positive_rates": self.positive_rates, "lrs": self.lrs, "arms": self.arms, "file names": names}
        repeatable["labels"] = self.labels
        for name, values in repeatable.items():
            if len(set(values)) < len(values):
                raise InputError(f"{name} holds an entry twice; name each once")
        for arm in self.arms:
            if (plain := plain_arm(arm)) != arm:
                raise InputError(f"{arm.name} is {plain.name} up to a factor; name the loss {plain.loss}")
            if self.weight and (arm.loss in OF_A_BATCH or is_custom(arm.loss)):
                raise InputError(f"{arm.loss} sees whole batches and takes no row weights; leave it or --weight out")
        if self.group and self.time:
            raise InputError("--group and --time are two ways to split; give one")
        if self.test_prevalence not in ("thin", "weight"):
            raise InputError(f"unknown --test-prevalence {self.test_prevalence!r}; choose thin or weight")
        if self.test_prevalence == "weight" and None in self.positive_rates:
            raise InputError("--test-prevalence weight brings the test to --pos-rate; give that as well")
        baseline = baseline_of(self.task)
        for init in {arm.init for arm in self.arms}:
            if replace(baseline, init=init) not in self.arms:
                raise InputError(f"arms started at {init!r} need {baseline.loss} at the same start to be compared with")
        self._check_task()

    def _check_task(self) -> None:
        """What goes with one task only."""
        for arm in self.arms:
            if arm.loss in SOFTMAX and self.task != "multiclass":
                raise InputError(f"{arm.loss} is a softmax over classes: use it with --task multiclass")
            if arm.loss not in (*LOSSES, *SOFTMAX) and self.task != "binary":
                raise InputError(f"{arm.loss} is for --task binary; {self.task} has {', '.join(_core(self.task))}")
        if len(self.labels) == 1:
            raise InputError("--task multilabel predicts several columns: give two or more --label, or use --target")
        if self.labels and (self.task != "multilabel" or self.target or self.positive):
            raise InputError("--label names what --task multilabel predicts, instead of --target and --positive")
        if self.task == "binary":
            return
        if self.label_noise or self.test_prevalence != "thin":
            raise InputError("--label-noise and --test-prevalence weight are for --task binary; leave them out")
        if self.sampler not in SAMPLERS_OF_CLASSES:
            names = ", ".join(SAMPLERS_OF_CLASSES)
            raise InputError(f"--sampler {self.sampler} draws two classes only; with --task {self.task} choose {names}")
        tables = [name for name in self.datasets if not is_synthetic(name)]
        if self.task == "multilabel" and tables and set(self.positive_rates) != {None}:
            raise InputError(
                "the labels of a table share its rows, so no label has a rate of its own: leave --pos-rate "
                'out (in a file: positive_rates = ["natural"])'
            )
        if self.task == "multilabel" and tables and not self.labels:
            raise InputError("--task multilabel needs --label for each column to predict, two or more of them")


def baseline_of(task: str) -> Arm:
    """What the others are compared with: BCE, or the cross entropy of a softmax over classes."""
    return CE if task == "multiclass" else BCE


def own_arms(task: str) -> tuple[Arm, ...]:
    """The arms of a task's default sweep, at their own starts."""
    return MULTICLASS_ARMS if task == "multiclass" else OWN_ARMS


def quick_arms(task: str) -> tuple[Arm, ...]:
    """The few arms of a smoke test."""
    return QUICK_MULTICLASS if task == "multiclass" else QUICK_ARMS


def _core(task: str) -> tuple[str, ...]:
    return (*SOFTMAX, *LOSSES) if task == "multiclass" else LOSSES


@dataclass(frozen=True)
class ArmOptions:
    """What the command line may say about arms; an empty tuple means: not said.

    losses: names, rivals also as name:key=value,..., "rivals" for all of them. custom: arms of your own losses.
    """

    losses: tuple[str, ...] = ()
    alphas: tuple[str, ...] = ()
    gammas: tuple[float, ...] = ()
    inits: tuple[str, ...] = ()
    custom: tuple[Arm, ...] = ()

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return bool(self.losses or self.custom or self.alphas or self.gammas or self.inits)


def chosen_arms(options: ArmOptions, task: str = "binary") -> tuple[Arm, ...]:
    """The product of the options, the task's baseline always first. What is not said takes the default sweep's values.

    Raises InputError for unknown values and for an option that no chosen loss uses.

    >>> [arm.name for arm in chosen_arms(ArmOptions(losses=("focal",), gammas=(2.0,)))]
    ['bce', 'gamma=2', 'bce (zero start)', 'gamma=2 (zero start)']
    """
    alphas = [_alpha(text) for text in options.alphas]
    arms = [baseline_of(task)]
    for loss in _losses(options, task):
        if loss == "alpha":
            arms += _alpha_arms(alphas)
        elif loss in FOCAL:
            arms += _focal_arms(loss, alphas, options.gammas, task)
        elif loss == "rivals":
            arms += [Arm(name) for name in RIVALS]
        else:
            arms.append(_named_arm(loss))
    arms += options.custom
    unique = tuple(dict.fromkeys(arms))
    if not options.inits:
        return with_zero_starts(unique)
    for init in options.inits:
        if init not in INITS:
            raise InputError(f"unknown --init {init!r}; choose one of {', '.join(INITS)}")
    return tuple(replace(arm, init=cast(Init, init)) for init in dict.fromkeys(options.inits) for arm in unique)


def _losses(options: ArmOptions, task: str) -> tuple[str, ...]:
    losses = options.losses or (() if options.custom else SOFTMAX if task == "multiclass" else LOSSES)
    if options.gammas and not set(FOCAL) & set(losses):
        raise InputError("--gamma is used by --loss focal only; add it or leave --gamma out")
    if options.alphas and not {"alpha", *FOCAL} & set(losses):
        raise InputError("--alpha is used by --loss alpha and --loss focal only; add one or leave --alpha out")
    if options.losses and set(options.alphas) == {"none"} and not set(FOCAL) & set(losses):
        raise InputError("--alpha none means no weighting, which is --loss bce; give --loss alpha a number")
    return losses


def _named_arm(text: str) -> Arm:
    """The arm of a loss as the command line names it.

    >>> _named_arm("tversky:beta=0.9").name
    'tversky beta=0.9'
    """
    name, _, rest = text.partition(":")
    if name not in (*LOSSES, *SOFTMAX, *RIVALS):
        known = ", ".join((*LOSSES, *SOFTMAX, "rivals", *RIVALS))
        raise InputError(f"unknown --loss {text!r}; choose one of {known}, or your own as module:NAME")
    try:
        params = tuple((key, float(value)) for key, value in (part.split("=") for part in rest.split(",") if part))
    except ValueError:
        raise InputError(f"--loss {text}: write hyperparameters of {name} as name=number,... after the colon") from None
    if params and name in (*LOSSES, *SOFTMAX):
        raise InputError(f"--loss {text}: {name} takes its hyperparameters from --alpha and --gamma")
    if len(dict(params)) < len(params):
        raise InputError(f"--loss {text} names a hyperparameter twice")
    return plain_arm(Arm(name, params=params))


def _alpha(text: str) -> Alpha:
    if text == "none":
        return None
    if text == "balanced":
        return "balanced"
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--alpha takes none, balanced or a number in [0, 1], got {text!r}") from None


def _alpha_arms(alphas: Sequence[Alpha]) -> list[Arm]:
    values = [alpha for alpha in alphas if alpha is not None] if alphas else list(ALPHAS)
    return [plain_arm(Arm("alpha", alpha=alpha)) for alpha in values]


def _focal_arms(loss: str, alphas: Sequence[Alpha], gammas: Sequence[float], task: str) -> list[Arm]:
    if not alphas and not gammas:
        return [arm for arm in own_arms(task) if arm.loss == loss]
    return [plain_arm(Arm(loss, alpha, gamma)) for alpha in alphas or (None,) for gamma in gammas or GAMMAS]


def plain_arm(arm: Arm) -> Arm:
    """One loss, one arm: focal without focusing is alpha or BCE, and alpha balanced is pos_weight up to a factor.

    >>> plain_arm(Arm("focal", alpha="balanced", gamma=0.0)).name
    'pos_weight'
    >>> plain_arm(Arm("poly1", params=(("epsilon", 0.0),))).name
    'bce'
    """
    if arm.loss in RIVALS:
        return _plain_rival(arm)
    if arm.loss not in ("alpha", *FOCAL) or arm.gamma != 0:
        return arm
    if arm.loss == "softmax_focal":
        return Arm("weighted_ce" if arm.alpha == "balanced" else "ce", init=arm.init)
    if arm.alpha == "balanced":
        return Arm("pos_weight", init=arm.init)
    return Arm("bce", init=arm.init) if arm.alpha is None else Arm("alpha", alpha=arm.alpha, init=arm.init)


def _plain_rival(arm: Arm) -> Arm:
    values = tuple(value for _, value in arm.params)
    if arm.loss in ("class_balanced", "label_smoothed", "poly1", "logit_adjusted") and values == (0.0,):
        return Arm("bce", init=arm.init)
    if arm.loss == "asymmetric" and values[0] == values[1] and values[2] == 0:
        return plain_arm(Arm("focal", gamma=values[0], init=arm.init))
    if arm.loss == "tversky" and values[0] == values[1] == 0.5:
        return Arm("dice", params=(("smooth", 2 * values[2]),), init=arm.init)
    return arm


def to_toml(experiment: Experiment) -> str:
    """The experiment as TOML, complete: reading it gives an equal experiment, if it has no loss of somebody's own."""
    lines = []
    for name, value in ((f.name, getattr(experiment, f.name)) for f in fields(Experiment)):
        if name == "positive_rates":
            value = tuple("natural" if rate is None else rate for rate in value)
        if name != "arms" and value is not None:
            lines.append(f"{name} = {_toml(value)}")
    for arm in experiment.arms:
        alpha = "none" if arm.alpha is None else arm.alpha
        lines.append("\n[[arms]]")
        lines += [
            f"{k} = {_toml(v)}"
            for k, v in (("loss", arm.loss), ("alpha", alpha), ("gamma", arm.gamma), ("init", arm.init))
        ]
        if arm.params:
            lines.append("params = { " + ", ".join(f"{name} = {value!r}" for name, value in arm.params) + " }")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    # JSON but for two things: TOML has no surrogate pairs, and wants DEL escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def load(path: Path) -> tuple[Experiment, tuple[Experiment, ...]]:
    """Read an experiment file: the experiment, and the short ones its [[check]] tables declare (overrides of it).

    Raises InputError for a missing or malformed file, an unknown key or a value of the wrong kind.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the experiment file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from None
    if not content:
        raise InputError(f"{path} is empty; name at least its datasets")
    checks = content.pop("check", [])
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        raise InputError(f"{path}: write each check as its own [[check]] table")
    base = from_mapping(content, Experiment(), str(path))
    short = tuple(from_mapping(check, base, f"{path}, [[check]]") for check in checks)
    if any(check.epochs > CHECK_EPOCHS for check in short):
        raise InputError(f"{path}: a [[check]] may have at most {CHECK_EPOCHS} epochs; say so in it: epochs = 3")
    return base, short


def from_mapping(content: Mapping[str, Any], base: Experiment, where: str) -> Experiment:
    """`base` with the values of a parsed TOML table in place of its own."""
    defaults = {f.name: getattr(Experiment(), f.name) for f in fields(Experiment)}
    changes: dict[str, Any] = {}
    for key, value in content.items():
        if key not in defaults:
            raise InputError(f"{where}: unknown key {key!r}; the keys are {', '.join(defaults)}")
        changes[key] = _value(key, value, defaults[key], where)
    if changes.get("task", base.task) != base.task and "arms" not in changes:
        changes["arms"] = ()  # the task's own
    return replace(base, **changes)


def _value(key: str, value: object, default: object, where: str) -> object:
    if key == "arms":
        return tuple(_arm(item, where) for item in _list(key, value, where))
    if key == "positive_rates":
        return tuple(None if item == "natural" else _scalar(key, item, 0.1, where) for item in _list(key, value, where))
    if isinstance(default, tuple):
        kind = default[0] if default else ""
        return tuple(_scalar(key, item, kind, where) for item in _list(key, value, where))
    return _scalar(key, value, "" if default is None else default, where)


def _list(key: str, value: object, where: str) -> list[object]:
    if not isinstance(value, list) or (key not in ("drop", "hidden", "labels") and not value):
        raise InputError(f"{where}: {key} must be a list with at least one entry, got {value!r}")
    return value


def _scalar(key: str, value: object, like: object, where: str) -> object:
    if isinstance(like, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(like):
        raise InputError(f"{where}: {key} must be of the kind {type(like).__name__}, got {value!r}")
    return value


def _arm(item: object, where: str) -> Arm:
    keys = {"loss", "alpha", "gamma", "init", "params"}
    if not isinstance(item, dict) or not item.keys() <= keys or "loss" not in item:
        raise InputError(f"{where}: an arm is a table with loss, alpha, gamma, init and params, got {item!r}")
    loss = cast(str, _scalar("loss", item["loss"], "", where))
    if is_custom(loss):
        raise InputError(f"{where}: your own loss is named on the command line only, as --loss {loss}")
    alpha = item.get("alpha", "none")
    text = alpha if isinstance(alpha, str) else repr(_scalar("alpha", alpha, 0.0, where))
    gamma = _scalar("gamma", item.get("gamma", 0.0), 0.0, where)
    params = item.get("params", {})
    if not isinstance(params, dict):
        raise InputError(f"{where}: params must be a table such as {{ ratio = 3.0 }}, got {params!r}")
    numbers = tuple((name, cast(float, _scalar(name, value, 0.0, where))) for name, value in params.items())
    try:
        return Arm(loss, _alpha(text), cast(float, gamma), item.get("init", "own"), numbers)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
