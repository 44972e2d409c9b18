"""The same numbers everywhere: whatever trains them, in whatever company and order, runs.csv is the same file."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.execution.pools import Backend
from focalbench.jobs.sweep import run_experiment
from focalbench.jobs.trainer import Execution
from focalbench.plan import stacks as plan_module
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.toml import load, to_toml
from focalbench.runs.arm import Arm

pytestmark = pytest.mark.processes

ARMS = (Arm("bce"), Arm("pos_weight"), Arm("focal", gamma=2.0), Arm("focal", gamma=1.0), Arm("dice"), Arm("ohem"))
EXPERIMENT = Experiment(
    datasets=("mixture", "gaussians"),
    positive_rates=(0.02,),
    rows=1500,
    arms=ARMS,
    lrs=(0.003, 0.01),
    seeds=2,
    epochs=2,
    batch_size=128,
    hidden=(8,),
    references=False,
)
SERIAL = Backend()
QUICK = [Backend("loky", 2), Backend("dask", 2)]
SLOW = [pytest.param(Backend("loky", workers), marks=pytest.mark.slow) for workers in (1, 3, 4)]


def table_of_runs(experiment: Experiment, folder: Path, backend: Backend = SERIAL) -> bytes:
    run_experiment(experiment, make_plan(experiment), folder, Execution(backend))
    return (folder / "runs.csv").read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return table_of_runs(EXPERIMENT, tmp_path_factory.mktemp("expected"))


@pytest.mark.parametrize("backend", [*QUICK, *SLOW], ids=lambda backend: f"{backend.name}-{backend.workers}")
def test_every_backend(expected: bytes, tmp_path: Path, backend: Backend) -> None:
    assert table_of_runs(EXPERIMENT, tmp_path, backend) == expected


@pytest.mark.parametrize("most", [1, 2, 5, 10_000])
def test_every_stack_size(expected: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    sizes = set()

    def stack_size(*_: object) -> int:
        sizes.add(most)
        return most

    monkeypatch.setattr(plan_module, "stack_size", stack_size)
    assert table_of_runs(EXPERIMENT, tmp_path) == expected
    assert sizes == {most}


def shuffled(seed: int) -> Iterator[Experiment]:
    rng = random.Random(seed)
    for _ in range(3):
        arms, lrs = list(ARMS), [0.003, 0.01]
        rng.shuffle(arms)
        rng.shuffle(lrs)
        yield replace(EXPERIMENT, arms=tuple(arms), lrs=tuple(lrs))


def test_arms_and_learning_rates_in_any_order(expected: bytes, tmp_path: Path) -> None:
    for i, experiment in enumerate(shuffled(0)):
        assert table_of_runs(experiment, tmp_path / str(i)) == expected


def test_arms_typed_in_any_order_in_a_file(tmp_path: Path) -> None:
    arms = [f'[[arms]]\nloss = "{arm.loss}"\ngamma = {arm.gamma}' for arm in ARMS]
    texts = set()
    for i in range(3):
        random.Random(i).shuffle(arms)
        (tmp_path / "e.toml").write_text("\n".join(arms))
        experiment, _ = load(tmp_path / "e.toml")
        texts.add(to_toml(experiment))
        assert [run.run_id for run in make_plan(experiment).runs]
    assert len(texts) == 1


def test_runs_that_were_there_before(expected: bytes, tmp_path: Path) -> None:
    """A store that holds other runs, and some of these, made in other company."""
    table_of_runs(replace(EXPERIMENT, seeds=1, arms=ARMS[:3], lrs=(0.001, 0.01)), tmp_path)
    assert table_of_runs(EXPERIMENT, tmp_path, Backend("loky", 2)) == expected
