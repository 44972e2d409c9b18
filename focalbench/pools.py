"""Where stacks run: in this process, in local processes of one thread each, or on the workers of a Dask cluster.

A pool takes as many stacks at once as it has workers, so that a worker that dies takes one stack with it, and it is
known which. Workers rebuild data from its recipe, compute and return; they write nothing.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from focalbench.arms import Run
from focalbench.errors import InputError, MachineError
from focalbench.memory import peak_bytes
from focalbench.platforms import versions_text
from focalbench.store import Result

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

BACKENDS = ("serial", "loky", "dask")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
PATIENCE = 20  # seconds to wait for a scheduler
LONELY, STARTS = 30.0, 3  # seconds without any worker; times that a local cluster is tried to start
LOOK = 2.0  # seconds between two looks at whether a cluster is still there

logger = logging.getLogger(__name__)
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
    """A worker ended, or had no memory, while it ran a stack, so many times."""

    def __init__(self, deaths: int = 1) -> None:
        super().__init__(deaths)
        self.deaths = deaths


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


def make_pool(backend: Backend) -> Pool:
    """The pool of a backend. Raises InputError where it cannot be had."""
    if backend.name == "dask":
        return DaskPool(backend)
    return SerialPool() if backend.name == "serial" else LokyPool(backend.workers)


def check_backend(backend: Backend) -> None:
    """Raise InputError where a backend cannot be had: what it needs is missing, or no scheduler answers."""
    if backend.name != "dask":
        return
    try:
        import cryptography  # noqa: F401
        import distributed  # noqa: F401
    except ImportError:
        raise InputError("--backend dask needs an extra: pip install 'focalbench[dask]'") from None
    if backend.scheduler is not None:
        _check_address(backend.scheduler)
        _client(backend.scheduler).close()


def _check_address(scheduler: str) -> None:
    """Knock at an address, because a client that cannot be had takes long to say so. Raises InputError."""
    import dask

    address = urlsplit(scheduler)
    try:
        host, port = address.hostname, address.port
        if address.scheme not in ("tcp", "tls") or host is None or port is None:
            raise ValueError("it names no protocol, host and port")
        if address.scheme == "tls" and not dask.config.get("distributed.comm.tls.client.cert", None):
            raise ValueError("tls needs certificates, named in Dask's own configuration")
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        raise InputError(_no_answer(scheduler, error)) from None


def _no_answer(scheduler: Any, error: Exception) -> str:
    why = " ".join(str(error).split())[:120]
    return f"no Dask scheduler answers at {scheduler} ({why}); check --scheduler, such as tcp://host:8786"


def _client(scheduler: Any) -> Any:
    """A client of a cluster, or of the scheduler at an address. Raises InputError where none answers."""
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what it would say is said here
    try:
        return Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(_no_answer(scheduler, error)) from None


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


class DaskPool:
    """The workers of a Dask cluster: one of this machine that ends with the sweep, or the one that was named."""

    def __init__(self, backend: Backend) -> None:
        import dask

        # the pool counts deaths itself; a worker that is given one stack at a time loses one
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.scheduler.worker-saturation": 1.0})
        self._cluster: Any = None
        if backend.scheduler is None:
            self._cluster = _local_cluster(backend.workers)
        self._client = _client(self._cluster or backend.scheduler)

    def slots(self) -> int:
        """One a worker; one where there is none yet."""
        return max(1, len(self._client.nthreads()))

    def submit(self, stack: Stack) -> Any:
        """Send the recipe of a stack; its data is built, or read, once on every worker."""
        return self._client.submit(make, stack, pure=False)

    def wait(self, futures: Collection[Any]) -> set[Any]:
        """Those that have ended; without workers they wait for some."""
        from distributed import wait as first

        lonely = 0.0
        while True:
            with suppress(TimeoutError), self._client.as_current():
                return set(first(list(futures), timeout=LOOK, return_when="FIRST_COMPLETED").done)
            if self._client.status != "running":
                raise MachineError("the Dask scheduler is gone")
            lonely = 0.0 if self._client.nthreads() else lonely + LOOK
            if lonely >= LONELY:
                if self._cluster is not None:
                    raise MachineError("the workers of the local Dask cluster are gone")
                logger.warning("the Dask cluster has no workers: waiting for some")
                lonely = 0.0

    def made(self, future: Any) -> Made:
        """As Pool."""
        from distributed import KilledWorker

        try:
            made: Made = future.result()
        except KilledWorker as error:
            raise WorkerError(error.allowed_failures + 1) from None
        except MemoryError:
            raise WorkerError from None
        except CancelledError:
            raise MachineError("the Dask scheduler is gone") from None
        except ImportError as error:
            raise InputError(f"the workers lack focalbench, or what it needs ({error}); install it there") from None
        except InputError as error:
            remedy = "what a sweep reads must lie where every worker finds it, under the same path"
            raise InputError(f"a worker cannot go on: {error}; {remedy}") from None
        finally:
            future.release()
        return made

    def close(self, *, at_once: bool) -> None:
        """As Pool; a cluster that was named goes on."""
        with suppress(Exception):  # whatever is wrong with a cluster by now, it is not wanted any more
            self._client.close(timeout=1 if at_once else 10)
        if self._cluster is None:
            return
        with suppress(Exception):
            for nanny in self._cluster.workers.values() if at_once else ():
                nanny.auto_restart = False
                os.kill(nanny.pid, signal.SIGKILL)
            self._cluster.close(timeout=5)


def _local_cluster(workers: int) -> Any:
    """A cluster of this machine. Raises MachineError where its processes do not start."""
    from distributed import LocalCluster

    # security: encrypted and with a key of its own, so that other people of this machine cannot reach it
    options: dict[str, Any] = {"host": "127.0.0.1", "security": True, "dashboard_address": None, "silence_logs": 50}
    for left in reversed(range(STARTS)):
        try:
            with _undisturbed():
                return LocalCluster(n_workers=workers, threads_per_worker=1, **options)
        except (OSError, RuntimeError) as error:
            if not left:
                raise MachineError(f"no local Dask cluster would start ({error}); use --backend loky") from None
    raise AssertionError


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Keep Ctrl-C from a cluster that starts, and from its processes, which would answer with pages of their troubles.

    Who listens for signals by other means, as the command line does, still hears it.
    """
    with _environment("PYTHONWARNINGS", "ignore:resource_tracker"):
        resource_tracker.ensure_running()  # which else would complain, after a sudden end, of what it tidies up
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGINT, lambda *_: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what starts from here on inherits it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGINT, handler)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        del os.environ[name]
        if before is not None:
            os.environ[name] = before
