"""The command line: one command a file. Heavy imports happen inside commands, so that --help answers at once."""

import io
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from focalbench import __version__
from focalbench.cli.advise import advise
from focalbench.cli.audit import audit
from focalbench.cli.bench import bench
from focalbench.cli.check import check
from focalbench.cli.compare import compare
from focalbench.cli.datasets import datasets
from focalbench.cli.examples import examples
from focalbench.cli.losses import losses
from focalbench.cli.messages import printable
from focalbench.cli.plot import plot
from focalbench.cli.predict import predict
from focalbench.cli.report import report
from focalbench.cli.run import run
from focalbench.cli.sweep import sweep
from focalbench.cli.table import table
from focalbench.errors import FAULT, MACHINE, MOVED, USAGE, InputError, MachineError

app = typer.Typer(
    epilog=examples(""),
    no_args_is_help=True,
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
)
for command in (sweep, advise, predict, run, compare, table, plot, report, check, datasets, losses, audit, bench):
    app.command(epilog=examples(command.__name__))(command)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"focalbench {__version__}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", metavar="", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Which loss should I train with when positives are rare? Measured, not guessed."""


def main() -> None:
    """Run the command line; what goes wrong is one sentence, and an exit code of errors.py."""
    for stream in (sys.stdout, sys.stderr):  # a name of other bytes, or a terminal of other letters
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app(prog_name="focalbench")
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
