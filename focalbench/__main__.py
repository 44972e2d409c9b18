"""`python -m focalbench`, and the command `focalbench`."""

import signal
import sys


def main() -> None:
    """Run the command line. Until it listens, in its first tenths of a second, Ctrl-C ends it without a word."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:  # else whoever started it wants it so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from focalbench.cli.app import main as run
    from focalbench.errors import FAULT

    signal.signal(signal.SIGINT, handler)
    try:
        run()
    except Exception:  # else Python exits with 1, which says that numbers have moved
        sys.excepthook(*sys.exc_info())
        sys.exit(FAULT)


if __name__ == "__main__":
    main()
