"""The benchmark measures what it says: the peers train the same models, and its figures are those of its timings."""

import copy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from sklearn import neural_network
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from focalbench.bench import growth, memory, peers, trainer
from focalbench.bench import startup as start
from focalbench.bench.lockstep import MIXED, _stacks, train_stacks
from focalbench.bench.plain_loop import train_plainly
from focalbench.bench.problem import Problem, drawn
from focalbench.bench.rows import OURS, Goal, Scale, row
from focalbench.bench.startup import loaded_before_the_first_batch
from focalbench.bench.sweep_time import PARTS
from focalbench.bench.timing import Timing, interleaved
from focalbench.datasets.build import build_splits
from focalbench.errors import InputError
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.runs.arm import Arm
from focalbench.runs.resampling import Resampling
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.stack import run_stack

SMALL = Problem((8, 8), 48, rows=130, runs=3, positive_rate=0.2)


@pytest.mark.parametrize("hidden", [(), (16,), (64, 32)])
def test_flops_are_those_that_torch_counts(hidden: tuple[int, ...]) -> None:
    problem = replace(SMALL, hidden=hidden)
    rows, _ = drawn(problem)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(peers.sequential(problem)(rows.features).sum())
    assert counter.get_total_flops() == problem.flops


# ---- peers


def trained(peer: peers.Peer, model: nn.Sequential, monkeypatch: pytest.MonkeyPatch) -> list[list[torch.Tensor]]:
    """The parameters of every run after two epochs from one model, through torch's own optimiser."""
    optimisers: list[torch.optim.Adam] = []

    class Seen(torch.optim.Adam):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[arg-type]
            optimisers.append(self)

    monkeypatch.setattr(torch.optim, "Adam", Seen)
    monkeypatch.setattr(peers, "sequential", lambda _: copy.deepcopy(model))
    work = peer.make(SMALL)
    for _ in range(2):
        work()
    parameters = [value.detach() for group in optimisers[-1].param_groups for value in group["params"]]
    return [[value[run] for value in parameters] for run in range(SMALL.runs)] if peer.together else [parameters]


