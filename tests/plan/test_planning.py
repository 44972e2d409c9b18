import json
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import fields, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from focalbench.analysis.run_rows import Source, run_row
from focalbench.datasets.build import build_splits
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import candidates, make_plan, tuned_families
from focalbench.plan.stacks import PROCESS_BYTES, make_stacks, stack_size, worker_bytes
from focalbench.runs.arm import INITS, Alpha, Arm
from focalbench.runs.arm_choice import BCE
from focalbench.runs.columns import COLUMN_KEYS, Columns
from focalbench.runs.metric import Metric
from focalbench.runs.reference import Reference
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.references import is_reference

SMALL = Experiment(positive_rates=(0.02,), rows=1500, seeds=2, references=False)
RUN = Run(
    Recipe("d.csv", 900, 0.01, sha256="ab", columns=Columns(target="y"), path="/a/d.csv"),
    Training(),
    Arm("focal"),
    0.01,
    3,
)


def test_the_default_sweep_is_every_arm_rate_and_seed_and_a_surplus_of_equal_candidates() -> None:
    runs = make_plan(Experiment(lrs=(1e-3, 3e-3, 1e-2), tuned=True)).runs
    arms = [run for run in runs if not is_reference(run)]
    assert len([run for run in arms if run.restart == 0]) == 18 * 3 * 10 == 540
    # focal has 5 arms, bce 1, alpha and alpha-focal 4
    assert Counter(run.arm.family for run in arms if run.restart > 0) == {"bce": 120, "alpha": 30, "alpha-focal": 30}
    assert len(runs) - len(arms) == 4 * 10


def test_every_arm_gets_every_learning_rate_and_seed() -> None:
    experiment = replace(SMALL, lrs=(0.1, 0.2, 0.3), first_seed=5, seeds=4, tuned=True)
    runs = make_plan(experiment).runs
    for arm, restart in candidates(experiment.arms):
        grid = [(run.lr, run.seed) for run in runs if (run.arm, run.restart) == (arm, restart)]
        assert grid == [(lr, seed) for lr in (0.1, 0.2, 0.3) for seed in (5, 6, 7, 8)]


ARMS = st.one_of(
    st.just(Arm("pos_weight")),
    st.builds(Arm, st.just("alpha"), st.floats(0, 1)),
    st.builds(Arm, st.just("focal"), st.sampled_from([None, 0.25, "balanced"]), st.floats(0, 5)),
)


@given(st.lists(ARMS, max_size=9), st.lists(st.sampled_from(INITS), min_size=1, unique=True))
def test_every_tuned_family_has_the_same_number_of_candidates(some: list[Arm], inits: list[Any]) -> None:
    arms = [replace(arm, init=init) for init in inits for arm in dict.fromkeys([BCE, *some])]
    found = candidates(arms)
    assert found[: len(arms)] == [(arm, 0) for arm in arms]
    assert len(set(found)) == len(found)
    counts = Counter((arm.init, arm.family) for arm, _ in found)
    for init in inits:
        own = [arm for arm in arms if arm.init == init]
        tuned = {family[0].family for family in tuned_families(own)}
        assert len({counts[init, family] for family in tuned}) <= 1
        assert {"bce"} <= tuned or not tuned
        assert all(counts[init, arm.family] == 1 for arm in own if arm.family not in tuned)


@pytest.mark.parametrize(
    "experiment",
    [
        Experiment(),
        replace(SMALL, datasets=("mixture", "xor"), positive_rates=(0.02, 0.03), references=True),
        replace(SMALL, lrs=(0.1, 0.2), label_noise=0.2),
    ],
)
def test_run_ids_are_unique(experiment: Experiment) -> None:
    runs = make_plan(experiment).runs
    assert len({run.run_id for run in runs}) == len(runs)
    assert all(len(run.run_id) == 16 and int(run.run_id, 16) >= 0 for run in runs)


