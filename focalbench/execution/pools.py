"""Where stacks run: in this process, in local processes of one thread each, or on the workers of a Dask cluster.

A pool takes as many stacks at once as it has workers, so that a worker that dies takes one stack with it, and it is
known which. Workers rebuild data from its recipe, compute and return; they write nothing.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe, resource_tracker
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from focalbench.base.memory import peak_bytes
from focalbench.base.provenance import versions_text
from focalbench.errors import MachineError
from focalbench.runs.reference import LIBRARIES
from focalbench.runs.result import Result
from focalbench.runs.run import Run

if TYPE_CHECKING:
    from collections.abc import Collection

BACKENDS = ("serial", "loky", "dask")
LOOK = 1.0  # seconds between two looks at workers, and between two signs of life
SILENCE = 120.0  # seconds without a sign of life: longer than any call that lets no other thread of a worker run
STANDSTILL, LITTLE = 900.0, 0.1  # seconds in which a worker that is not hanging has more than a little to compute
SHARED = "/dev/shm"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

Stack = tuple[Run, ...]
Found = TypeVar("Found")

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
class StackResult:
    """A stack's result: of its runs, with the library versions of the worker, the seconds it took there, and the peak
    memory of that process by then (what it shares with others by its share); None where the system does not say.
    """

    results: list[Result]
    versions: str
    seconds: float
    peak_bytes: int | None


class WorkerError(Exception):
    """A worker ended, or had no memory, while it ran a stack. Its text says so: a worker ..."""

    def __init__(self, what: str = "died, or had no memory") -> None:
        super().__init__(what)


class Pool(Protocol):
    """Takes stacks and gives futures, which belong to it."""

    def slots(self) -> int:
        """How many stacks it wants at once, at least one."""

    def submit(self, stack: Stack) -> Any:
        """Begin a stack."""

    def wait(self, futures: Collection[Any]) -> set[Any]:
        """Those that have ended; perhaps none, after a moment. Raises MachineError where none ever will."""

    def result(self, future: Any) -> StackResult:
        """The result of a stack that has ended. Raises WorkerError, and whatever the stack raised."""

    def close(self, *, at_once: bool) -> None:
        """Give workers back; at once: without waiting for what they do."""


def run_in_worker(stack: Stack) -> StackResult:
    """Run one stack, in whatever process. Raises MemoryError where it does not fit."""
    from focalbench.training.stack import (
        run_stack,  # loads torch: where workers train, the planning process does without
    )

    try:
        with _one_at_a_time:
            start = time.perf_counter()
            results = run_stack(stack)
            return StackResult(results, versions_text(library_of(stack[0])), time.perf_counter() - start, peak_bytes())
    except RuntimeError as error:
        if is_memory(error):
            raise MemoryError from None
        raise


def library_of(run: Run) -> tuple[str, ...]:
    """What a run takes beside the libraries that all do."""
    return (run.training.model,) if run.training.model in LIBRARIES else ()


def is_memory(error: RuntimeError) -> bool:
    """Whether torch had no memory, in its own words for CPU and GPU."""
    return "allocate memory" in str(error) or "out of memory" in str(error)


class SerialPool:
    """This process."""

    def slots(self) -> int:
        """One."""
        return 1

    def submit(self, stack: Stack) -> Future[StackResult]:
        """Run the stack now."""
        future: Future[StackResult] = Future()
        try:
            future.set_result(run_in_worker(stack))
        except Exception as error:
            future.set_exception(error)
        return future

    def wait(self, futures: Collection[Future[StackResult]]) -> set[Future[StackResult]]:
        """All."""
        return set(futures)

    def result(self, future: Future[StackResult]) -> StackResult:
        """As Pool."""
        return _result_of(future)

    def close(self, *, at_once: bool) -> None:
        """Nothing to give back."""


class LokyWorker:
    """An executor of one local process, which gives signs of life. silence: seconds since the last, as far as known."""

    def __init__(self) -> None:
        from joblib.externals.loky.process_executor import ProcessPoolExecutor

        self._ear, pipe = Pipe(duplex=False)
        begin = {"initializer": _begin_worker, "initargs": (os.getpid(), pipe)}
        self.executor = ProcessPoolExecutor(max_workers=1, env=ONE_THREAD, **begin)
        self.silence = 0.0

    def listen(self, seconds: float) -> None:
        """Take in the signs of life of the last seconds; end a process that has given none for long."""
        self.silence += seconds
        while self._ear.poll():
            self._ear.recv_bytes()
            self.silence = 0.0
        if self.silence > SILENCE:
            for pid in list(self.executor._processes):
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)


class LokyPool:
    """Local processes, replaced when they die. One that is stopped, or hangs, is ended after a while."""

    def __init__(self, workers: int) -> None:
        with _starting():
            self._idle = [LokyWorker() for _ in range(workers)]
        self._busy: dict[Future[StackResult], LokyWorker] = {}
        self._looked = time.monotonic()

    def slots(self) -> int:
        """One a process."""
        return len(self._idle) + len(self._busy)

    def submit(self, stack: Stack) -> Future[StackResult]:
        """Give the stack to an idle process, or to a new one where that has died."""
        worker = self._idle.pop()
        with _sigint_blocked(), _starting():
            try:
                future: Future[StackResult] = worker.executor.submit(run_in_worker, stack)
            except BrokenProcessPool:
                worker.executor.shutdown(kill_workers=True)
                worker = LokyWorker()
                future = worker.executor.submit(run_in_worker, stack)
        worker.silence = 0.0
        self._busy[future] = worker
        return future

    def wait(self, futures: Collection[Future[StackResult]]) -> set[Future[StackResult]]:
        """Those that have ended, perhaps none."""
        done: set[Future[StackResult]] = wait(futures, LOOK, return_when=FIRST_COMPLETED).done
        self._listen()
        return done

    def _listen(self) -> None:
        now = time.monotonic()
        for worker in self._busy.values():
            worker.listen(min(now - self._looked, 2 * LOOK))  # no more, for all of us may have been stopped
        self._looked = now

    def result(self, future: Future[StackResult]) -> StackResult:
        """As Pool."""
        worker = self._busy.pop(future)
        self._idle.append(worker)
        try:
            return _result_of(future)
        except WorkerError:
            if worker.silence > SILENCE:
                what = f"gave no sign of life for {SILENCE:g} s, stopped or hanging, and was ended"
                raise WorkerError(what) from None
            raise

    def close(self, *, at_once: bool) -> None:
        """As Pool."""
        for worker in (*self._busy.values(), *self._idle):
            worker.executor.shutdown(wait=not at_once, kill_workers=at_once)


def mapped(function: Callable[[Stack], Found], stacks: Sequence[Stack], workers: int) -> Iterator[Found]:
    """What a function finds of each stack, in their order, by so many local processes, or in this one.

    Raises MachineError where one of them dies: nothing is tried again.
    """
    if workers == 1:
        yield from map(function, stacks)
        return
    from joblib.externals.loky.process_executor import ProcessPoolExecutor

    begin = {"initializer": signal.signal, "initargs": (signal.SIGINT, signal.SIG_IGN)}
    executor = ProcessPoolExecutor(max_workers=workers, env=ONE_THREAD, **begin)
    try:
        with _sigint_blocked(), _starting():
            found = executor.map(function, stacks)
        yield from found
    except BrokenProcessPool:
        raise MachineError("a worker died, or had no memory; fewer `workers` leave each more") from None
    finally:
        executor.shutdown(kill_workers=True)


@contextmanager
def _starting() -> Iterator[None]:
    """Raise MachineError where this machine has no room for another process."""
    try:
        yield
    except OSError as error:
        raise MachineError(f"no worker would start ({error.strerror}); {start_remedy()}") from None


def start_remedy() -> str:
    """What to do where no process would start: their locks lie in memory that has a folder, which may be full."""
    with suppress(OSError):
        if os.statvfs(SHARED).f_bavail == 0:
            return f"{SHARED} is full: free some of it, or use `backend=serial`, which needs none"
    return "use `backend=serial`, which needs no other process"


@contextmanager
def _sigint_blocked() -> Iterator[None]:
    """Block SIGINT while child processes start: they inherit the mask, and would hear Ctrl-C before they ignore it."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which else starts with the first of them, and would lift the mask
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # which a process inherits
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _begin_worker(parent: int, pipe: Connection) -> None:
    """Ignore Ctrl-C, which is the coordinating process's, and exit when that process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(pipe.fileno(), False)  # nobody may listen for a while
    threading.Thread(target=_exit_with_parent, args=(parent, pipe), daemon=True).start()


def _exit_with_parent(parent: int, pipe: Connection) -> None:
    """Exit when the coordinating process dies; until then send a sign of life while this process computes."""
    progress = Progress()
    while os.getppid() == parent:
        time.sleep(LOOK)
        if progress.is_recent():
            with suppress(OSError):
                pipe.send_bytes(b".")
    os._exit(1)


class Progress:
    """Whether this process computes: one whose calls wait for each other has other threads that could say it lives."""

    def __init__(self) -> None:
        self._computed, self._since = time.process_time(), time.monotonic()

    def is_recent(self) -> bool:
        """Whether there was more than a little of it lately."""
        if time.process_time() - self._computed > LITTLE:
            self._computed, self._since = time.process_time(), time.monotonic()
        return time.monotonic() - self._since < STANDSTILL


def _result_of(future: Future[StackResult]) -> StackResult:
    try:
        return future.result()
    except (BrokenProcessPool, MemoryError):
        raise WorkerError from None