@pytest.mark.parametrize(
    "name", ["plain loop, fused Adam", "DataLoader loop", "torch.func.vmap ensemble", "skorch NeuralNet"]
)
def test_peers_train_what_the_plain_loop_trains(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    peer = next(peer for peer in peers.PEERS if peer.name == name)
    if peer.lacks:
        pytest.skip(peer.lacks)
    torch.manual_seed(0)
    model = peers.sequential(SMALL)
    (expected,) = trained(peers.PLAIN, model, monkeypatch)
    assert not torch.equal(expected[0], next(model.parameters()))
    for run in trained(peer, model, monkeypatch):
        torch.testing.assert_close(run, expected, rtol=1e-4, atol=1e-6)


def test_scikit_learns_network_learns_in_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    made, fit = [], neural_network.MLPClassifier.partial_fit

    def seen(model: Any, *arguments: Any, **options: Any) -> Any:
        made.append(model)
        return fit(model, *arguments, **options)

    monkeypatch.setattr(neural_network.MLPClassifier, "partial_fit", seen)
    work = peers.sklearn_mlp(SMALL)
    for _ in range(30):
        work()
    model = made[-1]
    assert model.t_ == 30 * SMALL.rows
    assert model._optimizer.t == 30 * 3  # batches of 48, 48 and 34 rows
    assert model.loss_curve_[-1] < model.loss_curve_[0]


def test_jaxs_ensemble_takes_every_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    jax = pytest.importorskip("jax")
    states: list[tuple[Any, ...]] = []

    def seen(state: tuple[Any, ...]) -> tuple[Any, ...]:
        states.append(state)
        return state

    monkeypatch.setattr(jax, "block_until_ready", seen)
    work = peers.in_jax(SMALL)
    for _ in range(2):
        work()
    assert float(states[-1][-1]) == 2 * 3
    assert all(float(abs(moment).sum()) > 0 for moment in jax.tree.leaves(states[-1][1]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_the_compiled_peer_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    moments: list[torch.Tensor] = []

    def seen(value: torch.Tensor) -> torch.Tensor:
        moments.append(torch.zeros(value.shape))
        return moments[-1]

    with monkeypatch.context() as patched:
        patched.setattr(torch, "zeros_like", seen)  # Adam's moments are all that it makes so
        work = peers.compiled(SMALL)
    work()
    once = [moment.clone() for moment in moments]
    work()
    assert len(moments) == 2 * 2 * len(SMALL.architecture.layers)
    for moment, before in zip(moments, once, strict=True):
        assert before.any()
        assert not torch.equal(moment, before)


def test_ours_trains_any_number_of_runs_and_leaves_the_threads_alone() -> None:
    stacks = _stacks(SMALL, 5, MIXED)
    before = [network.parameters.biases[-1].clone() for network, _, _ in stacks]
    torch.set_num_threads(2)
    try:
        train_stacks(SMALL, 5, MIXED)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
    assert sum(network.runs for network, _, _ in stacks) == 5
    for (network, _, _), old in zip(stacks, before, strict=True):
        assert (network.parameters.biases[-1] != old).all()


def test_the_plain_sweep_is_the_lockstep_sweep() -> None:
    small = Experiment(positive_rates=(0.05,), rows=1500, epochs=3, hidden=(8,), lrs=(0.01,), seeds=1, references=False)
    runs = make_plan(small).runs[::5]
    _is_plain(runs)


@pytest.mark.parametrize("how", ["undersample:0.5", "oversample", "smote"])
def test_a_resampled_run_is_the_plain_one(how: str) -> None:
    run = Run(
        Recipe("mixture", 1500, 0.05),
        Training(hidden=(8,), epochs=3),
        Arm("bce", resampling=Resampling.parse(how)),
        0.01,
        0,
    )
    _is_plain((run,))


def _is_plain(runs: tuple[Run, ...]) -> None:
    splits = build_splits(runs[0].recipe, runs[0].seed)
    for run, result in zip(runs, run_stack(runs), strict=True):
        assert train_plainly(run, splits) == pytest.approx(result.outcome.test_average_precision, abs=5e-3), run.arm


# ---- figures


def test_works_take_turns_and_the_first_turn_does_not_count() -> None:
    calls: list[str] = []
    taken = interleaved([lambda: calls.append("a"), lambda: calls.append("b")], 3)
    assert calls == ["a", "b"] * 4
    assert [len(timing.seconds) for timing in taken] == [3, 3]


def test_a_ratio_is_the_median_of_paired_rounds() -> None:
    slow, fast = Timing((2.0, 30.0, 8.0)), Timing((1.0, 10.0, 2.0))
    assert slow.times(fast) == 3.0
    assert slow.median == 8.0
    assert slow.of(2).seconds == (1.0, 15.0, 4.0)
    found = row("part", "slow", "1", slow, 1e3, fast)
    assert (found.median, found.low, found.high, found.ratio) == (8000, 2000, 30_000, 3)


def test_peers_and_ours_count_at_their_best_and_the_share_of_the_peak_at_one_thread() -> None:
    wide = replace(SMALL, rows=1000)
    peak = wide.flops / 0.002  # a machine that would need 2 ms for a run's products
    cubes = 2 * trainer.CUBE**3 / peak
    seconds = {
        ("peak", "1"): cubes,
        ("plain PyTorch loop", "1"): 0.060,
        ("plain PyTorch loop", "2"): 0.048,
        (OURS, "1"): 0.008,
        (OURS, "2 x 1"): 0.004,
    }
    entries = [trainer.Entry(name, threads, lambda: None, 1) for name, threads in seconds]
    each = [Timing((value,) * 3) for value in seconds.values()]
    rows, (share, ratio) = trainer.reported(wide, entries, each, {"plain PyTorch loop": 12.5, "not here": 3})
    assert share.reached == pytest.approx(0.25)
    assert not share.met
    assert ratio.reached == pytest.approx(12)
    assert not ratio.met
    assert {row.name: row.ratio for row in rows if row.threads == "1"} == {
        "plain PyTorch loop": pytest.approx(7.5),
        OURS: 1,
        "matmul, 1024 cube (ms)": None,
    }


def test_a_goal_is_met_on_its_own_side() -> None:
    assert Goal("times", 12.0, 12).met
    assert not Goal("times", 11.9, 12).met
    assert Goal("seconds", 0.3, 0.3, at_most=True).met
    assert not Goal("seconds", 0.31, 0.3, at_most=True).met


def test_a_peer_that_fails_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Problem) -> object:
        raise RuntimeError("no")

    rows, _ = trainer.training(SMALL, [peers.Peer("broken", "torch", broken)], {}, Scale(1, 1))  # type: ignore[arg-type]
    assert [row.note for row in rows if row.name == "broken"] == ["failed: RuntimeError: no"]


def test_growth_is_what_an_added_run_costs_and_no_start_hides_it(monkeypatch: pytest.MonkeyPatch) -> None:
    ran = iter([memory.Ran(10.0, 10**8), memory.Ran(14.8, 10**8), memory.Ran(29.2, 3 * 10**8)])
    monkeypatch.setattr(growth, "swept", lambda _: (next(ran), {}))
    rows, (added, held) = growth.runs(Scale(1, 1, tiny=True))  # 48, 96 and 144 runs
    assert added.reached == pytest.approx(3)
    assert held.reached == pytest.approx(3)
    assert [(row.name, row.median, row.note) for row in rows][2] == ("144", 29.2, "peak 300 MB")


# ---- processes


def test_nothing_heavy_is_loaded_before_the_first_batch() -> None:
    assert loaded_before_the_first_batch() == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_is_that_of_the_whole_session(tmp_path: Path) -> None:
    options = "sweep --rows 1500 --pos-rate 0.05 --epochs 1 --seeds 2 --loss bce --lr 0.01 --no-references --device cpu"
    one, two = (memory.run([*options.split(), "--workers", n, "--out", str(tmp_path / n)]) for n in ("1", "2"))
    assert one.peak_bytes is not None
    assert two.peak_bytes is not None
    assert 10**8 < one.peak_bytes < 10**9
    assert two.peak_bytes > 1.3 * one.peak_bytes  # its workers load torch, too


def test_a_sweep_that_never_trains_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "PROBE", "print('sklearn')")
    with pytest.raises(InputError, match="without training"):
        loaded_before_the_first_batch()


def test_a_command_that_fails_is_told() -> None:
    with pytest.raises(InputError, match="exit code 2"):
        memory.run(["sweep", "--dataset", "nowhere.csv"])


def test_the_parts_of_a_seed_are_functions_that_there_are() -> None:
    for name, module, function in PARTS:
        assert callable(getattr(module, function)), name
