"""Optimisers and schedules of learning rates against PyTorch's."""

import pytest
import torch

from focalbench.training.models import Architecture, Parameters
from focalbench.training.optimizers import Momentum, Stepping, lr_share, make_optimizer

ARCHITECTURE, LRS = Architecture(3, (4,)), (0.1, 0.03)
STEPS = 6


def gradients(size: int) -> list[torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(size, generator=rng) for _ in range(STEPS)]


def started() -> Parameters:
    parameters = Parameters(ARCHITECTURE, len(LRS), "cpu")
    parameters.flat.copy_(torch.linspace(-1, 1, len(parameters.flat)))
    return parameters


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_each_run_is_updated_as_by_torch(name: str, schedule: str) -> None:
    parameters = started()
    mine: Stepping = make_optimizer(name, parameters, LRS)
    theirs = [[view[run].clone().requires_grad_() for view in started().views] for run in range(len(LRS))]
    make = torch.optim.Adam if name == "adam" else lambda each, lr: torch.optim.SGD(each, lr=lr, momentum=0.9)
    optimisers = [make(each, lr=lr) for each, lr in zip(theirs, LRS, strict=True)]
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(each, STEPS) for each in optimisers]
    for step, gradient in enumerate(gradients(len(parameters.flat))):
        mine.step(gradient, lr_share("cosine" if schedule == "cosine" else "constant", step, STEPS))
        shaped = Parameters(ARCHITECTURE, len(LRS), "cpu")
        shaped.flat.copy_(gradient)
        for run, optimiser in enumerate(optimisers):
            for weights, view in zip(theirs[run], shaped.views, strict=True):
                weights.grad = view[run].clone()
            optimiser.step()
            if schedule == "cosine":
                schedules[run].step()
    for run, each in enumerate(theirs):
        for found, expected in zip(parameters.views, each, strict=True):
            torch.testing.assert_close(found[run], expected.detach(), rtol=1e-5, atol=1e-6)


def test_a_constant_schedule_changes_no_bit() -> None:
    with_share, without = started(), started()
    one, other = Momentum(with_share, LRS), Momentum(without, LRS)
    for step, gradient in enumerate(gradients(len(without.flat))):
        one.step(gradient, lr_share("constant", step, STEPS))
        other.step(gradient)
    assert torch.equal(with_share.flat, without.flat)


@pytest.mark.parametrize("name", ["adam", "sgd"])
def test_weights_decay_apart_from_the_gradient_and_biases_do_not(name: str) -> None:
    parameters = started()
    mine = make_optimizer(name, parameters, LRS, 0.5)
    theirs = [[view[run].clone().requires_grad_() for view in started().views] for run in range(len(LRS))]
    for step, gradient in enumerate(gradients(len(parameters.flat))):
        mine.step(gradient, lr_share("cosine", step, STEPS))
    for run, lr in enumerate(LRS):
        weights, biases = theirs[run][::2], theirs[run][1::2]
        make = torch.optim.Adam if name == "adam" else lambda each, lr: torch.optim.SGD(each, lr=lr, momentum=0.9)
        plain = make(theirs[run], lr=lr)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(plain, STEPS)
        for gradient in gradients(len(parameters.flat)):
            shaped = Parameters(ARCHITECTURE, len(LRS), "cpu")
            shaped.flat.copy_(gradient)
            with torch.no_grad():
                for weight in weights:
                    weight.mul_(1 - 0.5 * plain.param_groups[0]["lr"])
            for each, view in zip(theirs[run], shaped.views, strict=True):
                each.grad = view[run].clone()
            plain.step()
            schedule.step()
        assert len(biases) == len(weights)
        for found, expected in zip(parameters.views, theirs[run], strict=True):
            torch.testing.assert_close(found[run], expected.detach(), rtol=1e-5, atol=1e-6)
