from dataclasses import replace

from focalbench.arms import Arm, Recipe, Run, Training
from focalbench.references import REFERENCES
from focalbench.standing import Standing
from focalbench.store import Number, Result

RUN = Run(Recipe("mixture", 900, 0.02), Training(), Arm("bce"), 0.01, 0)
FOCAL = replace(RUN, arm=Arm("focal", gamma=2.0))


def see(standing: Standing, run: Run, validation: Number, test: float = 0.0) -> None:
    values: dict[str, Number] = {"val_average_precision": validation, "test_average_precision": test}
    standing.see((run,), [Result(run.run_id, values, {}, 1.0)])


def test_the_best_learning_rate_of_every_seed_counts_and_the_mean_leads() -> None:
    standing = Standing()
    assert standing.leader() is None
    for seed, (bce, focal) in enumerate([(0.5, 0.4), (0.3, 0.6)]):
        see(standing, replace(RUN, seed=seed), bce, test=0.9)  # test is for the end
        see(standing, replace(FOCAL, seed=seed), focal)
        see(standing, replace(FOCAL, seed=seed, lr=0.1), focal - 0.2)
    assert standing.leader() == ("gamma=2", 0.5, 2)


def test_one_easy_seed_leads_no_race() -> None:
    standing = Standing()
    for seed in range(3):
        see(standing, replace(RUN, seed=seed), 0.5)
    see(standing, FOCAL, 0.9)
    assert standing.leader() == ("bce", 0.5, 3)


def test_references_and_runs_without_a_number_are_left_out_and_each_data_set_has_its_leader() -> None:
    standing = Standing()
    model, arm = REFERENCES[0]
    see(standing, replace(RUN, training=replace(RUN.training, model=model), arm=arm), 0.9)
    see(standing, RUN, None)
    assert standing.leader() is None
    see(standing, RUN, 0.5)
    see(standing, replace(FOCAL, recipe=Recipe("xor", 900, 0.02)), 0.2)
    assert standing.leader() == ("gamma=2", 0.2, 1)
