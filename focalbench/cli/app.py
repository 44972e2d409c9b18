"""The command line: one command a file. Heavy imports happen inside commands, so that --help answers at once."""

import io
import sys
from contextlib import suppress
from typing import NoReturn

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
from focalbench.errors import FAULT, MACHINE, MOVED, USAGE, InputError, MachineError

app = typer.Typer(
    help="Which loss should I train with when positives are rare? Measured, not guessed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (sweep, run, table, plot, check, datasets, losses, audit, bench):
    app.command()(command)


def main() -> None:
    """Run the command line; what goes wrong is one sentence, and an exit code of errors.py."""
    for stream in (sys.stdout, sys.stderr):  # a name of other bytes, or a terminal of other letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except InputError as error:
        _end(USAGE, str(error))
    except MachineError as error:
        _end(MACHINE, str(error))
    except MemoryError:
        _end(MACHINE, "out of memory; fewer --rows, or a machine with more, would do; what was finished is safe")
    except OSError as error:
        with suppress(OSError):
            sys.stdout.close()  # or Python would try once more, and say so
        _end(MACHINE, f"{error}; what was finished is safe")
    except SystemExit as end:
        if end.code == MOVED and not isinstance(end.__context__, typer.Exit):  # what typer calls 1 by itself
            sys.exit(MACHINE if isinstance(end.__context__, BrokenPipeError) else FAULT)
        raise


def _end(code: int, sentence: str) -> NoReturn:
    with suppress(OSError):
        print(f"focalbench: {printable(sentence)}", file=sys.stderr)
    sys.exit(code)
