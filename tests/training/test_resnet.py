"""The residual network: its gradient, its masks, a whole run against a plain loop, and a run in other company."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from focalbench.base.randomness import generator
from focalbench.datasets.build import build_splits, resolve
from focalbench.datasets.preprocessing import FINE
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.run import STRONG, Recipe, Run, Training
from focalbench.training import stack as stack_module
from focalbench.training.dropout import Dropout
from focalbench.training.learned_start import learned_biases
from focalbench.training.loop import Member, Rows, Schedule, Trained, score, train
from focalbench.training.models import Architecture, Layer, Network, Parameters, draw_weights
from focalbench.training.stack import run_stack
from focalbench.training.stack_loss import StackLoss, WeightedFocal

BATCH, RATE, DECAY, EPOCHS = 48, 0.3, 0.5, 4
HIDDEN = (16, 16, 16, 7, 7)
ARCHITECTURE = Architecture(5, HIDDEN, residual=True)


def make_rows(rows: int, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, ARCHITECTURE.features)).astype(np.float32)
    y = (x[:, 0] * x[:, -1] + 0.5 * rng.standard_normal(rows) > 1.3).astype(np.float32)
    return Rows(torch.from_numpy(x), torch.from_numpy(y))


def plain_forward(layers: list[tuple[Tensor, Tensor]], features: Tensor, masks: list[Tensor]) -> Tensor:
    """Logits (sample,); masks: (sample, unit) of each hidden layer, or none."""
    found = features
    for i, (weight, bias) in enumerate(layers[:-1]):
        made = found @ weight.T + bias
        made = made + found if i and len(bias) == found.shape[1] else made
        found = made.relu() * (masks[i] if masks else 1)
    weight, bias = layers[-1]
    return (found @ weight.T + bias)[:, 0]


def as_tensors(layers: list[Layer]) -> list[tuple[Tensor, Tensor]]:
    return [
        (torch.from_numpy(weight).clone().requires_grad_(), torch.from_numpy(bias).clone().requires_grad_())
        for weight, bias in layers
    ]


def drawn(seed: int = 3) -> list[Layer]:
    return draw_weights(ARCHITECTURE, np.random.default_rng(seed))


def dropout(seed: int = 5) -> Dropout:
    return Dropout(ARCHITECTURE, BATCH, RATE, np.random.default_rng(seed))


@pytest.mark.parametrize("rows", [BATCH, 31])
def test_the_gradient_is_autograds_masks_and_shortcuts_included(rows: int) -> None:
    batch, runs = make_rows(rows, 0), [drawn(3), drawn(4)]
    parameters = Parameters(ARCHITECTURE, 2, "cpu")
    parameters.load(runs)
    network, loss = Network(ARCHITECTURE, parameters, BATCH), WeightedFocal(0.0, (1.0,), (1.0,))
    masks = dropout().draw(rows)
    network.backward(
        StackLoss([loss, loss], 1, "cpu").gradient(network.forward(batch.features, masks), batch.targets[None])
    )
    for run, layers in enumerate(runs):
        plain = as_tensors(layers)
        kept = [mask[:units, :rows].T.clone() for units, mask in zip(HIDDEN, masks, strict=True)]
        logits = plain_forward(plain, batch.features, kept)
        torch.autograd.backward(torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.targets))
        found = zip(network.gradient.weights, network.gradient.biases, strict=True)
        for (weight, bias), (mine, my_bias) in zip(plain, found, strict=True):
            assert weight.grad is not None
            assert bias.grad is not None
            torch.testing.assert_close(mine[run, : len(bias), : weight.shape[1]], weight.grad, atol=1e-7, rtol=1e-4)
            torch.testing.assert_close(my_bias[run, : len(bias), 0], bias.grad, atol=1e-7, rtol=1e-4)


def test_a_mask_leaves_out_its_share_of_units_and_makes_up_for_it() -> None:
    masks = Dropout(Architecture(5, (64,)), 512, 0.25, np.random.default_rng(0))
    first = masks.draw(512)[0].clone()
    values, counts = np.unique(first.numpy(), return_counts=True)
    assert values == pytest.approx([0, 1 / 0.75])
    assert counts[0] / first.numel() == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(first, masks.draw(512)[0])


def train_stack(members: list[Member]) -> Trained:
    rng = np.random.default_rng(9)
    orders = [rng.permutation(310) for _ in range(EPOCHS)]
    schedule = Schedule(BATCH, orders, lr_schedule="cosine", weight_decay=DECAY, dropout=dropout())
    return train(ARCHITECTURE, make_rows(310, 0), make_rows(200, 1), members, schedule)


def members() -> list[Member]:
    losses = WeightedFocal(0.0, (1.0,), (1.0,)), WeightedFocal(2.0, (1.0,), (1.0,)), WeightedFocal(0.0, (4.0,), (0.6,))
    return [Member(drawn(seed), lr, loss) for seed, lr, loss in zip((3, 3, 4), (1e-2, 1e-2, 3e-3), losses, strict=True)]


def test_a_lockstep_run_is_a_plain_loop_with_adamw_a_cosine_and_these_masks() -> None:
    rows, validation, rng, masks = make_rows(310, 0), make_rows(200, 1), np.random.default_rng(9), dropout()
    weights = as_tensors(drawn(3))
    groups = [
        {"params": [weight for weight, _ in weights], "weight_decay": DECAY},
        {"params": [bias for _, bias in weights], "weight_decay": 0.0},
    ]
    adam = torch.optim.AdamW(groups, lr=1e-2)
    steps = torch.optim.lr_scheduler.CosineAnnealingLR(adam, EPOCHS * -(-310 // BATCH))
    scores = []
    for _ in range(EPOCHS):
        for index in torch.split(torch.from_numpy(rng.permutation(310)), BATCH):
            kept = [m[:u, : len(index)].T.clone() for u, m in zip(HIDDEN, masks.draw(len(index)), strict=True)]
            logits = plain_forward(weights, rows.features[index], kept)
            adam.zero_grad()
            torch.autograd.backward(torch.nn.functional.binary_cross_entropy_with_logits(logits, rows.targets[index]))
            adam.step()
            steps.step()
        with torch.no_grad():
            scores.append(plain_forward(weights, validation.features, []))
    choice = train_stack(members()).choices[EPOCHS]
    found = score(Network(ARCHITECTURE, choice.parameters, BATCH), validation.features)[0, 0]
    torch.testing.assert_close(found, scores[choice.epochs[0] - 1], atol=2e-4, rtol=2e-3)


@settings(max_examples=10)
@given(st.lists(st.sampled_from(range(3)), min_size=1, max_size=7))
def test_a_run_has_the_same_bits_in_any_company(company: list[int]) -> None:
    each = members()
    together = train_stack([each[i] for i in company]).choices[EPOCHS].parameters
    for place, i in enumerate(company):
        alone = train_stack([each[i]]).choices[EPOCHS].parameters
        assert all(torch.equal(a[0], b[place]) for a, b in zip(alone.views, together.views, strict=True))


def test_the_learned_start_knows_the_shortcuts() -> None:
    rows, layers, loss = make_rows(310, 0), drawn(), WeightedFocal(0.0, (1.0,), (1.0,))
    (start,) = learned_biases(ARCHITECTURE, layers, loss, rows)
    layers[-1] = layers[-1][0], np.array([start], dtype=np.float32)
    with torch.no_grad():
        said = plain_forward(as_tensors(layers), rows.features, []).sigmoid()
    assert float(said.mean()) == pytest.approx(float(rows.targets.mean()), abs=1e-4)


RECIPES = (Recipe("mixture", 3000, 0.02), Recipe("shuttle", 3000, 0.02))
ARMS = (Arm("bce"), Arm("pos_weight"), Arm("focal", gamma=2.0), Arm("bce", init="learned"))
SHORT = replace(STRONG, epochs=2, hidden=(32, 32))


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_run_has_the_same_results_alone_and_in_a_stack(recipe: Recipe) -> None:
    runs = [Run(resolve(recipe), SHORT, arm, lr, 1) for arm in ARMS for lr in (0.01, 0.003)]
    together = run_stack(tuple(runs))
    for run, result in zip(runs, together, strict=True):
        (alone,) = run_stack((run,))
        assert (alone.outcome, alone.curves) == (result.outcome, result.curves)


@pytest.mark.parametrize("moved", ["dropout", "weight_decay", "model", "preprocessing", "lr_schedule"])
def test_each_part_of_the_recipe_is_used_and_identified(moved: str) -> None:
    run = Run(resolve(RECIPES[0]), SHORT, Arm("bce"), 0.01, 1)
    other = replace(run, training=replace(SHORT, **{moved: getattr(Training(), moved)}))
    assert run.run_id != other.run_id
    assert run_stack((run,))[0].curves != run_stack((other,))[0].curves


def test_the_masks_are_of_the_seed_and_data_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Tensor] = []
    draw = Dropout.draw

    def noted(self: Dropout, rows: int) -> list[Tensor]:
        made.append(draw(self, rows)[0].clone())
        return self.masks

    monkeypatch.setattr(Dropout, "draw", noted)
    run = Run(resolve(RECIPES[0]), SHORT, Arm("bce"), 0.01, 1)
    run_stack((run,))
    rng = generator(1, "dropout (32, 32)", run.recipe.key)
    stays = rng.random((32, 512), dtype=np.float32) >= SHORT.dropout
    assert torch.equal(made[0] > 0, torch.from_numpy(stays))


def test_features_are_fine_for_the_resnet_and_usual_for_what_stands_beside_it() -> None:
    run = Run(resolve(RECIPES[0]), SHORT, Arm("bce"), 0.01, 1)
    fine = replace(run, training=STRONG)
    assert stack_module._folds(fine)[0].sha256 == build_splits(run.recipe, 1, FINE).sha256
    for usual in (Training(), Training(preprocessing="none")):
        beside = replace(run, training=usual)
        assert stack_module._folds(beside)[0].sha256 == build_splits(run.recipe, 1).sha256


def test_a_plan_of_resnets_changes_nothing_of_the_recipe() -> None:
    experiment = Experiment(datasets=("mixture",), model="resnet", seeds=1, hidden=(8,), epochs=20)
    networks = [run.training for run in make_plan(experiment).runs if run.training.model == "resnet"]
    assert networks
    assert set(networks) == {STRONG}
    assert (experiment.hidden, experiment.lr_schedule) == (STRONG.hidden, STRONG.lr_schedule)  # so says its manifest
