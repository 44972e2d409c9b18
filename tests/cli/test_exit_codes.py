"""What an exit code says: 1 is for numbers that have moved and for nothing else."""

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import focalbench.__main__ as program
from focalbench.cli import app as cli
from focalbench.errors import FAULT, MACHINE, MOVED, USAGE, InputError, MachineError, StoreError

ENDS: list[tuple[BaseException, int, str]] = [
    (typer.Exit(MOVED), 1, ""),
    (InputError("--rows 0"), 2, "focalbench: --rows 0\n"),
    (StoreError("--store x"), 2, "focalbench: --store x\n"),
    (MachineError("the cluster is gone"), 3, "focalbench: the cluster is gone\n"),
    (OSError(errno.ENOSPC, "No space left on device"), 3, "focalbench: [Errno 28] No space left on device; what was"),
    (MemoryError(), 3, "focalbench: out of memory; fewer --rows"),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), 3, ""),
    (KeyboardInterrupt(), 130, ""),
    (typer.Exit(143), 143, ""),
    (EOFError(), 70, ""),  # which typer takes for a person at a prompt
    (ZeroDivisionError("a slip of ours"), 70, "Traceback (most recent call last)"),
    (SystemExit(0), 0, ""),
]


@pytest.mark.parametrize(("error", "code", "says"), ENDS, ids=[type(error).__name__ + str(c) for error, c, _ in ENDS])
def test_every_end_has_its_code(
    error: BaseException, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer(pretty_exceptions_enable=False)

    @app.command()
    def command() -> None:
        raise error

    monkeypatch.setattr(cli, "app", app)
    monkeypatch.setattr(sys, "argv", ["focalbench"])
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # which may be closed
    with pytest.raises(SystemExit) as end:
        program.main()
    assert end.value.code == code
    assert says in capsys.readouterr().err
    assert (MOVED, USAGE, MACHINE, FAULT) == (1, 2, 3, 70)


def test_a_reader_that_has_gone_is_no_drift(tmp_path: Path) -> None:
    command = f"{sys.executable} -m focalbench losses | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (3, "")