def test_equal_numbers_have_equal_identities_whichever_came_first() -> None:
    for some in ((2, 2.0), (2.0, 2)):
        first, second = (replace(RUN, arm=Arm("focal", alpha=0, gamma=gamma)) for gamma in some)
        assert first.identity == second.identity
        assert '"alpha":0.0,"gamma":2.0' in first.identity
    noisy = [replace(RUN, recipe=replace(RUN.recipe, label_noise=noise)).identity for noise in (-0.0, 0.0, 0)]
    assert len(set(noisy)) == 1
    assert '"label_noise":0.0' in noisy[0]


def test_an_identity_is_the_canonical_json_of_all_that_it_holds() -> None:
    content = json.loads(RUN.identity)
    assert json.dumps(content, sort_keys=True, separators=(",", ":")) == RUN.identity
    assert set(content) == {"arm", "engine", "lr", "recipe", "restart", "seed", "training"}


def test_what_cannot_be_had_is_refused_while_planning() -> None:
    with pytest.raises(InputError, match="is not reachable"):
        make_plan(replace(SMALL, positive_rates=(0.02, 1e-6)))


def test_too_few_validation_positives_to_choose_on_are_warned_of() -> None:
    (warning,) = make_plan(replace(SMALL, positive_rates=(0.015, 0.1))).warnings
    assert warning.startswith("mixture at rate 0.015: validation holds 22 positives")


# ---- how long


def test_no_family_is_tuned_unless_it_is_asked_for() -> None:
    runs = make_plan(SMALL).runs
    assert {run.restart for run in runs} == {0}
    assert {run.arm for run in runs} == set(SMALL.arms)
    assert {run.restart for run in make_plan(replace(SMALL, tuned=True)).runs} > {0}


