"""Ctrl-C and SIGTERM: say what is safe and stop within two seconds, whatever is going on."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

HEARD = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = "\x1b[?25h"
PATIENCE = 1.0  # seconds for an orderly end


@contextmanager
def stopping(farewell: Callable[[], str]) -> Iterator[None]:
    """Turn both signals into one sentence, the farewell, and exit code 128 + the signal's number; one that whoever
    started this process had ignored, as for a job in the background of a script, stays ignored.

    A long call in C, or workers that do not end, may hold up an orderly end. So a thread listens, too, and ends the
    process when its patience does: nothing is lost, because what is safe was committed, and no file is ever half.
    """
    said = threading.Event()
    end = signal.SIGINT
    heard = [number for number in HEARD if signal.getsignal(number) is not signal.SIG_IGN]

    def say() -> None:
        if not said.is_set():
            said.set()
            print(farewell(), file=sys.stderr, flush=True)

    def interrupt(sign: int, _: object) -> None:
        nonlocal end
        end = signal.Signals(sign)
        for number in heard:
            signal.signal(number, signal.SIG_IGN)  # the end has begun, and a second press would be in its way
        raise KeyboardInterrupt

    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    threading.Thread(target=_end_late, args=(ear, say), daemon=True).start()
    before = {number: signal.signal(number, interrupt) for number in heard}
    wakeup = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    try:
        yield
    except KeyboardInterrupt:
        say()
        raise typer.Exit(128 + end) from None  # the thread has heard it, too, and sees to it that the exit is soon
    finally:
        signal.set_wakeup_fd(wakeup)
        mouth.close()
        if not said.is_set():
            for number, handler in before.items():
                signal.signal(number, handler)


def _end_late(ear: socket.socket, say: Callable[[], None]) -> None:
    with ear:
        while sign := ear.recv(1):  # nothing comes when the other end is closed: all went well
            if sign[0] in HEARD:
                time.sleep(PATIENCE)
                say()
                if sys.stderr.isatty():
                    print(SHOW_CURSOR, end="", file=sys.stderr, flush=True)  # which a progress bar hides
                os._exit(128 + sign[0])
