"""Two processes that average their gradients train as one process on all the rows."""

from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from focalbench.losses import SigmoidFocalLoss, SoftmaxFocalLoss

pytestmark = pytest.mark.processes

PROCESSES = 2
SPLIT = (3, 7)  # rows of each process: unequal, and all positives in the second


def data() -> tuple[Tensor, Tensor, Tensor]:
    """Features (10, 4), binary targets and sample weights (10,)."""
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(10, 4, generator=rng, dtype=torch.float64)
    targets = torch.tensor([0, 0, 0, 1, 0, 0, 1, 0, 0, 1])
    return features, targets, torch.rand(10, generator=rng, dtype=torch.float64)


def gradients(rows: slice, gather: bool | None) -> dict[str, Tensor]:
    """The gradient of a linear model's weights under each loss, on some of the rows."""
    features, targets, weights = (part[rows] for part in data())
    found = {}
    for reduction in ("mean", "mean_positive", "sum"):
        for weight in (None, weights):
            linear = torch.linspace(-1, 1, 4, dtype=torch.float64).requires_grad_()
            sigmoid = SigmoidFocalLoss(reduction=reduction, gather_distributed=gather)
            sigmoid(features @ linear, targets, sample_weight=weight).backward()
            softmax = SoftmaxFocalLoss(reduction=reduction, gather_distributed=gather)
            two = torch.linspace(-1, 1, 8, dtype=torch.float64).view(4, 2).requires_grad_()
            softmax(features @ two, targets, sample_weight=weight).backward()
            assert linear.grad is not None
            assert two.grad is not None
            found[f"{reduction} {weight is None}"] = torch.cat([linear.grad, two.grad.flatten()])
    return found


def validated(rows: slice, gather: bool | None) -> list[float]:
    """The losses where no gradient is wanted."""
    features, targets, _ = (part[rows] for part in data())
    logits = features @ torch.linspace(-1, 1, 4, dtype=torch.float64).requires_grad_()
    found = []
    for reduction in ("mean", "mean_positive"):
        sigmoid = SigmoidFocalLoss(reduction=reduction, gather_distributed=gather).eval()
        softmax = SoftmaxFocalLoss(reduction=reduction, gather_distributed=gather).eval()
        with torch.no_grad():
            found += [float(sigmoid(logits, targets)), float(softmax(torch.stack([-logits, logits], 1), targets))]
        found.append(float(sigmoid(logits.detach(), targets)))
    return found


def worker(rank: int, folder: str) -> None:
    meet, patience = f"file://{folder}/meet", timedelta(seconds=60)
    distributed.init_process_group("gloo", init_method=meet, rank=rank, world_size=PROCESSES, timeout=patience)
    rows = slice(0, SPLIT[0]) if rank == 0 else slice(SPLIT[0], sum(SPLIT))
    torch.save((gradients(rows, None), gradients(rows, False)), f"{folder}/{rank}.pt")
    if rank == 0:  # the other is silent
        torch.save((validated(rows, None), validated(rows, True)), f"{folder}/alone.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where: Path = tmp_path_factory.mktemp("meet")
    spawn(worker, (str(where),), nprocs=PROCESSES)  # type: ignore[no-untyped-call]
    return where


@pytest.fixture(scope="module")
def both(folder: Path) -> list[tuple[dict[str, Tensor], dict[str, Tensor]]]:
    return [torch.load(folder / f"{rank}.pt") for rank in range(PROCESSES)]


def test_one_process_validates_by_itself(folder: Path) -> None:
    wanted = validated(slice(0, SPLIT[0]), None)
    assert torch.load(folder / "alone.pt") == (wanted, wanted)


def test_averaged_gradients_are_those_of_one_process(
    both: list[tuple[dict[str, Tensor], dict[str, Tensor]]],
) -> None:
    alone = gradients(slice(0, 10), None)
    for name, wanted in alone.items():
        parts = torch.stack([found[name] for found, _ in both])
        averaged = parts.sum(0) if name.startswith("sum") else parts.mean(0)  # a sum has no denominator to share
        torch.testing.assert_close(averaged, wanted)


def test_local_means_are_not_and_false_keeps_them(both: list[tuple[dict[str, Tensor], dict[str, Tensor]]]) -> None:
    for name in ("mean True", "mean_positive True"):
        local = torch.stack([found[name] for _, found in both])
        assert not torch.allclose(local.mean(0), gradients(slice(0, 10), None)[name])
        torch.testing.assert_close(local[0], gradients(slice(0, SPLIT[0]), None)[name])