@pytest.mark.parametrize(
    ("rows", "settings", "epochs", "evaluations"),
    [
        (40_000, {}, 20, 0),  # 79 steps an epoch
        (1_500, {}, 520, 40),  # 3 steps an epoch, 1560 in all
        (1_500, {"steps": 100}, 34, 0),
        (1_500, {"steps": 119}, 40, 0),
        (1_500, {"steps": 121}, 41, 40),
        (1_500, {"steps": 1}, 20, 0),  # never fewer
        (1_500, {"epochs": 3}, 3, 0),
        (1_500, {"epochs": 50, "steps": 1}, 50, 40),
        (1_500, {"batch_size": 1500}, 1560, 40),
    ],
)
def test_a_budget_of_steps_is_so_many_epochs(
    rows: int, settings: dict[str, Any], epochs: int, evaluations: int
) -> None:
    (training,) = {run.training for run in make_plan(replace(SMALL, rows=rows, **settings)).runs}
    assert (training.epochs, training.evaluations) == (epochs, evaluations)
    if "epochs" not in settings:
        steps = -(-rows // training.batch_size)
        assert epochs * steps >= settings.get("steps", 1560) > 0
        assert epochs == 20 or (epochs - 1) * steps < settings.get("steps", 1560)


def test_up_to_40_epochs_the_identity_is_what_it_was() -> None:
    for epochs in (1, 20, 40):
        (training,) = {run.training for run in make_plan(replace(SMALL, epochs=epochs)).runs}
        assert training == replace(Training(hidden=SMALL.hidden), epochs=epochs)
        assert "evaluations" not in replace(RUN, training=training).identity
    (long,) = {run.training for run in make_plan(replace(SMALL, epochs=41)).runs}
    assert '"evaluations":40' in replace(RUN, training=long).identity
    assert replace(RUN, training=long).run_id != replace(RUN, training=replace(long, evaluations=0)).run_id


# ---- stacks

BALANCED: tuple[tuple[str, Alpha, float], ...] = (("pos_weight", None, 0.0), ("focal", "balanced", 2.0))

MIXED = make_plan(
    replace(SMALL, datasets=("mixture", "gaussians"), positive_rates=(0.02, 0.04), lrs=(0.1, 0.2), references=True)
).runs


def trained_once(runs: Iterable[Run]) -> set[Run]:
    """The runs without those of pos_weight from zero, which is its own start, where both are there."""
    own = Arm("pos_weight")
    return {replace(run, arm=own) if run.arm == replace(own, init="zero") else run for run in runs}


@settings(max_examples=40)
@given(st.randoms(use_true_random=False), st.integers(0, len(MIXED)))
def test_stacks_are_a_partition_that_never_mixes_data_or_seeds(rng: random.Random, count: int) -> None:
    runs = rng.sample(MIXED, count)
    stacks = make_stacks(runs)
    assert Counter(run for stack in stacks for run in stack) == Counter(runs)
    groups = Counter((run.recipe, run.seed, run.run_id if is_reference(run) else "") for run in trained_once(runs))
    most = stack_size(MIXED[0].training)
    assert len(stacks) == sum(-(-count // most) for count in groups.values())  # no fewer would do
    for stack in stacks:
        assert 1 <= len(trained_once(stack)) <= most
        assert len({(run.recipe, run.training, run.seed) for run in stack}) == 1
        assert len(stack) == 1 or not any(is_reference(run) for run in stack)


def test_stacks_of_one_data_set_follow_one_another_and_its_references_come_last() -> None:
    stacks = make_stacks(MIXED)
    data = [(stack[0].seed, stack[0].recipe) for stack in stacks]
    assert len(list(groupby(data))) == len(set(data))
    for _, group in groupby(stacks, key=lambda stack: (stack[0].seed, stack[0].recipe)):
        late = [is_reference(stack[0]) for stack in group]
        assert any(late)
        assert late == sorted(late)


def test_stacks_are_equal_parts() -> None:
    wide, lrs = (64, 64), tuple(0.01 * i for i in range(1, 8))
    whole = Experiment(lrs=(1e-3, 3e-3, 1e-2), hidden=wide, references=False, tuned=True)
    sizes = Counter(map(len, make_stacks(make_plan(whole).runs)))
    # 24 candidates, 3 learning rates, 10 seeds; 23 to train, as pos_weight from zero comes with its own start
    assert sizes == {9: 10, 6: 10 * 10, 3: 10}
    odd = make_plan(replace(SMALL, arms=(BCE, Arm("pos_weight")), lrs=lrs, seeds=1, hidden=wide))
    assert [len(stack) for stack in make_stacks(odd.runs)] == [5, 5, 4]


def test_runs_that_are_one_by_another_name_share_a_stack() -> None:
    arms = [Arm(loss, alpha, gamma, init) for init in INITS for loss, alpha, gamma in BALANCED]
    runs = make_plan(replace(SMALL, arms=(*(replace(BCE, init=init) for init in INITS), *arms))).runs
    stacks = make_stacks(runs)
    at = {run: place for place, stack in enumerate(stacks) for run in stack}
    for run in runs:
        if run.arm.balanced and run.arm.init == "zero":
            assert at[run] == at[replace(run, arm=replace(run.arm, init="own"))]
    assert sum(stacks, ()) != tuple(runs)  # they had to be brought together


def test_a_gpu_takes_as_many_runs_as_half_its_free_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (8 * 2**30, 80 * 2**30))
    training = replace(RUN.training, device="cuda")
    small, large = stack_size(training, rows=1000), stack_size(training, rows=10**7)
    assert small > 1000
    assert 1 <= large < 4 * 2**30 / (3 * 4 * 10**7) <= large + 2  # by then little but the scores counts


def test_the_runs_of_a_loss_of_your_own_are_among_themselves_and_few(monkeypatch: pytest.MonkeyPatch) -> None:
    arms = (BCE, Arm("a:loss", source="1"), Arm("b:loss", source="1"))
    lrs = tuple(0.01 * i for i in range(1, 31))
    stacks = make_stacks(make_plan(replace(SMALL, arms=arms, lrs=lrs, seeds=1, hidden=(4,), batch_size=64)).runs)
    assert [({run.arm.loss for run in stack}, len(stack)) for stack in stacks] == [
        ({"bce"}, 30),
        *[({"a:loss"}, 10)] * 3,
        *[({"b:loss"}, 10)] * 3,
    ]


# ---- memory


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        ({"hidden": (16_384, 16_384, 16_384)}, 2 * 16_384**2 * 4 * 10),  # parameters, gradient, Adam's, those kept
        ({"hidden": (16_384,), "batch_size": 100_000, "rows": 100_000}, 16_384 * 100_000 * 4 * 2),  # activations
    ],
)
def test_one_run_that_needs_more_than_a_stack_should_is_counted(changes: dict[str, Any], least: int) -> None:
    usual, large = (make_plan(replace(SMALL, **each)).runs for each in ({}, changes))
    assert max(len(trained_once(stack)) for stack in make_stacks(large)) == 1
    assert worker_bytes(usual) < 10**9
    assert least < worker_bytes(large) < 2 * least


