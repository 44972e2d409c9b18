"""`python -m focalbench`, and the command `focalbench`."""

import signal


def main() -> None:
    """Run the command line. Until it listens, in its first tenths of a second, Ctrl-C ends it without a word."""
    handler = signal.getsignal(signal.SIGINT)
    if handler is not signal.SIG_IGN:  # else whoever started it wants it so
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from focalbench.cli.app import main as run

    signal.signal(signal.SIGINT, handler)
    run()


if __name__ == "__main__":
    main()
