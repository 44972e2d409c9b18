"""Ctrl-C and SIGTERM: say what is safe and stop soon, whatever is going on."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from focalbench.errors import Terminated

HEARD = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = "\x1b[?25h"
PATIENCE = 1.0  # seconds for an orderly end
ONE_PRESS = 0.5  # seconds in which a signal that comes twice is one: wrappers pass on what the terminal has sent, too


@contextmanager
def stopping(farewell: Callable[[], str], patience: Callable[[], float] = lambda: PATIENCE) -> Iterator[None]:
    """Turn both signals into one sentence, the farewell, and exit code 128 + the signal's number; one that whoever
    started this process had ignored, as for a job in the background of a script, stays ignored.

    Ctrl-C raises KeyboardInterrupt, which may be caught within, to finish with what there is; SIGTERM raises
    Terminated. patience: the seconds that an end after Ctrl-C may take, asked when it is pressed.

    A long call in C, or workers that do not end, may hold up an orderly end. So a thread listens, too, and ends the
    process when its patience does, and at a second press: nothing is lost, because what is safe was committed, and no
    file is ever half.
    """
    said = threading.Event()
    end: signal.Signals | None = None
    heard = [number for number in HEARD if signal.getsignal(number) is not signal.SIG_IGN]

    def say() -> None:
        if not said.is_set():
            said.set()
            print(farewell(), file=sys.stderr, flush=True)

    def interrupt(sign: int, _: object) -> None:
        nonlocal end
        if end is None:  # else the end has begun, and a second exception would be in its way
            end = signal.Signals(sign)
            raise Terminated if end == signal.SIGTERM else KeyboardInterrupt

    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    threading.Thread(target=_end_late, args=(ear, say, patience), daemon=True).start()
    before = {number: signal.signal(number, interrupt) for number in heard}
    wakeup = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        say()
        raise typer.Exit(128 + (end or signal.SIGINT)) from None  # the thread sees to it that the exit is soon
    finally:
        signal.set_wakeup_fd(wakeup)
        mouth.close()
        if end is None:
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_late(ear: socket.socket, say: Callable[[], None], patience: Callable[[], float]) -> None:
    """End the process some time after the first signal, or at the next; the end of the work is not yet its end."""
    with ear:
        sign = _next(ear)
        if sign is None:  # the other end is closed: all went well
            return
        begin = time.monotonic()
        until = begin + (patience() if sign == signal.SIGINT else PATIENCE)
        while (left := until - time.monotonic()) > 0:
            again = _next(ear, left)
            if again is None:
                time.sleep(max(0.0, until - time.monotonic()))
            elif again and (again != sign or time.monotonic() - begin > ONE_PRESS):
                sign = again
                break
        say()
        if sys.stderr.isatty():
            print(SHOW_CURSOR, end="", file=sys.stderr, flush=True)  # which a progress bar hides
        os._exit(128 + sign)


def _next(ear: socket.socket, seconds: float | None = None) -> int | None:
    """The next of our signals; 0 where none comes in time, None where the other end is closed."""
    ear.settimeout(seconds)
    try:
        while sign := ear.recv(1):
            if sign[0] in HEARD:
                return sign[0]
    except TimeoutError:
        return 0
    return None
