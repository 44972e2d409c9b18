"""What is done about workers that die, on a pool that dies as it is told."""

import errno
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalbench.errors import InputError, MachineError
from focalbench.execution import cluster, pools
from focalbench.execution import drive as execution
from focalbench.execution.cluster import DaskPool
from focalbench.execution.drive import Attempt, Finished, SlowStacks, check_backend, execute
from focalbench.execution.pools import (
    Backend,
    LokyPool,
    LokyWorker,
    Progress,
    SerialPool,
    Stack,
    StackResult,
    WorkerError,
)
from focalbench.runs.arm import Arm
from focalbench.runs.result import Curves, Result
from focalbench.runs.run import Recipe, Run, Training
from tests.support.runs import outcome_with


def stack(seed: int, runs: int) -> Stack:
    return tuple(Run(Recipe("mixture", 900, 0.02), Training(), Arm("bce"), 0.001 * (i + 1), seed) for i in range(runs))


def made(runs: Stack) -> StackResult:
    return StackResult([Result(run.run_id, outcome_with(), Curves(), 0.0) for run in runs], "{}", 0.0, None)


@dataclass
class FakePool:
    """Two workers; a stack dies as long as `dies` says so of it and of how often it was tried."""

    dies: Callable[[Stack, int], bool]
    tried: Counter[Stack] = field(default_factory=Counter)
    log: list[tuple[Stack, int]] = field(default_factory=list)  # and how many ran beside it
    closed: list[bool] = field(default_factory=list)
    running: int = 0

    def slots(self) -> int:
        return 2

    def submit(self, runs: Stack) -> tuple[Stack, int]:
        assert self.running < 2
        self.log.append((runs, self.running))
        self.running += 1
        self.tried[runs] += 1
        return runs, self.tried[runs]

    def wait(self, futures: Collection[tuple[Stack, int]]) -> set[tuple[Stack, int]]:
        return {next(iter(futures))}

    def result(self, future: tuple[Stack, int]) -> StackResult:
        self.running -= 1
        if self.dies(*future):
            raise WorkerError
        return made(future[0])

    def close(self, *, at_once: bool) -> None:
        self.closed.append(at_once)


def drive(pool: FakePool, stacks: list[Stack], monkeypatch: pytest.MonkeyPatch) -> list[Finished]:
    monkeypatch.setattr(execution, "make_pool", lambda _: pool)
    return list(execute(stacks, Backend()))


def runs_of(finished: list[Finished], *, failed: bool) -> Counter[Run]:
    return Counter(run for each in finished if (each.result is None) == failed for run in each.stack)


