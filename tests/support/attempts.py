"""Command lines in this process, hundreds of them, and all that they say and write."""

import contextlib
import io
import logging
import os
import signal
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from unittest.mock import patch

from focalbench.cli.app import main


class Kind(Enum):
    """What is no file."""

    PIPE = auto()
    FOLDER = auto()


Files = dict[str, bytes | Path | Kind]  # names from the folder of the attempt; a path is what a symbolic link points to
ENVIRONMENT = {"COLUMNS": "200", "NO_COLOR": "1"}


@dataclass(frozen=True)
class Said:
    """How a command ended and what it said."""

    code: object
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Ended(Said):
    """All files of the folder, and of the one around it, before and after, too."""

    before: Files
    after: Files


def typed(arguments: Sequence[str], folder: Path) -> Said:
    """Type it in a folder. Raises whatever the program lets through."""
    out, err = _Kept(), _Kept()
    with (
        _undisturbed(folder),
        contextlib.redirect_stdout(_stream(out, "strict")),
        contextlib.redirect_stderr(_stream(err, "backslashreplace")),
    ):
        sys.argv = ["focalbench", *arguments]
        code = _exit_code()
    return Said(code, out.getvalue().decode(), err.getvalue().decode())


def attempt(arguments: Sequence[str], files: Files) -> Ended:
    """Type it in a folder of its own that holds these files. Raises whatever the program lets through."""
    with tempfile.TemporaryDirectory() as around:
        here = Path(around) / "here"
        here.mkdir()
        lay(files, here)
        before = contents(here)
        said = typed(arguments, here)
        return Ended(said.code, said.stdout, said.stderr, before, contents(here))


def lay(files: Files, folder: Path) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            place.symlink_to(content)
        elif content is Kind.PIPE:
            os.mkfifo(place)
        elif content is Kind.FOLDER:
            place.mkdir()
        else:
            place.write_bytes(content)


def content_of(path: Path) -> bytes | Path | Kind:
    if path.is_symlink():
        return path.readlink()
    if path.is_fifo():
        return Kind.PIPE
    return path.read_bytes() if path.is_file() else b""


def contents(folder: Path) -> Files:
    """All files of a folder and of the one around it."""
    return {os.path.relpath(path, folder): content_of(path) for path in folder.parent.rglob("*")}


@contextlib.contextmanager
def _undisturbed(here: Path) -> Iterator[None]:
    """Give back what a command keeps to itself, which is right where a process ends with it."""
    log, path, arguments, bytecode = logging.getLogger("focalbench"), sys.path[:], sys.argv, sys.dont_write_bytecode
    logged = log.handlers[:], log.level, log.propagate
    heard = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    wakeup = signal.set_wakeup_fd(-1)
    sys.dont_write_bytecode = True  # Python's own traces of an import are not what is looked for
    try:
        with contextlib.chdir(here), patch.dict(os.environ, ENVIRONMENT):
            yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in heard.items():
            signal.signal(number, handler)
        log.handlers[:], log.level, log.propagate = logged
        sys.path[:], sys.argv, sys.dont_write_bytecode = path, arguments, bytecode
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None)).startswith(str(here)):
                del sys.modules[name]


class _Kept(io.BytesIO):
    """Bytes that can be read when the program has closed its stream."""

    def close(self) -> None:
        pass


def _stream(to: io.BytesIO, errors: str) -> io.TextIOWrapper:
    """A stream as a process has it: what UTF-8 cannot hold raises on standard output."""
    return io.TextIOWrapper(to, encoding="utf-8", errors=errors, newline="\n", write_through=True)


def _exit_code() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # a refusal leaves its sockets to the end of the process
        try:
            main()
        except SystemExit as end:
            return 0 if end.code is None else end.code
    return 0
