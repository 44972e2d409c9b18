"""The seeds that are whole, the table that can be made of them, and the time that one more needs."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalbench.jobs.budget import ENDING, WRITTEN, Budget
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import make_stacks
from focalbench.plan.whole_seeds import Tally, Whole, part_of, shortened
from focalbench.runs.arm import Arm
from focalbench.runs.run import Recipe, Run, Training

SMALL = Experiment(
    datasets=("gaussians", "xor"), positive_rates=(0.02, 0.05), rows=1500, seeds=4, first_seed=7, lrs=(0.01, 0.001)
)
RUN = Run(Recipe("mixture", 900, 0.02), Training(), Arm("bce"), 0.01, 0)


def plan_of(seeds: int, datasets: Sequence[str] = ("a", "b"), runs: int = 3) -> list[Run]:
    return [
        replace(RUN, recipe=replace(RUN.recipe, dataset=dataset), lr=0.1 * (i + 1), seed=5 + seed)
        for dataset in datasets
        for i in range(runs)
        for seed in range(seeds)
    ]


@given(st.integers(1, 5), st.integers(1, 3), st.data())
def test_whole_seeds_are_those_that_lead_without_a_gap(seeds: int, datasets: int, data: st.DataObject) -> None:
    runs = plan_of(seeds, "abc"[:datasets])
    done = data.draw(st.permutations(runs))[: data.draw(st.integers(0, len(runs)))]
    tally, by_hand = Tally(runs), dict.fromkeys("abc"[:datasets], 0)
    for run in done:
        tally.see([run])
    for name in by_hand:
        while by_hand[name] < seeds and all(
            run in done for run in runs if (run.recipe.dataset, run.seed) == (name, 5 + by_hand[name])
        ):
            by_hand[name] += 1
    assert tally.count == sum(by_hand.values())
    assert tally.planned == seeds
    if done:
        latest = done[-1].recipe.dataset
        assert tally.latest == Whole((latest,), by_hand[latest])
    largest = tally.largest
    assert all(by_hand[name] >= largest.seeds for name in largest.datasets)
    areas = [len([name for name in by_hand if by_hand[name] >= n]) * n for n in range(1, seeds + 1)]
    assert largest.seeds * len(largest.datasets) == max(areas)


@pytest.mark.parametrize("whole", [Whole(("gaussians",), 4), Whole(("gaussians", "xor"), 2), Whole(("xor",), 1)])
def test_a_part_of_a_plan_is_the_plan_of_a_shorter_experiment(whole: Whole) -> None:
    plan = make_plan(SMALL)
    part, short = part_of(plan, whole), shortened(SMALL, plan, whole)
    assert (short.datasets, short.seeds, short.first_seed) == (whole.datasets, whole.seeds, 7)
    assert part.runs == make_plan(short).runs
    assert part_of(plan, Whole(("gaussians", "xor"), 4)) == plan


def test_stacks_finish_one_seed_after_another_rates_together() -> None:
    plan = make_plan(replace(SMALL, hidden=(8,)))
    tally, seen = Tally(plan.runs), []
    for stack in make_stacks(plan.runs):
        tally.see(stack)
        seen.append((tally.latest.datasets[0], tally.latest.seeds))
    expected = [(name, seeds) for name in ("gaussians", "xor") for seeds in range(5)]
    assert list(dict.fromkeys(seen)) == expected


def budget(seconds: float, times: Sequence[tuple[float, int]], monkeypatch: pytest.MonkeyPatch) -> Budget:
    """A budget that began at 100, and saw so many whole seeds then and then."""
    made = Budget(seconds, 100.0)
    for moment, whole in times:
        monkeypatch.setattr("time.monotonic", lambda moment=moment: moment)
        made.see(whole, 0)
    return made


@pytest.mark.parametrize(
    ("seconds", "times", "spent"),
    [
        (10, [(102, 0)], False),  # nothing is known yet
        (10, [(102, 0), (105, 0)], False),
        (10, [(102, 0), (111, 0)], True),  # over
        (20, [(102, 0), (110, 1)], False),  # the second is whole at 118 if it takes as long as the first
        (17, [(102, 0), (110, 1)], True),
        (20, [(102, 0), (110, 1), (113, 2)], False),  # the third at 116: workers had to start before the first
        (20, [(102, 0), (110, 1), (113, 2), (116, 3)], False),  # at 119, and there is as much
        (18, [(102, 0), (110, 1), (113, 2), (116, 3)], True),
        (20, [(102, 4), (110, 5), (113, 7)], False),  # some were stored; two at once take half as long each
        (14, [(102, 4), (110, 5), (113, 7)], True),
    ],
)
def test_a_budget_is_spent_when_the_next_seed_does_not_fit(
    seconds: float, times: list[tuple[float, int]], spent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert budget(seconds + ENDING, times, monkeypatch).is_spent() == spent


def test_time_is_kept_back_for_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    made = budget(10 + ENDING, [(102, 0), (105, 1)], monkeypatch)
    assert not made.is_spent()  # the next at 108
    made.see(1, round(3 / WRITTEN))
    assert made.is_spent()
