"""A Dask cluster as a pool: one of this machine, that ends with the sweep, or the one that was named, and only that."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any
from urllib.parse import urlsplit

from focalbench.errors import InputError, MachineError
from focalbench.execution.pools import SILENCE, Backend, Stack, StackResult, WorkerError, run_in_worker, start_remedy

PATIENCE = 20  # seconds to wait for an answer of a scheduler
NO_WORKERS, STARTS = 30.0, 3  # seconds without any worker; times that a local cluster is tried to start
GONE = "the Dask scheduler is gone"
LOOK = 2.0  # seconds between two looks at whether a cluster is still there
logger = logging.getLogger(__name__)


def check_cluster(backend: Backend) -> None:
    """Raise InputError where no cluster can be had: what it needs is missing, or no scheduler answers."""
    try:
        import cryptography  # noqa: F401
        import distributed  # noqa: F401
    except ImportError:
        raise InputError("`backend=dask` needs an extra: pip install 'focalbench[dask]'") from None
    if backend.scheduler is not None:
        _client(backend.scheduler).close()


def _check_address(scheduler: str) -> None:
    """Ask who is there, because a client waits for ever where nobody, or somebody else, answers. Raises InputError."""
    import dask

    try:
        address = urlsplit(scheduler)
        host, port = address.hostname, address.port
        if address.scheme not in ("tcp", "tls") or host is None or port is None:
            raise ValueError("it names no protocol, host and port")
        if address.scheme == "tls" and not dask.config.get("distributed.comm.tls.client.cert", None):
            raise ValueError("tls needs certificates, named in Dask's own configuration")
        socket.create_connection((host, port), timeout=PATIENCE).close()  # who refuses does so at once
        with ThreadPoolExecutor(1) as thread:  # whose loop is its own, for a notebook has one
            thread.submit(asyncio.run, _greet(scheduler)).result()
    except TimeoutError:
        raise InputError(_no_answer(scheduler, f"it has been silent for {PATIENCE} s")) from None
    except Exception as error:  # what is said there may be anything
        raise InputError(_no_answer(scheduler, error)) from None


async def _greet(scheduler: str) -> None:
    from distributed.comm import connect
    from distributed.security import Security

    async with asyncio.timeout(PATIENCE):
        comm = await connect(scheduler, PATIENCE, **Security().get_connection_args("client"))
        try:
            await comm.write({"op": "identity", "reply": True})
            answer = await comm.read()
        finally:
            comm.abort()
    if not isinstance(answer, dict) or answer.get("type") != "Scheduler":
        raise ValueError("it is no scheduler")


def _no_answer(scheduler: Any, error: Exception | str) -> str:
    why = " ".join(str(error).split())[:120]
    return f"no Dask scheduler answers at {scheduler} ({why}); check `scheduler`, such as tcp://host:8786"


def _client(scheduler: Any) -> Any:
    """A client of a cluster, or of the scheduler at an address. Raises InputError where none answers."""
    from distributed import Client

    if isinstance(scheduler, str):
        _check_address(scheduler)

    for name in ("distributed", "distributed.client"):  # each has a level of its own
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it would say is said here
    try:
        return Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(_no_answer(scheduler, error)) from None


class DaskPool:
    """The workers of a Dask cluster: one of this machine that ends with the sweep, or the one that was named."""

    def __init__(self, backend: Backend) -> None:
        import dask

        # the pool counts deaths itself; a worker that is given one stack at a time loses one
        dask.config.set({"distributed.scheduler.allowed-failures": 0, "distributed.scheduler.worker-saturation": 1.0})
        dask.config.set({"distributed.scheduler.worker-ttl": f"{SILENCE:.0f}s"})  # then it is replaced
        self._cluster: Any = None
        self._without_workers = 0.0  # seconds without workers
        if backend.scheduler is None:
            self._cluster = _local_cluster(backend.workers)
        self._client = _client(self._cluster or backend.scheduler)

    def slots(self) -> int:
        """One a worker; one where there is none yet."""
        return max(1, self._workers())

    def _workers(self) -> int:
        """How many there are now."""
        with _in_reach():
            return len(self._client.sync(self._client.scheduler.ncores, callback_timeout=SILENCE))

    def submit(self, stack: Stack) -> Any:
        """Send the recipe of a stack; its data is built, or read, once on every worker."""
        with _in_reach():
            return self._client.submit(run_in_worker, stack, pure=False)

    def wait(self, futures: Collection[Any]) -> set[Any]:
        """Those that have ended, perhaps none; without workers they wait for some."""
        from distributed import wait as first

        with _in_reach(), suppress(TimeoutError), self._client.as_current():
            return set(first(list(futures), timeout=LOOK, return_when="FIRST_COMPLETED").done)
        if self._client.status != "running":
            raise MachineError(GONE)
        self._without_workers = 0.0 if self._workers() else self._without_workers + LOOK
        if self._without_workers >= NO_WORKERS:
            if self._cluster is not None:
                raise MachineError("the workers of the local Dask cluster are gone")
            logger.warning("the Dask cluster has no workers: waiting for some")
            self._without_workers = 0.0
        return set()

    def result(self, future: Any) -> StackResult:
        """As Pool."""
        from distributed import KilledWorker

        try:
            with _in_reach():
                return self._received(future)
        except (KilledWorker, MemoryError):  # a scheduler that was named has tried a few workers by then
            raise WorkerError("died, had no memory, or was silent for long") from None
        except ImportError as error:
            raise InputError(f"the workers lack focalbench, or what it needs ({error}); install it there") from None
        except InputError as error:
            remedy = "what a sweep reads must lie where every worker finds it, under the same path"
            raise InputError(f"a worker cannot go on: {error}; {remedy}") from None
        finally:
            future.release()

    def _received(self, future: Any) -> StackResult:
        try:
            found: StackResult = future.result(SILENCE)
        except TimeoutError:  # its worker has stopped since
            raise WorkerError(f"has not handed over for {SILENCE:.0f} s its result") from None
        return found

    def close(self, *, at_once: bool) -> None:
        """As Pool; a cluster that was named goes on."""
        with suppress(Exception):  # whatever is wrong with a cluster by now, it is not wanted any more
            self._client.close(timeout=1 if at_once else 10)
        if self._cluster is None:
            return
        for nanny in self._cluster.workers.values() if at_once else ():
            with suppress(Exception):
                nanny.auto_restart = False
                os.kill(nanny.pid, signal.SIGKILL)
        with suppress(Exception):
            self._cluster.close(timeout=5)


@contextmanager
def _in_reach() -> Iterator[None]:
    """Raise MachineError where the scheduler has gone, or is silent."""
    from distributed.client import FuturesCancelledError

    try:
        yield
    except TimeoutError:
        raise MachineError(f"the Dask scheduler has not answered for {SILENCE:.0f} s") from None
    except (CancelledError, FuturesCancelledError, OSError):
        raise MachineError(GONE) from None


def _local_cluster(workers: int) -> Any:
    """A cluster of this machine. Raises MachineError where its processes do not start."""
    from distributed import LocalCluster

    # security: encrypted and with a key of its own, so that other people of this machine cannot reach it
    options: dict[str, Any] = {"host": "127.0.0.1", "security": True, "dashboard_address": None, "silence_logs": 50}
    options["scheduler_kwargs"] = {"dashboard_address": "127.0.0.1:0"}  # any free port, no dashboard
    for left in reversed(range(STARTS)):
        try:
            with _sigint_blocked():
                return LocalCluster(n_workers=workers, threads_per_worker=1, **options)
        except (OSError, RuntimeError) as error:
            if not left:
                why = " ".join(str(error).split()).rstrip(".")
                raise MachineError(f"no local Dask cluster would start ({why}); {start_remedy()}") from None
    raise AssertionError


@contextmanager
def _sigint_blocked() -> Iterator[None]:
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
