"""The lockstep trainer against the plain loop, and a run against itself in other company."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from focalbench.metrics.ranking import average_precision
from focalbench.runs.arm import Arm
from focalbench.runs.catalogue import RIVALS, sees_batches
from focalbench.runs.run import scored_epochs
from focalbench.training.arm_loss import run_loss
from focalbench.training.loop import Member, Rows, Schedule, Steps, Trained, epoch_budgets, score, train, train_epoch
from focalbench.training.models import Architecture, Network, Parameters, draw_weights
from focalbench.training.optimizers import Adam
from focalbench.training.rivals import ClassCounts, Rival
from focalbench.training.stack_loss import SoftmaxFocal, StackLoss, WeightedFocal
from tests.support.plain import plain_loss, plain_model, plain_train

FEATURES, BATCH = 5, 48


def make_rows(rows: int, seed: int, features: int = FEATURES) -> Rows:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, features)).astype(np.float32)
    y = (x[:, 0] * x[:, -1] + 0.5 * rng.standard_normal(rows) > 1.3).astype(np.float32)
    return Rows(torch.from_numpy(x), torch.from_numpy(y))


def make_members(hidden: tuple[int, ...], features: int = FEATURES) -> list[Member]:
    layers = draw_weights(Architecture(features, hidden), np.random.default_rng(3))
    other = draw_weights(Architecture(features, hidden), np.random.default_rng(4))
    return [
        Member(layers, 1e-2, WeightedFocal(0.0, (1.0,), (1.0,))),
        Member(layers, 3e-3, WeightedFocal(0.0, (4.0,), (0.6,))),
        Member(other, 1e-2, WeightedFocal(0.0, (1.0,), (1.0,))),
        Member(layers, 1e-2, WeightedFocal(2.0, (1.0,), (1.0,))),
        Member(other, 3e-3, WeightedFocal(5.0, (2.5,), (0.7,))),
    ]


def orders(rows: int, epochs: int) -> list[NDArray[np.int64]]:
    rng = np.random.default_rng(9)
    return [rng.permutation(rows) for _ in range(epochs)]


def train_stack(
    members: Sequence[Member], hidden: tuple[int, ...], epochs: int = 4, features: int = FEATURES
) -> Trained:
    data, validation = make_rows(310, 0, features), make_rows(200, 1, features)
    return train(Architecture(features, hidden), data, validation, members, Schedule(BATCH, orders(310, epochs)))


@pytest.mark.parametrize("hidden", [(), (8,), (16, 16), (7, 3)])
def test_a_lockstep_run_is_the_plain_run(hidden: tuple[int, ...]) -> None:
    members = make_members(hidden)
    trained = train_stack(members, hidden)
    for i, member in enumerate(members):
        plain = plain_train(make_rows(310, 0), make_rows(200, 1), member, orders(310, 4), BATCH)
        assert trained.curves[i] == pytest.approx(plain.curve, abs=2e-3)
        choice = trained.choices[4]
        assert choice.average_precision[i] == pytest.approx(max(plain.curve), abs=2e-3)
        test = make_rows(150, 2)
        with torch.no_grad():
            expected = plain.model(test.features)[:, 0]
        if choice.epochs[i] == plain.epoch:
            found = score(Network(Architecture(FEATURES, hidden), choice.parameters, BATCH), test.features)[i, 0]
            torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-3)
        else:  # a tie between epochs, rounded the other way
            assert plain.curve[choice.epochs[i] - 1] == pytest.approx(max(plain.curve), abs=2e-3)


COUNTS = ClassCounts(40, 270)
RIVAL_ARMS = (
    *(Arm(name) for name in RIVALS),
    Arm("ohem", params=(("ratio", 1.0),)),
    Arm("ldam", params=(("scale", 3.0), ("start", 0.5))),
    Arm("dice", params=(("smooth", 0.0),)),
    Arm("smooth_ap", params=(("tau", 0.3),)),
)


def make_rivals(hidden: tuple[int, ...], features: int = FEATURES) -> list[Member]:
    layers = draw_weights(Architecture(features, hidden), np.random.default_rng(3))
    return [
        Member(layers, lr, run_loss(arm, [COUNTS])) for arm, lr in zip(RIVAL_ARMS, cycle((1e-2, 3e-3)), strict=False)
    ]


def test_a_lockstep_rival_is_the_plain_run_deferred_weights_included() -> None:
    members = [*make_rivals((8,)), *make_members((8,))]
    trained = train_stack(members, (8,))
    for i, member in enumerate(members):
        plain = plain_train(make_rows(310, 0), make_rows(200, 1), member, orders(310, 4), BATCH)
        assert trained.curves[i] == pytest.approx(plain.curve, abs=4e-3), member.loss


@settings(max_examples=10)
@given(st.data())
def test_a_rival_has_the_same_bits_in_any_company(data: st.DataObject) -> None:
    members = [*make_rivals((7,)), *make_members((7,))]
    company = data.draw(st.lists(st.sampled_from(members), min_size=2, max_size=12))
    together = train_stack(company, (7,), 2)
    for i, member in enumerate(company):
        alone = train_stack([member], (7,), 2)
        for mine, all_runs in zip(alone.choices[2].parameters.views, together.choices[2].parameters.views, strict=True):
            assert torch.equal(mine[0], all_runs[i]), member.loss


def test_the_learning_curves_of_the_plain_comparison_are_not_flat() -> None:
    curves = train_stack(make_members((16, 16)), (16, 16), epochs=12).curves
    assert np.all(curves.max(axis=1) > curves[:, 0] + 0.05)
    assert len(np.unique(curves.round(4), axis=0)) == len(curves)


@settings(max_examples=15)
@given(st.data())
def test_a_run_has_the_same_bits_in_any_company(data: st.DataObject) -> None:
    hidden = data.draw(st.sampled_from([(), (1,), (7,), (16, 33), (64, 64)]))
    features = data.draw(st.sampled_from([1, 5, 10, 17, 93]))
    members = make_members(hidden, features)
    company = data.draw(st.lists(st.sampled_from(members), min_size=1, max_size=9))
    together = train_stack(company, hidden, 2, features)
    for i, member in enumerate(company):
        alone = train_stack([member], hidden, 2, features)
        assert alone.curves[0].tobytes() == together.curves[i].tobytes()
        for mine, all_runs in zip(alone.choices[2].parameters.views, together.choices[2].parameters.views, strict=True):
            assert torch.equal(mine[0], all_runs[i])


@pytest.mark.parametrize("members", [make_members((7,)), make_rivals((7,))], ids=["core", "rivals"])
def test_a_rows_weight_multiplies_its_loss(members: list[Member]) -> None:
    members = [m for m in members if not (isinstance(m.loss, Rival) and sees_batches(m.loss.name))]
    loss = StackLoss([member.loss for member in members], 4, "cpu")
    loss.start(0)
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.standard_normal((len(members), 1, 48)).astype(np.float32))
    targets = torch.from_numpy((rng.random(40) < 0.3).astype(np.float32))
    weights = torch.from_numpy(rng.integers(0, 3, 40).astype(np.float32))
    found = loss.gradient(logits, targets, weights)
    repeated = torch.repeat_interleave(torch.arange(40), weights.long())
    for i, member in enumerate(members):
        x = logits[i, 0, :40].clone().requires_grad_()
        mean = plain_loss(member.loss, x[repeated][:, None], targets[repeated][:, None], 0.0)
        (expected,) = torch.autograd.grad(mean * len(repeated) / 40, x)
        torch.testing.assert_close(found[i, 0, :40], expected, atol=1e-7, rtol=1e-5)
    assert not found[..., 40:].any()


def test_adam_is_torchs_adam() -> None:
    architecture = Architecture(3, (4,))
    parameters = Parameters(architecture, 2, "cpu")
    parameters.flat.copy_(torch.linspace(-1, 1, len(parameters.flat)))
    theirs = [view.clone().requires_grad_() for view in parameters.views]
    mine, rates = Adam(parameters, [1e-2, 3e-3]), (1e-2, 3e-3)
    optimisers = [torch.optim.Adam([weights], lr=1.0, betas=(0.9, 0.999), eps=1e-8) for weights in theirs]
    rng = torch.Generator().manual_seed(0)
    for _ in range(5):
        gradient = torch.randn(len(parameters.flat), generator=rng)
        mine.step(gradient)
        start = 0
        for weights, optimiser in zip(theirs, optimisers, strict=True):
            before = weights.detach().clone()
            weights.grad = gradient[start : start + weights.numel()].view_as(weights).clone()
            start += weights.numel()
            optimiser.step()
            with torch.no_grad():  # a step at rate 1, scaled by each run's rate: Adam's moments know no rate
                weights.copy_(before + (weights - before) * torch.tensor(rates).view(-1, 1, 1))
    for found, expected in zip(parameters.views, theirs, strict=True):
        torch.testing.assert_close(found, expected.detach(), rtol=1e-5, atol=1e-6)


def test_padding_stays_zero() -> None:
    trained = train_stack(make_members((7,)), (7,))
    weight = trained.choices[4].parameters.weights[0]
    assert weight.shape[1:] == (16, 16)
    assert not weight[:, 7:].any()
    assert not weight[:, :, FEATURES:].any()
    assert weight[:, :7, :FEATURES].all()


def test_a_diverged_run_harms_nobody_and_keeps_its_best_finite_epoch() -> None:
    members = make_members((8,))
    wild = replace(members[0], lr=1e38)
    trained = train_stack([members[0], wild, members[3]], (8,))
    quiet = train_stack([members[0], members[3]], (8,))
    assert trained.diverged.tolist() == [False, True, False]
    assert trained.curves[[0, 2]].tobytes() == quiet.curves.tobytes()
    assert trained.choices[4].epochs[1] == 0
    assert np.isnan(trained.choices[4].average_precision[1])
    test = make_rows(150, 2)
    logits = score(Network(Architecture(FEATURES, (8,)), trained.choices[4].parameters, BATCH), test.features)[:, 0]
    assert float(average_precision(logits, test.targets)[1]) == pytest.approx(float(test.targets.mean()))


def test_the_epoch_is_chosen_on_validation_within_each_budget() -> None:
    trained = train_stack(make_members((16, 16)), (16, 16), epochs=8)
    assert epoch_budgets(8) == (2, 4, 8)
    for budget, choice in trained.choices.items():
        assert choice.epochs.tolist() == (trained.curves[:, :budget].argmax(axis=1) + 1).tolist()
        assert choice.average_precision.tolist() == trained.curves[:, :budget].max(axis=1).tolist()


def test_the_chosen_parameters_are_those_of_the_chosen_epoch() -> None:
    validation = make_rows(200, 1)
    for epochs in (3, 8):
        trained = train_stack(make_members((16, 16)), (16, 16), epochs)
        choice = trained.choices[epochs]
        logits = score(Network(Architecture(FEATURES, (16, 16)), choice.parameters, BATCH), validation.features)[:, 0]
        found = average_precision(logits, validation.targets).numpy()
        assert found.tobytes() == choice.average_precision.tobytes()


def test_scores_do_not_depend_on_how_many_rows_are_scored() -> None:
    members = make_members((16, 16))
    parameters = Parameters(Architecture(FEATURES, (16, 16)), len(members), "cpu")
    parameters.load([member.layers for member in members])
    network = Network(Architecture(FEATURES, (16, 16)), parameters, BATCH)
    features = make_rows(131, 0).features
    with torch.no_grad():
        expected = torch.stack([plain_model(member)(features)[:, 0] for member in members])
    whole = score(network, features)[:, 0]
    torch.testing.assert_close(whole, expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(score(network, features[:50])[:, 0], whole[:, :50])


@pytest.mark.parametrize("outputs", [1, 3])
def test_an_epoch_never_waits_for_its_device(outputs: int) -> None:
    architecture = Architecture(FEATURES, (7,), outputs)
    losses = [member.loss for member in make_members((7,))] if outputs == 1 else [SoftmaxFocal(2.0, (1.0, 2.0, 3.0))]
    parameters = Parameters(architecture, len(losses), "meta")  # whose tensors hold no numbers to ask for
    network, loss = Network(architecture, parameters, BATCH), StackLoss(losses, 1, "meta")
    targets = torch.empty(100, device="meta") if outputs == 1 else torch.empty(100, outputs, device="meta")
    rows = Rows(torch.empty(100, FEATURES, device="meta"), targets)
    order = torch.zeros(100, dtype=torch.int64, device="meta")
    loss.start(0)
    train_epoch(network, loss, Steps(Adam(parameters, [0.1] * len(losses))), rows, order, BATCH)
    assert score(network, rows.features).shape == (len(losses), outputs, 100)


@pytest.mark.parametrize("units", [16, 64])
@pytest.mark.parametrize("features", [16, 608, 2048])
def test_the_first_layers_shared_product_has_the_bits_of_each_runs_own(units: int, features: int) -> None:
    rng = torch.Generator().manual_seed(0)
    batch, weight = torch.randn(48, features, generator=rng), torch.randn(96, units, features, generator=rng)
    bias = torch.randn(96, units, 1, generator=rng)
    for runs in (1, 6, 96):
        own = torch.baddbmm(bias[:runs], weight[:runs], batch.T.expand(runs, -1, -1))
        shared = torch.addmm(bias[:runs].flatten(0, 1), weight[:runs].flatten(0, 1), batch.T)
        assert torch.equal(shared.view_as(own), own)


def test_what_a_short_batch_leaves_free_is_zero() -> None:
    architecture = Architecture(FEATURES, (7,))
    network = Network(architecture, Parameters(architecture, 2, "cpu"), BATCH)
    for rows in (BATCH, BATCH - 5):
        network.forward(torch.ones(rows, FEATURES))
    assert network.batch[: BATCH - 5, :FEATURES].all()
    assert not network.batch[BATCH - 5 :].any()


# ---- how often validation is scored


@pytest.mark.parametrize("epochs", [1, 2, 7, 39, 40, 41, 79, 80, 112, 520, 10_000])
def test_validation_is_scored_after_every_epoch_or_40_times_the_budgets_among_them(epochs: int) -> None:
    scored = scored_epochs(epochs, 40)
    assert len(scored) == len(set(scored)) == min(epochs, 40)
    assert scored_epochs(epochs, 0) == list(range(1, epochs + 1))
    assert scored == sorted(scored)
    assert {*epoch_budgets(epochs)} <= {*scored}
    steps = np.diff([0, *scored])
    assert max(steps) - min(steps) <= 1  # evenly spread


def test_a_long_runs_choices_are_those_of_runs_stopped_there_on_the_epochs_that_are_scored() -> None:
    """At a quarter, half and all of 16 epochs, of which 8 are scored."""
    members, rows, validation = make_members((8,)), make_rows(310, 0), make_rows(200, 1)
    every, architecture = orders(310, 16), Architecture(FEATURES, (8,))
    trained = train(architecture, rows, validation, members, Schedule(BATCH, every, evaluations=8))
    always = train(architecture, rows, validation, members, Schedule(BATCH, every))
    assert sorted(trained.choices) == [4, 8, 16]
    assert trained.curves.shape == (len(members), 8)
    assert np.array_equal(trained.curves, always.curves[:, 1::2])  # the same training, looked at less often
    for epochs, choice in trained.choices.items():
        stopped = train(
            architecture, rows, validation, members, Schedule(BATCH, every[:epochs], evaluations=epochs // 2)
        )
        assert np.array_equal(choice.epochs, stopped.choices[epochs].epochs)
        assert np.array_equal(choice.average_precision, stopped.choices[epochs].average_precision)
        assert torch.equal(choice.parameters.flat, stopped.choices[epochs].parameters.flat)
        assert (choice.epochs == 2 * (always.curves[:, 1:epochs:2].argmax(axis=1) + 1)).all()
    assert len({tuple(choice.epochs) for choice in trained.choices.values()}) == 3  # each budget chose otherwise