def test_what_a_gpu_holds_is_none_of_a_workers_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (8 * 2**30, 80 * 2**30))
    large = replace(SMALL, hidden=(16_384, 16_384, 16_384), device="cuda")
    assert worker_bytes(make_plan(large).runs) < 10**9


def test_the_processes_of_your_own_losses_are_counted() -> None:
    own = replace(SMALL, arms=(BCE, Arm("a:loss", source="1")))
    assert worker_bytes(make_plan(own).runs) > worker_bytes(make_plan(SMALL).runs) + PROCESS_BYTES


# ---- identity


def other(value: Any, name: str) -> Any:
    """A different value of the same kind."""
    if name == "loss":
        return "bce"
    if name == "init":
        return "zero"
    if name == "alpha":
        return 0.5
    if name == "metric":
        return Metric.parse("log_loss")
    kinds: dict[type, Any] = {str: "other", tuple: ("other",), bool: not value, type(None): "other"}
    return kinds[type(value)] if type(value) in kinds else value + 1 if isinstance(value, int) else value / 2 + 0.1


PARTS = [(part, f.name) for part in ("recipe", "training", "arm") for f in fields(getattr(RUN, part))]


UNMOVING = ("path", "dataset", "params", "source", "columns")


@pytest.mark.parametrize(("part", "name"), [p for p in PARTS if p[1] not in UNMOVING])
def test_every_field_that_moves_a_number_is_in_the_identity(part: str, name: str) -> None:
    inner = getattr(RUN, part)
    changed = replace(RUN, **{part: replace(inner, **{name: other(getattr(inner, name), name)})})
    assert changed.run_id != RUN.run_id


# drop_duplicates moves a table's reading where it moves anything
@pytest.mark.parametrize("name", [key for key in COLUMN_KEYS if key != "drop_duplicates"])
def test_what_is_said_of_columns_is_in_the_identity(name: str) -> None:
    columns = RUN.recipe.columns
    changed = replace(columns, **{name: other(getattr(columns, name), name)})
    assert replace(RUN, recipe=replace(RUN.recipe, columns=changed)).run_id != RUN.run_id


@pytest.mark.parametrize(("name", "value"), [("lr", 0.02), ("seed", 4), ("restart", 1)])
def test_learning_rate_seed_and_restart_are_in_the_identity(name: str, value: Any) -> None:
    assert replace(RUN, **{name: value}).run_id != RUN.run_id


def test_where_a_file_lies_and_how_it_is_called_are_not() -> None:
    moved = replace(RUN, recipe=replace(RUN.recipe, path="/b/e.csv", dataset="e.csv"))
    assert moved.run_id == RUN.run_id
    synthetic = replace(RUN, recipe=Recipe("mixture", 900, 0.01))
    assert replace(synthetic, recipe=Recipe("xor", 900, 0.01)).run_id != synthetic.run_id


def ids_of_file(path: Path, content: str) -> list[str]:
    path.write_text(content)
    experiment = replace(SMALL, datasets=(str(path),), columns=Columns(target="y"), positive_rates=(None,), rows=200)
    return [run.run_id for run in make_plan(experiment).runs]


