"""The arms that a person chooses: those of the default sweep, and what the command line says of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from focalbench.base.text import near_or, setting
from focalbench.errors import InputError
from focalbench.runs.arm import INITS, Alpha, Arm, read_init
from focalbench.runs.catalogue import CATALOGUE, FOCAL, RIVALS, SIGMOID, SOFTMAX, defaults
from focalbench.runs.resampling import Method, Resampling

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
QUICK_ARMS = (BCE, Arm("pos_weight"), GAMMA_2, replace(BCE, init="zero"), replace(GAMMA_2, init="zero"))
QUICK_MULTICLASS = (
    CE,
    WEIGHTED_CE,
    SOFTMAX_GAMMA_2,
    BCE,
    *(replace(arm, init="zero") for arm in (CE, SOFTMAX_GAMMA_2)),
)


def with_zero_starts(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """The arms at their own start, then those of BCE, pos_weight and gamma 2 among them from zero bias."""
    return (*arms, *(replace(arm, init="zero") for arm in ZERO_STARTED if arm in arms))


def with_baselines(arms: Sequence[Arm], baseline: Arm) -> tuple[Arm, ...]:
    """The arms, and for each of their starts the baseline, that they are compared with."""
    starts = dict.fromkeys(arm.init for arm in arms)
    return tuple(dict.fromkeys([*(replace(baseline, init=init) for init in starts), *arms]))


def in_order(arms: Iterable[Arm]) -> tuple[Arm, ...]:
    """Arms in the one order of plans and tables, however they were typed: by start, loss, alpha, gamma, parameters (a
    loss's usual ones first); those of resampled rows after all others of a start.
    """
    losses = (*SOFTMAX, *SIGMOID, *RIVALS)

    def place(arm: Arm) -> tuple[object, ...]:
        loss = losses.index(arm.loss) if arm.loss in losses else len(losses)
        weighting = 0 if arm.alpha is None else 2 if arm.alpha == "balanced" else 1
        values = (arm.alpha if weighting == 1 else 0.0, arm.gamma, arm.params != defaults(arm.loss), arm.params)
        how = arm.resampling
        resampled = (-1, 0.0) if how is None else (list(Method).index(how.method), -how.ratio)
        return (INITS.index(arm.init), *resampled, loss, arm.loss, weighting, *values)

    return tuple(sorted(arms, key=place))


def baseline_of(task: str) -> Arm:
    """What the others are compared with: BCE, or the cross entropy of a softmax over classes."""
    return CE if task == "multiclass" else BCE


def own_arms(task: str) -> tuple[Arm, ...]:
    """The arms of a task's default sweep, at their own starts."""
    return MULTICLASS_ARMS if task == "multiclass" else OWN_ARMS


def quick_arms(task: str) -> tuple[Arm, ...]:
    """The few arms of a smoke test."""
    return QUICK_MULTICLASS if task == "multiclass" else QUICK_ARMS


def core_losses(task: str) -> tuple[str, ...]:
    """The losses in closed form that a task has."""
    return (*SOFTMAX, *SIGMOID) if task == "multiclass" else tuple(SIGMOID)


@dataclass(frozen=True)
class ArmOptions:
    """What the command line may say about arms; an empty tuple means: not said.

    losses: names, rivals also as name:key=value,..., "rivals" for all of them. custom: arms of your own losses.
    resamplings: of the training rows, each with the baseline's loss.
    """

    losses: tuple[str, ...] = ()
    alphas: tuple[str, ...] = ()
    gammas: tuple[float, ...] = ()
    inits: tuple[str, ...] = ()
    custom: tuple[Arm, ...] = ()
    resamplings: tuple[Resampling, ...] = ()

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return bool(self.losses or self.custom or self.alphas or self.gammas or self.inits or self.resamplings)


def chosen_arms(options: ArmOptions, task: str = "binary") -> tuple[Arm, ...]:
    """The product of the options, the task's baseline always first. What is not said takes the default sweep's values.

    Raises InputError for unknown values and for an option that no chosen loss uses.

    >>> [arm.name for arm in chosen_arms(ArmOptions(losses=("focal",), gammas=(2.0,)))]
    ['bce', 'gamma=2', 'bce (zero start)', 'gamma=2 (zero start)']
    """
    alphas = [read_alpha(text) for text in options.alphas]
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
    arms += [replace(baseline_of(task), resampling=each) for each in options.resamplings]
    unique = tuple(dict.fromkeys(arms))
    if not options.inits:
        return with_zero_starts(unique)
    inits = dict.fromkeys(map(read_init, options.inits))
    return tuple(replace(arm, init=init) for init in inits for arm in unique)


def _losses(options: ArmOptions, task: str) -> tuple[str, ...]:
    losses = options.losses or (() if options.custom else tuple(SOFTMAX if task == "multiclass" else SIGMOID))
    if options.gammas and not set(FOCAL) & set(losses):
        raise InputError("`gamma` is used by `loss=focal` only; add it or leave `gamma` out")
    if options.alphas and not {"alpha", *FOCAL} & set(losses):
        raise InputError("`alpha` is used by `loss=alpha` and `loss=focal` only; add one or leave `alpha` out")
    if options.losses and set(options.alphas) == {"none"} and not set(FOCAL) & set(losses):
        raise InputError("`alpha=none` means no weighting, which is `loss=bce`; give `loss=alpha` a number")
    return losses


def _named_arm(text: str) -> Arm:
    """The arm of a loss as the command line names it.

    >>> _named_arm("tversky:beta=0.9").name
    'tversky beta=0.9'
    """
    (name, _, rest), asked = text.partition(":"), setting("loss", text)
    if name not in CATALOGUE:
        known = (*CATALOGUE, "rivals")
        hint = near_or(name, known, f"choose one of {', '.join(known)}, or your own as module:NAME")
        raise InputError(f"unknown `loss` {text!r}; {hint}")
    try:
        params = tuple((key, float(value)) for key, value in (part.split("=") for part in rest.split(",") if part))
    except ValueError:
        raise InputError(f"{asked}: write hyperparameters of {name} as name=number,... after the colon") from None
    if params and name not in RIVALS:
        raise InputError(f"{asked}: {name} takes its hyperparameters from `alpha` and `gamma`")
    if len(dict(params)) < len(params):
        raise InputError(f"{asked} names a hyperparameter twice")
    return plain_arm(Arm(name, params=params))


def read_alpha(text: str) -> Alpha:
    """An alpha as the command line writes it. Raises InputError."""
    if text == "none":
        return None
    if text == "balanced":
        return "balanced"
    try:
        return float(text)
    except ValueError:
        raise InputError(f"`alpha` takes none, balanced or a number in [0, 1], got {text!r}") from None


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
    return replace(_plain_arm(replace(arm, resampling=None)), resampling=arm.resampling)


def _plain_arm(arm: Arm) -> Arm:
    """As plain_arm, of rows that are not resampled."""
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
    of, values = dict(arm.params).__getitem__, tuple(value for _, value in arm.params)
    if arm.loss in ("class_balanced", "label_smoothed", "poly1", "logit_adjusted") and values == (0.0,):
        return Arm("bce", init=arm.init)
    if arm.loss == "asymmetric" and of("gamma_positive") == of("gamma_negative") and of("margin") == 0:
        return plain_arm(Arm("focal", gamma=of("gamma_positive"), init=arm.init))
    if arm.loss == "focal_tversky" and of("gamma") == 1:
        params = tuple((name, value) for name, value in arm.params if name != "gamma")
        return plain_arm(Arm("tversky", params=params, init=arm.init))
    if arm.loss == "tversky" and of("alpha") == of("beta") == 0.5:
        return Arm("dice", params=(("smooth", 2 * of("smooth")),), init=arm.init)
    return arm