@given(st.lists(st.integers(1, 7), min_size=1, max_size=5), st.sets(st.integers(0, 34)))
def test_every_run_ends_once_and_only_poison_fails(sizes: list[int], places: set[int]) -> None:
    stacks = [stack(seed, size) for seed, size in enumerate(sizes)]
    every = [run for each in stacks for run in each]
    poison = {run for i, run in enumerate(every) if i in places}
    pool = FakePool(lambda runs, _: bool(poison & {*runs}))
    with pytest.MonkeyPatch.context() as monkeypatch:
        finished = drive(pool, stacks, monkeypatch)
    good, bad = runs_of(finished, failed=False), runs_of(finished, failed=True)
    assert good + bad == Counter(every)
    assert poison <= {*bad}
    for each in finished:  # what is given up was as small as three deaths allow, with poison in it
        if each.result is None:
            assert poison & {*each.stack}
            assert len(each.stack) <= -(-max(sizes) // 4)
    assert pool.closed == [False]


def test_what_died_runs_alone_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stacks = [stack(seed, 4) for seed in range(6)]
    pool = FakePool(lambda runs, _: len(runs) == 4 and runs[0].seed == 1)
    finished = drive(pool, stacks, monkeypatch)
    assert not runs_of(finished, failed=True)
    assert [beside for runs, beside in pool.log if len(runs) == 2] == [0, 0]
    after = [beside for runs, beside in pool.log if runs[0].seed > 3]
    assert 1 in after  # later ones share again


def test_three_deaths_are_the_end(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(logging.getLogger("focalbench"), "propagate", True)
    for deaths in range(5):
        pool = FakePool(lambda _, time, deaths=deaths: time <= deaths)  # type: ignore[misc]
        (finished,) = drive(pool, [stack(0, 1)], monkeypatch)
        assert (finished.result is None) == (deaths >= 3)
        assert sum(pool.tried.values()) == min(deaths + 1, 3)
    assert "a worker died, or had no memory, with 1 runs of seed 0; these have failed" in caplog.text


def test_halves_of_an_attempt_hold_all_its_runs() -> None:
    for size in range(1, 8):
        parts = Attempt(stack(0, size)).again()
        assert tuple(run for part in parts for run in part.stack) == stack(0, size)
        assert [part.deaths for part in parts] == [1] * min(size, 2)


def test_an_error_of_a_stack_is_told_and_workers_are_given_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = FakePool(lambda *_: False)

    def broken(_: object) -> StackResult:
        raise MachineError("the Dask scheduler is gone")

    monkeypatch.setattr(pool, "result", broken)
    with pytest.raises(MachineError):
        drive(pool, [stack(0, 2)], monkeypatch)
    assert pool.closed == [True]


def test_workers_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = FakePool(lambda *_: False)
    monkeypatch.setattr(pool, "result", lambda _: made(stack(9, 2)))
    with pytest.raises(InputError, match="another version of focalbench"):
        drive(pool, [stack(0, 2)], monkeypatch)


def boom(error: Exception) -> Callable[[Stack], list[Result]]:
    def run_stack(_: Stack) -> list[Result]:
        raise error

    return run_stack


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_no_memory_is_a_death(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("focalbench.training.stack.run_stack", boom(error))
    pool = SerialPool()
    future = pool.submit(stack(0, 1))
    with pytest.raises(WorkerError):
        pool.result(future)


def test_torchs_own_words_for_no_memory() -> None:
    import torch

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert pools.is_memory(caught.value)


def test_any_other_error_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focalbench.training.stack.run_stack", boom(RuntimeError("shapes do not match")))
    pool = SerialPool()
    with pytest.raises(RuntimeError, match="shapes"):
        pool.result(pool.submit(stack(0, 1)))


def test_a_worker_says_what_it_was_made_with() -> None:
    runs = (Run(Recipe("gaussians", 900, 0.05), Training(hidden=(4,), epochs=1), Arm("bce"), 0.01, 0),)
    found = pools.run_in_worker(runs)
    assert json.loads(found.versions).keys() >= {"focalbench", "torch", "numpy", "python", "cpu"}
    assert found.seconds > 0
    assert found.peak_bytes is None or found.peak_bytes > 10**7


def test_no_scheduler_is_contacted_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:1")  # Dask's own way to name one
    monkeypatch.setattr("socket.create_connection", lambda *_, **__: pytest.fail("it knocked somewhere"))
    check_backend(Backend("dask", 1))
    pool = DaskPool(Backend("dask", 1))
    try:
        assert pool._client.scheduler.address.startswith("tls://127.0.0.1:")
        assert pool.slots() == 1
    finally:
        pool.close(at_once=True)


DEAF = r"""
import re, signal
from pathlib import Path
from types import SimpleNamespace
from focalbench.plan.experiment import Experiment
from focalbench.plan.planning import make_plan
from focalbench.execution.pools import LokyPool

pool = LokyPool(2)
runs = make_plan(Experiment(positive_rates=(0.02,), rows=1500, epochs=1, hidden=(4,), seeds=1)).runs[:2]
for future in [pool.submit((run,)) for run in runs]:
    (worker,) = pool._busy[future].executor._processes
    blocked = re.search(r"SigBlk:\s*(\w+)", Path(f"/proc/{worker}/status").read_text())[1]
    print(bool(int(blocked, 16) & 1 << signal.SIGINT - 1))
print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))
pool.close(at_once=True)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not say")
def test_workers_do_not_hear_ctrl_c_from_their_first_moment_on() -> None:
    said = subprocess.run([sys.executable, "-c", DEAF], capture_output=True, text=True)  # no other has started one
    assert said.stdout.split() == ["True", "True", "False"], said.stderr


@pytest.mark.parametrize("says", [b"", b"HTTP/1.0 400 Bad Request\r\nServer: none\r\n\r\n", b"\x00" * 64])
def test_who_is_no_scheduler_is_told_within_the_stated_patience(monkeypatch: pytest.MonkeyPatch, says: bytes) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer_all, args=(server, says), daemon=True).start()
        begin = time.monotonic()
        with pytest.raises(InputError, match=r"no Dask scheduler answers at tcp://.*; check `scheduler`") as caught:
            check_backend(Backend("dask", 1, f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        assert time.monotonic() - begin < 4
        assert "\n" not in str(caught.value)


def answer_all(server: socket.socket, says: bytes) -> None:
    """Say the same to everyone, and hear nothing."""
    callers = []
    with suppress(OSError):  # until it is closed
        while True:
            callers.append(server.accept()[0])
            callers[-1].sendall(says)


def test_a_scheduler_that_falls_silent_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = DaskPool.__new__(DaskPool)

    class Silent:
        scheduler = type("Scheduler", (), {"ncores": None})

        def sync(self, _: object, **limit: float) -> None:
            assert limit
            raise TimeoutError

    monkeypatch.setattr(pool, "_client", Silent(), raising=False)
    with pytest.raises(MachineError, match="the Dask scheduler has not answered for 120 s"):
        pool.slots()


# ---- workers that are stopped


def stopped_once(pool: LokyPool, runs: Stack) -> object:
    """Begin a stack, and stop its process as soon as it is there."""
    future = LokyPool.submit(pool, runs)
    (pid,) = pool._busy[future].executor._processes
    os.kill(pid, signal.SIGSTOP)
    return future


def test_a_stopped_worker_is_named_and_its_stack_tried_elsewhere(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("focalbench"), "propagate", True)
    usual, pool, begun = pools.SILENCE, LokyPool(1), []

    def submit(runs: Stack) -> object:
        begun.append(runs)
        monkeypatch.setattr(pools, "SILENCE", 0.5 if len(begun) == 1 else usual)
        return LokyPool.submit(pool, runs) if len(begun) > 1 else stopped_once(pool, runs)

    monkeypatch.setattr(pool, "submit", submit)
    monkeypatch.setattr(execution, "make_pool", lambda _: pool)
    runs = (Run(Recipe("gaussians", 900, 0.05), Training(hidden=(4,), epochs=1), Arm("bce"), 0.01, 0),)
    (finished,) = execute([runs], Backend())
    assert finished.result is not None
    assert len(begun) == 2
    assert "a worker gave no sign of life for 0.5 s, stopped or hanging, and was ended, with 1 runs" in caplog.text


def test_a_process_gets_on_while_it_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "STANDSTILL", 0.2)
    progress = Progress()
    assert progress.is_recent()
    time.sleep(0.3)
    assert not progress.is_recent()
    end = time.process_time() + 1.5 * pools.LITTLE
    while time.process_time() < end:
        pass
    assert progress.is_recent()


def test_all_of_us_being_stopped_for_a_while_is_nobodys_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = LokyPool(1)
    heard: list[float] = []
    monkeypatch.setattr(pool._idle[0], "listen", heard.append)
    pool._busy[Future()] = pool._idle[0]
    for now in (0.0, 0.5, 1e6):  # between the last two we were all stopped
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        pool._looked = 0.0 if now == 0 else pool._looked
        pool._listen()
    assert heard == [0.0, 0.5, 2 * pools.LOOK]


def test_stacks_that_take_long_are_named_ever_more_rarely(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(logging.getLogger("focalbench"), "propagate", True)
    caplog.set_level(logging.INFO, "focalbench")
    said, minutes = SlowStacks(), []
    for minute in range(100):
        monkeypatch.setattr(time, "monotonic", lambda minute=minute: 60.0 * minute)
        said.log({"a": stack(7, 2)} | ({"b": stack(8, 1)} if minute == 50 else {}))
        minutes += [minute] * len(caplog.records)
        if caplog.records:
            assert caplog.messages == [f"2 runs of seed 7 (bce) have been training for {minute} minutes"]
        caplog.clear()
    assert minutes == [10, 20, 40, 80]


# ---- no room for processes


@pytest.mark.parametrize(("free", "says"), [(0, "/dev/shm is full: free some of it"), (9, "use `backend=serial`")])
def test_no_room_for_workers_is_the_machines_fault(monkeypatch: pytest.MonkeyPatch, free: int, says: str) -> None:
    def full() -> LokyWorker:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pools, "LokyWorker", full)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=free))
    with pytest.raises(MachineError, match=f"no worker would start .No space left on device.; {says}"):
        LokyPool(2)


@pytest.mark.slow
def test_a_full_dev_shm_is_told(tmp_path: Path) -> None:
    fill = "mount -t tmpfs -o size=4k tmpfs /dev/shm && { head -c 8192 /dev/zero > /dev/shm/all; true; }"
    if subprocess.run(["unshare", "-m", "sh", "-c", fill], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no right to mount a file system")
    quick = "--quick --seeds 1 --epochs 1 --rows 2000 --pos-rate 0.05 --lr 0.003 --out o"
    for options, stops in (("--workers 2", True), ("--backend dask --workers 2", True), ("--workers 1", False)):
        command = f"{fill} 2> /dev/null; {sys.executable} -m focalbench sweep {quick} {options} --log-level error"
        ended = subprocess.run(["unshare", "-m", "sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
        assert (ended.returncode not in (0, 2)) == stops, ended
        assert ended.stderr.count("\n") == stops, ended
        assert ("/dev/shm is full" in ended.stderr) == stops
