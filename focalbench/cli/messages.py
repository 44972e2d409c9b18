"""What is said beside results: on standard error, one line each, as much as --log-level asks for."""

import logging
import sys
from contextlib import suppress

import typer

from focalbench.base.text import shown, with_options
from focalbench.errors import InputError

LEVELS = ("debug", "info", "warning", "error")
LONGEST = 1000  # characters of a sentence
logger = logging.getLogger("focalbench")


class _Lines(logging.Handler):
    """Prints to whatever standard error is at the time: a progress bar puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "" if record.levelno in (logging.INFO, logging.DEBUG) else f"{record.levelname.lower()}: "
        with suppress(OSError):  # nobody listens, or the disk of a redirected file is full: the work goes on
            print(prefix + printable(record.getMessage()), file=sys.stderr, flush=True)


def listen(level: str) -> None:
    """Print this package's messages from a level on. Raises InputError for one that is not in LEVELS."""
    if level not in LEVELS:
        raise InputError(f"unknown --log-level {level!r}; choose one of {', '.join(LEVELS)}")
    logger.handlers[:] = [_Lines()]
    logger.propagate = False
    logger.setLevel(level.upper())


# settings that are given one by one, or by another name
_OPTIONS = {"labels": "label", "lrs": "lr", "positive_rates": "pos-rate"}


def parameter(key: str) -> str:
    """The name of a command's parameter for a setting.

    >>> parameter("labels"), parameter("drop_duplicates")
    ('label', 'drop_duplicates')
    """
    return _OPTIONS.get(key, key)


def option_name(key: str) -> str:
    """The option of a setting.

    >>> option_name("positive_rates"), option_name("drop_duplicates")
    ('--pos-rate', '--drop-duplicates')
    """
    return "--" + parameter(key).replace("_", "-")


def printable(text: str) -> str:
    """A text as it is shown, with options for settings, of bounded length.

    >>> printable("a\\x1b[2Jb `rows`")
    'a\\\\x1b[2Jb --rows'
    """
    text = with_options(text, option_name)
    if len(text) > LONGEST:  # the beginning says what is wrong, the end what to do
        text = f"{text[: LONGEST // 2]} [...] {text[-LONGEST // 2 :]}"
    return shown(text)


def say(text: object) -> None:
    """Print a line that may hold names from outside and settings."""
    typer.echo(shown(with_options(str(text), option_name)))
