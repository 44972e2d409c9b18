"""An orderly end where there is time for one, and an end in any case."""

import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

import pytest

pytestmark = pytest.mark.processes

SCRIPT = """
import hashlib, signal, threading, time
from focalbench.cli.stopping import stopping

def busy():
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)  # minutes in C, deaf to signals

def quick_to_end():
    time.sleep(60)

def slow_to_end():
    try:
        time.sleep(60)
    finally:
        time.sleep(60)

def writing(seconds=60):
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        print("writing", flush=True)
        time.sleep(seconds)
        print("written", flush=True)

def quick_to_write():
    writing(2)

def alarmed():
    signal.signal(signal.SIGALRM, lambda *_: None)
    time.sleep(3)

try:
    with stopping(lambda: "stopped: 3 of 5", lambda: {patience}):
        threading.Timer(0.5, print, ["on"], {"flush": True}).start()  # when the work has begun
        {work}()
finally:
    print("cleared away", flush=True)
"""


def stopped(
    work: str,
    number: signal.Signals,
    *,
    again: Mapping[float, signal.Signals] = MappingProxyType({}),
    patience: float = 1.0,
    before: signal.Handlers = signal.SIG_DFL,
) -> tuple[int, str, str]:
    """again: other signals, so many seconds later; before: what whoever starts the process has made of SIGINT; the
    background of a script ignores it.
    """

    def begin() -> None:
        signal.signal(signal.SIGINT, before)

    script = SCRIPT.replace("{work}", work).replace("{patience}", str(patience))
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=begin
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        process.send_signal(number)
        for seconds, another in again.items():
            time.sleep(seconds)
            process.send_signal(another)
        out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", ["busy", "slow_to_end"])
def test_what_does_not_heed_a_signal_is_ended(work: str, number: signal.Signals) -> None:
    assert stopped(work, number) == (128 + number, "", "stopped: 3 of 5\n")


def test_a_second_press_is_not_in_the_way() -> None:
    assert stopped("slow_to_end", signal.SIGINT, again={0.1: signal.SIGINT}) == (130, "", "stopped: 3 of 5\n")


def test_a_table_in_the_making_is_left_the_time_for_it() -> None:
    assert stopped("quick_to_write", signal.SIGINT, patience=20) == (0, "writing\nwritten\ncleared away\n", "")


def test_wrappers_that_pass_on_what_the_terminal_has_sent_press_once() -> None:
    said = stopped("quick_to_write", signal.SIGINT, again={0.1: signal.SIGINT}, patience=20)
    assert said == (0, "writing\nwritten\ncleared away\n", "")


@pytest.mark.parametrize(("another", "later"), [(signal.SIGINT, 0.8), (signal.SIGTERM, 0.1)])
def test_a_second_press_ends_it_at_once(another: signal.Signals, later: float) -> None:
    begin = time.monotonic()
    said = stopped("writing", signal.SIGINT, again={later: another}, patience=60)
    assert said == (128 + another, "writing\n", "stopped: 3 of 5\n")
    assert time.monotonic() - begin < 30


def test_a_table_that_takes_too_long_is_not_waited_for() -> None:
    assert stopped("writing", signal.SIGINT, patience=2) == (130, "writing\n", "stopped: 3 of 5\n")


def test_sigterm_leaves_no_time_for_a_table() -> None:
    code, out, _ = stopped("writing", signal.SIGTERM, patience=60)
    assert out == "cleared away\n"
    assert code != 0


def test_what_a_script_runs_in_its_background_stays_deaf() -> None:
    assert stopped("alarmed", signal.SIGINT, before=signal.SIG_IGN) == (0, "cleared away\n", "")


def test_other_signals_are_their_owners() -> None:
    code, out, err = stopped("alarmed", signal.SIGALRM)
    assert (code, out, err) == (0, "cleared away\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_does_is_left_to_end_by_itself(number: signal.Signals) -> None:
    _, out, err = stopped("quick_to_end", number)
    first, *_, last = err.splitlines()
    assert (out, first, last) == ("cleared away\n", "stopped: 3 of 5", f"typer.exceptions.Exit: {128 + number}")
