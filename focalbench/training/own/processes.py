"""Processes for code that is not ours: each is forked from one that has loaded what it needs, and answers on a socket.

Whoever runs such code can be stopped, can end, and can change whatever it likes of its own process, and of no other.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import NoReturn

PATIENCE, WORD = 600, 30  # seconds without an answer: after which there will be none; after which it is said
LAST = 5  # seconds to end
FORK = b"fork"
PROGRAM = """
import json, sys
sys.path[:] = json.loads(sys.argv.pop())
from focalbench.training.own.process import main
main(int(sys.argv.pop()))
"""
SURROUNDINGS = {"PYTHONHASHSEED": "0", "PYTHONUNBUFFERED": "1"} | dict.fromkeys(
    ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"
)
logger = logging.getLogger(__name__)


class EndedError(Exception):
    """A process is gone. code: how it ended, minus the number of the signal that ended it."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Process:
    """A process as whoever asks it sees it. name: what it is to a person. how_ended: ends it if it has not ended yet,
    and says how it did.
    """

    def __init__(self, name: str, channel: Connection, how_ended: Callable[[], int]) -> None:
        self._name, self._channel, self._how_ended = name, channel, how_ended
        self._ear = select.poll()
        self._ear.register(channel.fileno(), select.POLLIN)

    def end(self) -> int:
        """End it, and say how it ended."""
        self._channel.close()
        return self._how_ended()

    def fork(self, name: str) -> Process:
        """Another one like this, which works for this process, too."""
        ours, theirs = socket.socketpair()
        channel = Connection(ours.detach())
        with theirs:
            try:
                self._channel.send_bytes(FORK)
                send_handle(self._channel, theirs.fileno(), None)
            except OSError:
                raise EndedError(self._how_ended()) from None
        pid = self.answer()
        return Process(name, channel, lambda: int(self.ask(pid)))

    def ask(self, question: bytes) -> bytes:
        """The answer to a question. Raises as `answer` does."""
        self.tell(question)
        return self.answer()

    def tell(self, question: bytes) -> None:
        """Send a question."""
        with suppress(OSError):  # that nobody is there shows where there is no answer
            self._channel.send_bytes(question)

    def answer(self, *, quiet: bool = False) -> bytes:
        """Wait for the answer to a question. Raises EndedError where the process has ended, and TimeoutError.

        quiet: nothing is said meanwhile, where an answer may well take long.
        """
        for second in range(PATIENCE):  # counted, for this process may be stopped for a while, too
            if self._ear.poll(1000):
                break
            if second == WORD and not quiet:
                what = f"{self._name} has given no answer for {WORD} seconds"
                logger.warning(f"{what}: waiting, {PATIENCE // 60} minutes at most")
        else:
            self._how_ended()
            raise TimeoutError
        try:
            return self._channel.recv_bytes()
        except (EOFError, OSError):
            raise EndedError(self._how_ended()) from None


def begin_process() -> Process:
    """A new process that has loaded torch and nobody's code. It ends when nobody can ask it any more."""
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [str(theirs.fileno()), json.dumps(sys.path)]
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, *arguments],
            env=os.environ | SURROUNDINGS,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            process_group=0,  # that Ctrl-C is ours to hear
        )
    return Process("python", Connection(ours.detach()), partial(_end, process))


def _end(process: subprocess.Popen[bytes]) -> int:
    """How it ended, of its own accord, for it has others to end."""
    try:
        return process.wait(LAST)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def serve(channel: Connection, work: Callable[[Connection], None]) -> NoReturn:
    """Fork a process for everyone who asks, which works on a channel of its own, until nobody can ask any more."""
    living: set[int] = set()
    ended: dict[int, int] = {}
    with suppress(EOFError, OSError):
        while True:
            question = channel.recv_bytes()
            _reap(living, ended)
            if question == FORK:
                pid = _fork(channel, work)
                living.add(pid)
                channel.send_bytes(str(pid).encode())
            else:
                pid = int(question)
                _wait_for(pid, living, ended)
                channel.send_bytes(str(ended.pop(pid, 0)).encode())
    for pid in living:
        for kill in (os.killpg, os.kill):
            with suppress(OSError):
                kill(pid, signal.SIGKILL)
    os._exit(0)


def _fork(channel: Connection, work: Callable[[Connection], None]) -> int:
    handle = recv_handle(channel)
    pid = os.fork()
    if pid:
        os.close(handle)
        return pid
    try:
        channel.close()
        work(Connection(handle))
    finally:
        os._exit(0)  # whatever else the code has begun


def _reap(living: set[int], ended: dict[int, int]) -> None:
    """Take in how children ended."""
    with suppress(ChildProcessError):
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            living.discard(found[0])
            ended[found[0]] = os.waitstatus_to_exitcode(found[1])


def _wait_for(pid: int, living: set[int], ended: dict[int, int]) -> None:
    """Let a child end that is about to, and end it where it is not."""
    for _ in range(50):
        _reap(living, ended)
        if pid not in living:
            return
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    living.discard(pid)
