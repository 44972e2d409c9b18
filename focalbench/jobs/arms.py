"""The arms and references that a person names, with losses and models of their own among them."""

from collections.abc import Sequence

from focalbench.runs.arm import Arm, is_custom
from focalbench.runs.arm_choice import ArmOptions
from focalbench.runs.reference import Reference, is_own


def arm_options(
    losses: Sequence[str], alphas: Sequence[str] = (), gammas: Sequence[float] = (), inits: Sequence[str] = ()
) -> ArmOptions:
    """What is said of arms, as chosen_arms takes it. losses: names of this package, or module:NAME of one's own, which
    are imported here. Raises InputError for what is no loss.
    """
    named = tuple(text for text in losses if not is_custom(text))
    own = tuple(_own_arm(text) for text in losses if is_custom(text))
    return ArmOptions(named, tuple(alphas), tuple(gammas), tuple(inits), own)


def _own_arm(text: str) -> Arm:
    from focalbench.training.own.custom import make_custom, source_hash

    make_custom(text)  # refused now, or not at all
    return Arm(text, source=source_hash(text))


def named_references(names: Sequence[str]) -> tuple[Reference, ...]:
    """References by name, each once; module:NAME of one's own is imported here. Raises InputError for what is none."""
    return tuple(_own_reference(name) if is_own(name) else Reference(name) for name in dict.fromkeys(names))


def _own_reference(name: str) -> Reference:
    from focalbench.training.own.fitting import about

    return Reference(name, about(name).source)
