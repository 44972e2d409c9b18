"""The losses that a comparison under a budget can afford to compare."""

from dataclasses import replace

from focalbench.analysis.statistics import LEAST_SEEDS
from focalbench.base.amounts import clock, counted
from focalbench.execution.pools import Backend
from focalbench.jobs.forecast import forecast
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.arm_choice import BCE, GAMMA_2, OWN_ARMS, RETINANET

FEW = (BCE, Arm("pos_weight"), Arm("alpha", alpha=0.75), GAMMA_2, RETINANET)


def affordable(experiment: Experiment, backend: Backend, seconds: float) -> tuple[Experiment, tuple[str, ...]]:
    """The experiment with the losses of the default sweep at their own starts, or with few of them where so many would
    leave too few seeds for a verdict; and what is to be said of that. seconds: of the budget.
    """
    whole = replace(experiment, arms=OWN_ARMS)
    least = replace(whole, seeds=min(LEAST_SEEDS, experiment.seeds))
    found = forecast(make_plan(least), (), backend)
    if found is None or found.seconds <= seconds:
        return whole, ()
    takes = f"{counted(least.seeds, 'seed')} of {counted(len(OWN_ARMS), 'loss', 'losses')} take about"
    said = f"{takes} {clock(found.seconds)}, so {len(FEW)} losses are compared; a longer `budget` compares all"
    return replace(experiment, arms=FEW), (said,)
