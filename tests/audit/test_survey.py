"""The audit finds what is planted, finds nothing in an exact loss, and lists what it cannot examine."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, binary_cross_entropy_with_logits

from focalbench import audit
from focalbench.audit import CASES, DTYPES, FORMULA, OURS, PEERS, Absent, Count, Elementwise, Loss, Peer, Verdict, cost
from focalbench.losses.binary import focal_loss

pytest.importorskip("mpmath")


def fake(loss: Loss | Elementwise, module: str = "torch") -> Peer:
    ready = loss if isinstance(loss, Loss) else audit.in_torch(loss)
    return Peer("fake", module, "fake", lambda: ready)


def examined(loss: Loss | Elementwise) -> Verdict:
    peer = fake(loss)
    return audit.examine(peer, peer.load())


def exact(logits: Tensor, targets: Tensor, alpha: float | None, gamma: float) -> tuple[Tensor, Tensor]:
    """The exact numbers, rounded to the logits' dtype."""
    cases = zip(logits.tolist(), targets.tolist(), strict=True)
    both = torch.tensor([[n.value for n in audit.exact(x, int(y), gamma)] for x, y in cases], dtype=torch.float64)
    weights = 1.0 if alpha is None else torch.where(targets == 1, alpha, 1 - alpha).double()
    values, slopes = both.T * weights
    return values.to(logits.dtype), slopes.to(logits.dtype)


def nothing(logits: Tensor, targets: Tensor) -> audit.Step:
    return lambda: None


