"""What a plan would cost, in four lines."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from focalbench.cli.progress import clock

if TYPE_CHECKING:
    from focalbench.estimate import Estimate


def show_estimate(found: Estimate, folder: Path, *, as_json: bool) -> None:
    """Print an estimate as text, or as one line of JSON."""
    room = _room(folder)
    if as_json:
        typer.echo(json.dumps({"event": "estimate"} | asdict(found) | {"free_disk_bytes": room}))
        return
    workers = "1 worker" if found.workers == 1 else f"{found.workers} workers"
    typer.echo(f"plan    {found.runs:,} runs, {found.stored:,} of them stored; {found.stacks:,} stacks on {workers}")
    typer.echo(f"time    about {clock(found.seconds)}")
    if found.memory_bytes is not None:
        free = "" if found.free_bytes is None else f" ({_size(found.free_bytes)} free)"
        typer.echo(f"memory  about {_size(found.memory_bytes)}{free}")
    typer.echo(f"disk    about {_size(found.disk_bytes)} ({_size(room)} free)")


def _room(folder: Path) -> int:
    """Bytes that are free where a folder is, or will be."""
    place = folder.absolute()
    return shutil.disk_usage(next(each for each in (place, *place.parents) if each.is_dir())).free


def _size(count: int) -> str:
    """Bytes as a person says them.

    >>> _size(860_000_000), _size(3_456)
    ('860 MB', '3 kB')
    """
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count / 1e3:.0f} kB"
