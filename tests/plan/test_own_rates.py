"""Data sets with rates of their own, in one experiment."""

from pathlib import Path

import pytest

from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment, as_mapping
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import from_mapping, load, to_toml
from focalbench.plan.whole_seeds import Whole, part_of, shortened
from focalbench.runs.arm import Arm

OWN = Experiment(
    datasets=("mixture", "gaussians", "xor"),
    positive_rates=(0.05,),
    own_rates=(("gaussians", (0.06, 0.1)),),
    rows=400,
    seeds=2,
    arms=(Arm("bce"),),
    references=False,
)


def test_a_data_set_has_its_own_rates_and_the_others_the_common_ones(tmp_path: Path) -> None:
    cells = [("mixture", 0.05), ("gaussians", 0.06), ("gaussians", 0.1), ("xor", 0.05)]
    assert OWN.cells == cells
    planned = dict.fromkeys((run.recipe.dataset, run.recipe.positive_rate) for run in make_plan(OWN).runs)
    assert list(planned) == cells
    (tmp_path / "e.toml").write_text(to_toml(OWN))
    assert load(tmp_path / "e.toml")[0] == OWN
    assert as_mapping(OWN)["own_rates"] == (("gaussians", (0.06, 0.1)),)


def test_a_stopped_sweep_keeps_the_rates_of_what_is_whole() -> None:
    plan = make_plan(OWN)
    for kept in (("gaussians", "xor"), ("mixture",)):
        whole = Whole(kept, 1)
        short = shortened(OWN, plan, whole)
        assert [run.run_id for run in make_plan(short).runs] == [run.run_id for run in part_of(plan, whole).runs]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"census": [0.1]}, "names 'census', which is none of the datasets"),
        ({"mixture": [1.5]}, "must lie between 0 and 1, got 1.5"),
        ({"mixture": []}, "a list with at least one entry"),
        ({"mixture": 0.1}, "a list with at least one entry"),
        ([0.1], "is a table such as"),
    ],
)
def test_rates_that_are_none_are_refused(value: object, why: str) -> None:
    with pytest.raises(InputError, match=why):
        from_mapping({"own_rates": value}, None, "e.toml")