def spoilt(change: Callable[[Tensor, Tensor, float], Tensor]) -> Loss:
    """The exact loss with its values changed by (values, logits, gamma)."""

    def evaluate(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> tuple[Tensor, Tensor]:
        values, slopes = exact(x, y, alpha, gamma)
        return change(values, x, gamma), slopes

    return Loss(evaluate, nothing)


def clipped(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
    """Keras's way: the probability is kept 1e-7 away from 0 and 1."""
    p = torch.sigmoid(x).clamp(1e-7, 1 - 1e-7)
    p_t = p * y + (1 - p) * (1 - y)
    return torch.as_tensor((1 - p_t) ** gamma * binary_cross_entropy(p, y, reduction="none"))


def reversed_alpha(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
    return focal_loss(x, y, alpha=None if alpha is None else 1 - alpha, gamma=gamma)


def without_alpha(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
    return focal_loss(x, y, gamma=gamma)


def alpha_for_both(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
    return focal_loss(x, y, gamma=gamma) * (1.0 if alpha is None else alpha)


def bce(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
    return binary_cross_entropy_with_logits(x, y, reduction="none")


def nine_times(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
    return torch.stack([focal_loss(x, y) for _ in range(9)]).sum(dim=0)


ALL_RIGHT = {audit.dtype_name(dtype): Count(0, 0) for dtype in DTYPES}


def test_exact_values_are_the_published_ones() -> None:
    value, slope = audit.exact(-2.0, 1, 5.0)
    assert (value.value, slope.value) == pytest.approx((1.12754041340676, -1.13896422960249), rel=1e-14)
    assert audit.exact(2.0, 0, 5.0)[1].value == -slope.value
    assert audit.exact(1e4, 1, 5.0)[0].log_size == pytest.approx(6e4)
    assert audit.exact(0.0, 0, 0.0)[0].value == pytest.approx(0.6931471805599453, rel=1e-15)


def test_an_exact_loss_passes_everywhere() -> None:
    verdict = examined(Loss(exact, nothing))
    assert verdict.counts == ALL_RIGHT
    assert verdict.alpha == "positives"
    assert verdict.is_right
    assert verdict.notes == ()


def test_ours_is_right_in_all_four_dtypes() -> None:
    verdict = audit.examine(OURS, OURS.load())
    assert verdict.counts == ALL_RIGHT
    assert verdict.is_right


def test_reversed_and_missing_alpha_are_told() -> None:
    assert examined(reversed_alpha).alpha == "reversed"
    assert not examined(reversed_alpha).is_right
    assert examined(without_alpha).alpha == "no alpha"
    assert examined(alpha_for_both).alpha == "other"


def test_each_planted_fault_is_counted_once() -> None:
    """One NaN in every gamma below 1 but 0 (of both targets), or one value 10% off, at one logit."""

    def poison(values: Tensor, x: Tensor, gamma: float) -> Tensor:
        return torch.where((x == 20) & (0 < gamma < 1), torch.nan, values)

    def stretch(values: Tensor, x: Tensor, gamma: float) -> Tensor:
        return torch.where((x == 2) & (gamma == 2), values * 1.1, values)

    assert examined(spoilt(poison)).counts["float32"] == Count(2 * 3, 0)
    assert examined(spoilt(stretch)).counts["float32"] == Count(0, 2)
    assert examined(spoilt(lambda *all_: poison(stretch(*all_), *all_[1:]))).counts["float64"] == Count(6, 2)


def test_nan_gradients_and_cancellation_of_the_published_formula_are_found() -> None:
    verdict = audit.examine(FORMULA, FORMULA.load())
    for dtype in ("float32", "float64"):
        assert verdict.counts[dtype].non_finite > 20  # 0 < gamma < 1
        assert verdict.counts[dtype].wrong > 50  # 1 - p_t
    assert verdict.alpha == "positives"
    x, y = torch.tensor([20.0]), torch.tensor([1.0])
    assert FORMULA.load().evaluate(x, y, None, 0.5)[1].isnan().all()
    assert FORMULA.load().evaluate(x, y, None, 2.0)[1].item() == 0


def test_a_clipped_probability_is_found_on_the_hardest_examples() -> None:
    verdict = examined(clipped)
    assert verdict.counts["float32"].wrong > 100
    assert verdict.counts["float64"].wrong > 100
    _, slopes = audit.in_torch(clipped).evaluate(torch.tensor([-17.0]), torch.tensor([1.0]), None, 2.0)
    assert slopes.item() == 0  # -1 is right


def test_wrong_starts_at_64_eps_and_the_price_of_an_exponential() -> None:
    eps, tiny = (getattr(torch.finfo(torch.float64), name) for name in ("eps", "tiny"))
    one, small = audit.Exact(1.0, 0.0), audit.Exact(1e-200, 460.5)

    def wrong(first: float, second: float) -> list[bool]:
        got = torch.tensor([[first, second]], dtype=torch.float64)
        return list(audit.is_wrong(got, [(one, small)], torch.float64)[0].tolist())

    assert wrong(1 + 63 * eps, 1e-200 * (1 + 500 * eps)) == [False, False]
    assert wrong(1 + 66 * eps, 1e-200 * (1 + 530 * eps)) == [True, True]
    assert wrong(torch.nan, torch.inf) == [True, True]
    vanished = [(audit.Exact(0.0, 6e4), audit.Exact(0.0, 6e4))]
    got = torch.tensor([[4 * tiny, 4.1 * tiny]], dtype=torch.float64)
    assert audit.is_wrong(got, vanished, torch.float64).tolist() == [[False, True]]


def test_missing_broken_and_failing_libraries_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_library.py").write_text("raise RuntimeError('operator nms does not exist\\nsecond line')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def load_broken() -> Loss:
        __import__("broken_library")
        raise AssertionError

    def fail(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
        raise TypeError("no such argument")

    peers = [
        Peer("gone", "no_such_library", "no-such-library", load_broken),
        Peer("broken", "broken_library", "broken-library", load_broken),
        fake(fail),
        OURS,
    ]
    found = audit.audit(peers, speed=False)
    assert found.absent == (
        Absent("no-such-library", "not installed"),
        Absent("broken-library", "not importable: RuntimeError: operator nms does not exist"),
        Absent("fake", "fails when called: TypeError: no such argument"),
    )
    assert [verdict.name for verdict in found.verdicts] == ["focalbench"]
    assert found.ours_is_right
    assert not found.compares
    assert found.baseline is None
    assert "broken_library" not in sys.modules


def test_without_ours_nothing_is_right() -> None:
    assert not audit.audit([FORMULA], speed=False).ours_is_right


def test_a_refused_or_narrowed_dtype_is_noted() -> None:
    def picky(x: Tensor, y: Tensor, alpha: float | None, gamma: float) -> Tensor:
        if x.dtype == torch.bfloat16:
            raise TypeError("no bfloat16 here")
        return focal_loss(x.float(), y, alpha=alpha, gamma=gamma)

    verdict = examined(picky)
    assert set(verdict.counts) == {"float32", "float64", "float16"}
    assert verdict.counts["float64"].wrong > 0
    assert verdict.counts["float16"] == Count(0, 0)
    assert verdict.notes == (
        "fake returns float32 for float64",
        "fake refuses bfloat16: TypeError: no bfloat16 here",
    )
    assert not verdict.is_right


def test_peak_memory_is_what_lived_at_once() -> None:
    megabyte = torch.zeros(250_000)

    def step() -> None:
        held = megabyte + 1
        del held
        torch.exp(megabyte + 1)

    audit.peak_bytes(step)  # the first profile of a process starts the profiler
    assert audit.peak_bytes(step) == pytest.approx(2e6, abs=100)


def test_costs_are_multiples_of_bce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "SPEED_LOGITS", 20_000)
    threads = torch.get_num_threads()
    outside = Loss(exact, nothing, in_torch=False)
    baseline, (same, heavy, unseen) = audit.measure([audit.in_torch(bce), audit.in_torch(nine_times), outside])
    assert baseline.time > 0
    assert baseline.memory is not None
    assert baseline.memory >= 20_000 * 4
    assert same.memory is not None
    assert heavy.memory is not None
    assert heavy.memory > 2 * same.memory
    assert heavy.time > 2 * same.time
    assert unseen.memory is None
    assert unseen.time < same.time
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_installed_library_is_asked_for_the_same_loss(peer: Peer) -> None:
    with warnings.catch_warnings(action="ignore"):
        loss = audit.load(peer)
        if isinstance(loss, Absent) and not loss.reason.startswith("fails"):
            pytest.skip(loss.reason)
        assert isinstance(loss, Loss), loss
        x, y = torch.tensor([0.5, 0.5, -1.0]), torch.tensor([1.0, 0.0, 0.0])
        for gamma in audit.GAMMAS:
            for got, wanted in zip(loss.evaluate(x, y, None, gamma), exact(x, y, None, gamma), strict=True):
                torch.testing.assert_close(got.float(), wanted, rtol=1e-5, atol=0)
        assert audit.alpha_convention(loss) == "positives"
        loss.step(x, y)()


def test_the_grid_is_the_stated_one() -> None:
    assert CASES == 574
    assert max(audit.LOGITS) == -min(audit.LOGITS) == 1e4
    assert audit.GAMMAS == (0, 0.1, 0.2, 0.5, 1, 2, 5)
