"""A plan's time is told from its parts; how near that is to the truth is for the long suite."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.execution.pools import Backend
from focalbench.jobs import forecast as module
from focalbench.jobs.forecast import forecast, sizes_of, slowness, stack_seconds
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.plan.stacks import make_stacks
from focalbench.runs.arm import Arm
from focalbench.runs.reference import LIBRARIES, Reference
from focalbench.training import boosters
from tests.support.harness import run

SMALL = Experiment(positive_rates=(0.02,), rows=4000, seeds=4, epochs=5, hidden=(16,), references=False)
LOCAL = Backend("loky", 2)


@pytest.fixture(autouse=True)
def _steady(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "slowness", lambda *_: 2.0)


def seconds(experiment: Experiment, backend: Backend = LOCAL) -> float:
    found = forecast(make_plan(experiment), (), backend)
    assert found is not None
    return found.seconds


@pytest.mark.parametrize(
    "more",
    [
        {"rows": 8000},
        {"epochs": 10},
        {"hidden": (32,)},
        {"hidden": (16, 16)},
        {"seeds": 5},
        {"references": True},
        {"positive_rates": (0.02, 0.03)},
        {"batch_size": 128},
    ],
)
def test_what_is_more_takes_longer(more: dict[str, object]) -> None:
    assert seconds(replace(SMALL, **more)) > seconds(SMALL)  # type: ignore[arg-type]


def test_seeds_cost_alike_and_workers_share_them() -> None:
    start = 2.0 * (module.STARTING + module.STARTING_WORKERS)
    few, many = (seconds(replace(SMALL, seeds=n)) - start for n in (4, 8))
    assert many == pytest.approx(2 * few)
    found = forecast(make_plan(SMALL), (), LOCAL)
    assert found is not None
    assert found.seconds > found.first_seed > start
    one = seconds(SMALL, Backend("serial", 1)) - 2.0 * module.STARTING
    assert few < one < 2 * few + 0.1


def test_a_forecast_is_the_sum_of_its_stacks() -> None:
    plan = make_plan(replace(SMALL, seeds=1, references=True))
    stacks, sizes = make_stacks(plan.runs), sizes_of(plan.runs[0])
    parts = sum(stack_seconds(stack, sizes) for stack in stacks) + module.BUILT * sizes.rows
    files = module.FILE * len(plan.runs)
    assert seconds(replace(SMALL, seeds=1, references=True), Backend("serial", 1)) == pytest.approx(
        2.0 * (module.STARTING + parts + files)
    )


def test_shares_are_of_the_cost_and_not_of_the_count() -> None:
    small, wide = (make_plan(replace(SMALL, hidden=hidden)) for hidden in ((16,), (256, 256)))
    found = forecast(replace(small, runs=(*small.runs, *wide.runs)), (), LOCAL)
    assert found is not None
    assert sum(found.shares.values()) == pytest.approx(1)
    assert sum(found.shares[run.run_id] for run in wide.runs) > 0.75


def test_what_is_stored_takes_no_time_and_what_is_unknown_is_not_told() -> None:
    plan = make_plan(SMALL)
    stored = [run.run_id for run in plan.runs]
    nothing = forecast(plan, stored, LOCAL)
    assert nothing is not None
    assert nothing.first_seed == 0.0
    assert nothing.seconds < 1
    assert forecast(plan, (), Backend("dask", 2, "tcp://host:1")) is None
    assert forecast(make_plan(replace(SMALL, device="cuda")), (), LOCAL) is None
    own = replace(SMALL, arms=(Arm("bce"), Arm("mine:loss", source="a" * 64)))
    assert forecast(make_plan(own), (), LOCAL) is None
    model = replace(SMALL, references=(Reference("mine:MODEL", "a" * 64),))
    assert forecast(make_plan(model), (), LOCAL) is None


@pytest.mark.parametrize("name", sorted(module.LIBRARIES))
def test_every_library_has_its_cost(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosters, "find_spec", lambda name: name)  # which need not be here
    assert sorted(module.LIBRARIES) == sorted(LIBRARIES)
    with_library = seconds(replace(SMALL, references=(Reference(name),)))
    assert with_library > seconds(SMALL) + 1
    larger = seconds(replace(SMALL, rows=40_000, references=(Reference(name),)))
    assert larger - seconds(replace(SMALL, rows=40_000)) > 2 * (with_library - seconds(SMALL))


@pytest.mark.parametrize(("seeds", "probed"), [(1, 0.0), (10_000, 0.2)])
def test_the_probe_takes_a_moment_and_less_for_small_plans(
    seeds: int, probed: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def steady(workers: int, limit: float) -> float:
        asked.append(limit)
        return float(workers)

    monkeypatch.setattr(module, "slowness", steady)
    seconds(replace(SMALL, seeds=seeds, arms=(Arm("bce"),)))
    assert asked == pytest.approx([probed], abs=0.02)
    begin = time.monotonic()
    assert 0.05 < slowness(2, 0.01) < 100
    assert time.monotonic() - begin < 5


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        "--pos-rate 0.02 --seeds 4 --rows 8000 --hidden 32,32 --epochs 5",
        "--pos-rate 0.0015 --seeds 1 --hidden 32,32 --lr 0.0003 --lr 0.001 --lr 0.003",
        "--pos-rate 0.02 --seeds 20 --rows 2000 --model logistic --epochs 5 --no-references",
        "--dataset gaussians --pos-rate 0.01 --seeds 3 --rows 20000 --hidden 16 --no-references --workers 1",
        "--pos-rate 0.02 --seeds 2 --rows 20000 --hidden 64,64 --epochs 10 --lr 0.01 --batch-size 256",
    ],
)
def test_a_forecast_is_near_the_truth(
    tmp_path: Path, options: str, record_property: Callable[[str, object], None]
) -> None:
    events = run(f"sweep {options} --device cpu --json --out o", tmp_path).out.splitlines()
    told, took = (json.loads(line)["seconds"] for line in (events[0], events[-1]))
    record_property("time told before over taken", round(told / took, 2))
    assert 1 / 4 < told / took < 4
