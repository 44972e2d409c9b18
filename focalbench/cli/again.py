"""The command that was given, changed in one thing, to be printed for the next try."""

import shlex
from collections.abc import Iterable, Sequence


def with_rates(arguments: Sequence[str], rates: Iterable[float]) -> str:
    """A sweep's command line with other learning rates; arguments: those after the program's name.

    >>> with_rates(["sweep", "my file.csv", "--lr", "0.01", "--lr=0.1", "--seeds", "3"], [0.01, 0.3])
    "focalbench sweep 'my file.csv' --seeds 3 --lr 0.01 --lr 0.3"
    """
    kept: list[str] = []
    skipped = False
    for argument in arguments:
        if skipped or argument.startswith("--lr="):
            skipped = False
        elif argument == "--lr":
            skipped = True
        else:
            kept.append(argument)
    return shlex.join(["focalbench", *kept, *(text for rate in rates for text in ("--lr", f"{rate:g}"))])
