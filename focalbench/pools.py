"""Where stacks run: in this process, in local processes of one thread each, or on the workers of a Dask cluster.

A pool takes as many stacks at once as it has workers, so that a worker that dies takes one stack with it, and it is
known which. Workers rebuild data from its recipe, compute and return; they write nothing.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Protocol

from focalbench.arms import Run
from focalbench.memory import peak_bytes
from focalbench.platforms import versions_text
from focalbench.store import Result

if TYPE_CHECKING:
    from collections.abc import Collection

BACKENDS = ("serial", "loky", "dask")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Stack = tuple[Run, ...]

_one_at_a_time = threading.Lock()  # a Dask worker may have several threads; a stack wants a process


@dataclass(frozen=True)
class Backend:
    """name: one of BACKENDS. workers: processes of this machine. scheduler: a Dask scheduler's address, whose workers
    are used instead; None is a cluster of this machine.
    """

    name: str = "serial"
    workers: int = 1
    scheduler: str | None = None


@dataclass(frozen=True)
class Made:
    """What a stack made: its results, the library versions of the worker, the seconds it took there, and the most bytes
    of memory that this process has held by then (what it shares with others by its share); None where nobody says.
    """

    results: list[Result]
    versions: str
    seconds: float
    peak_bytes: int | None


class WorkerError(Exception):
    """A worker ended, or had no memory, while it ran a stack."""


class Pool(Protocol):
    """Takes stacks and gives futures, which belong to it."""

    def slots(self) -> int:
        """How many stacks it wants at once, at least one."""

    def submit(self, stack: Stack) -> Any:
        """Begin a stack."""

    def wait(self, futures: Collection[Any]) -> set[Any]:
        """Those that have ended, at least one. Raises MachineError where none ever will."""

    def made(self, future: Any) -> Made:
        """What an ended stack made. Raises WorkerError, and whatever the stack raised."""

    def close(self, *, at_once: bool) -> None:
        """Give workers back; at once: without waiting for what they do."""


def make(stack: Stack) -> Made:
    """Run one stack, in whatever process. Raises MemoryError where it does not fit."""
    from focalbench.stack import run_stack  # loads torch: where workers train, the planning process does without

    try:
        with _one_at_a_time:
            start = time.perf_counter()
            results = run_stack(stack)
            return Made(results, versions_text(), time.perf_counter() - start, peak_bytes())
    except RuntimeError as error:
        if is_memory(error):
            raise MemoryError from None
        raise


def is_memory(error: RuntimeError) -> bool:
    """Whether torch had no memory, in its own words for CPU and GPU."""
    return "allocate memory" in str(error) or "out of memory" in str(error)


class SerialPool:
    """This process."""

    def slots(self) -> int:
        """One."""
        return 1

    def submit(self, stack: Stack) -> Future[Made]:
        """Run the stack now."""
        future: Future[Made] = Future()
        try:
            future.set_result(make(stack))
        except Exception as error:
            future.set_exception(error)
        return future

    def wait(self, futures: Collection[Future[Made]]) -> set[Future[Made]]:
        """All."""
        return set(futures)

    def made(self, future: Future[Made]) -> Made:
        """As Pool."""
        return _made(future)

    def close(self, *, at_once: bool) -> None:
        """Nothing to give back."""


class LokyPool:
    """Local processes, each an executor of its own, replaced when its process dies."""

    def __init__(self, workers: int) -> None:
        self._idle = [_process() for _ in range(workers)]
        self._busy: dict[Future[Made], Any] = {}

    def slots(self) -> int:
        """One a process."""
        return len(self._idle) + len(self._busy)

    def submit(self, stack: Stack) -> Future[Made]:
        """Give the stack to an idle process, or to a new one where that has died."""
        executor = self._idle.pop()
        with _deaf_children():
            try:
                future: Future[Made] = executor.submit(make, stack)
            except BrokenProcessPool:
                executor.shutdown(kill_workers=True)
                executor = _process()
                future = executor.submit(make, stack)
        self._busy[future] = executor
        return future

    def wait(self, futures: Collection[Future[Made]]) -> set[Future[Made]]:
        """Those that have ended."""
        done: set[Future[Made]] = wait(futures, return_when=FIRST_COMPLETED).done
        return done

    def made(self, future: Future[Made]) -> Made:
        """As Pool."""
        executor = self._busy.pop(future)
        try:
            return _made(future)
        finally:
            self._idle.append(executor)

    def close(self, *, at_once: bool) -> None:
        """As Pool."""
        for executor in (*self._busy.values(), *self._idle):
            executor.shutdown(wait=not at_once, kill_workers=at_once)


def _process() -> Any:
    from joblib.externals.loky.process_executor import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=1, initializer=_begin_worker, initargs=(os.getpid(),), env=ONE_THREAD)


@contextmanager
def _deaf_children() -> Iterator[None]:
    """Let processes that start here not hear Ctrl-C, which they would before they can ignore it; we hear it after."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which else starts with the first of them, and would lift the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which a process inherits
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin_worker(coordinator: int) -> None:
    """Ctrl-C is the coordinator's; and where that is killed its workers go, rather than train for nobody."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_outlive_not, args=(coordinator,), daemon=True).start()


def _outlive_not(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _made(future: Future[Made]) -> Made:
    try:
        return future.result()
    except (BrokenProcessPool, MemoryError):
        raise WorkerError from None
