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

INTERRUPTED = 130
PATIENCE = 1.0  # seconds for an orderly end


@contextmanager
def stopping(farewell: Callable[[], str]) -> Iterator[None]:
    """Turn both signals into one sentence, the farewell, and exit code 130.

    A long call in C, or workers that do not end, may hold up an orderly end. So a thread listens, too, and ends the
    process when its patience does: nothing is lost, because what is safe was committed, and no file is ever half.
    """
    said = threading.Event()

    def say() -> None:
        if not said.is_set():
            said.set()
            print(farewell(), file=sys.stderr, flush=True)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    ear, mouth = socket.socketpair()
    mouth.setblocking(False)
    threading.Thread(target=_end_late, args=(ear, say), daemon=True).start()
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    number = signal.set_wakeup_fd(mouth.fileno(), warn_on_full_buffer=False)
    try:
        yield
    except KeyboardInterrupt:
        say()
        raise typer.Exit(INTERRUPTED) from None  # the thread stays, and sees to it that the exit is soon
    signal.set_wakeup_fd(number)
    for each, handler in before.items():
        signal.signal(each, handler)
    mouth.close()


def _end_late(ear: socket.socket, say: Callable[[], None]) -> None:
    with ear:
        if ear.recv(1):  # nothing comes when the other end is closed: all went well
            time.sleep(PATIENCE)
            say()
            os._exit(INTERRUPTED)