def test_a_copied_file_plans_the_same_runs_and_a_changed_one_others(tmp_path: Path) -> None:
    content = "x,y\n" + "".join(f"{i},{int(i % 4 == 0)}\n" for i in range(400))
    ids = ids_of_file(tmp_path / "a.csv", content)
    assert ids_of_file(tmp_path / "b.csv", content) == ids
    assert not {*ids_of_file(tmp_path / "c.csv", content + "999,1\n")} & {*ids}


def test_the_identity_does_not_depend_on_the_order_of_fields() -> None:
    values = {f.name: getattr(RUN, f.name) for f in fields(Run)}
    assert Run(**dict(reversed(values.items()))).identity == RUN.identity
    keys = ["arm", "engine", "lr", "recipe", "restart", "seed", "training"]
    assert [RUN.identity.index(f'"{key}":') for key in keys] == sorted(RUN.identity.index(f'"{key}":') for key in keys)


def test_an_identity_is_pinned() -> None:
    """A change here orphans every stored run: raise ENGINE_VERSION on purpose, then change it."""
    assert Run(Recipe("mixture", 40_000, 0.0015), Training(), BCE, 1e-3, 0).run_id == "5ca89bb89450565c"


# ---- names are looked up, never matched by how they begin

ROWS = "\n".join(["a,b,y", *(f"{i * 7919 % 1009},{i % 97},{int(i % 5 == 0)}" for i in range(1000)), ""])


def of_file(path: Path, **options: Any) -> Experiment:
    path.write_text(ROWS)
    return Experiment(datasets=(str(path),), positive_rates=(None,), columns=Columns(target="y"), seeds=1, **options)


@pytest.mark.parametrize("name", ["dense_claims.csv", "dense.csv", "dense", "denser"])
def test_a_file_is_not_taken_for_a_family_by_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"`sampler=groups`: .* has no groups"):
        make_plan(of_file(tmp_path / name, sampler="groups"))
    assert make_plan(replace(of_file(tmp_path / name), positive_rates=(0.15,))).runs


@pytest.mark.parametrize("name", ["mixture", "labels", "shuttle", "sklearn:iris", "dense:hard=3", "mixture.csv"])
def test_a_file_that_is_called_as_a_table_is_still_the_file(tmp_path: Path, name: str) -> None:
    (run, *_) = make_plan(of_file(tmp_path / name)).runs
    assert run.recipe.dataset == (name if name.endswith(".csv") else f"./{name}")
    assert run_row(run, None).settings.source is Source.TABLE
    splits = build_splits(run.recipe, 0)
    assert splits.train.rows + splits.validation.rows + splits.test.rows > 990


def test_a_model_of_ones_own_comes_before_the_networks_of_its_seed_and_takes_memory() -> None:
    own = Reference("mine:MODEL", "a" * 64)
    runs = make_plan(replace(SMALL, references=(Reference("logistic"), own))).runs
    kinds = [(stack[0].seed, stack[0].training.model) for stack in make_stacks(runs)]
    models = [[model for seed, model in kinds if seed == wanted] for wanted in (0, 1)]
    for of_seed in models:
        assert of_seed[0] == "mine:MODEL"
        assert set(of_seed[1:-2]) == {"mlp"}
        assert of_seed[-2:] == ["sklearn-logistic"] * 2
    assert kinds[0][0] == 0
    usual = worker_bytes(make_plan(replace(SMALL, references=True)).runs)
    assert worker_bytes([run for run in runs if run.training.model == "mine:MODEL"]) > 300 * 10**6
    large = replace(SMALL, rows=1_000_000)
    more = worker_bytes(make_plan(replace(large, references=(own,))).runs) - worker_bytes(make_plan(large).runs)
    assert usual == worker_bytes(make_plan(SMALL).runs)
    assert more > 8 * 1_000_000 * 10
