"""The command line: one command a file. Heavy imports happen inside commands, so that --help answers at once."""

import io
import sys
from contextlib import suppress

import typer

from focalbench.cli.audit import audit
from focalbench.cli.bench import bench
from focalbench.cli.check import check
from focalbench.cli.datasets import datasets
from focalbench.cli.losses import losses
from focalbench.cli.messages import printable
from focalbench.cli.plot import plot
from focalbench.cli.run import run
from focalbench.cli.sweep import sweep
from focalbench.cli.table import table
from focalbench.errors import InputError, MachineError

app = typer.Typer(
    help="Which loss should I train with when positives are rare? Measured, not guessed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (sweep, run, table, plot, check, datasets, losses, audit, bench):
    app.command()(command)


def main() -> None:
    """Run the command line; what the user can mend is one sentence and exit code 2, what the machine did 1."""
    for stream in (sys.stdout, sys.stderr):  # a name of other bytes, or a terminal of other letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except (InputError, MachineError) as error:
        print(f"focalbench: {printable(str(error))}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except OSError as error:
        with suppress(OSError):
            print(f"focalbench: {printable(str(error))}; what was finished is safe", file=sys.stderr)
        with suppress(OSError):
            sys.stdout.close()  # or Python would try once more, and say so
        sys.exit(1)
