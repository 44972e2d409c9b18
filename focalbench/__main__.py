"""`python -m focalbench`, and the command `focalbench`."""

import os
import signal
import sys
import warnings


def main() -> None:
    """Run the command line. Until it listens, in its first tenths of a second, Ctrl-C ends it without a word."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:  # else whoever started it wants it so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    open_streams()
    os.environ.setdefault("JOBLIB_MULTIPROCESSING", "0")  # its own pools, which are not used, warn of a full /dev/shm
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)  # one that had grown is replaced
    os.environ.pop("MPLBACKEND", None)  # figures go to files, and what a notebook names may not be installed here
    from focalbench.cli.app import main as run
    from focalbench.errors import FAULT

    signal.signal(signal.SIGINT, handler)
    try:
        run()
    except Exception:  # else Python exits with 1, which says that numbers have moved
        sys.excepthook(*sys.exc_info())
        sys.exit(FAULT)


def open_streams() -> None:
    """Give standard streams that are closed a place that takes everything; else the next file would take theirs."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # at the lowest number that is free, this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


if __name__ == "__main__":
    main()
