"""`focalbench bench`: how fast is the tool here, against other ways to train and against the machine's limit?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from focalbench.base.processors import cores
from focalbench.cli.messages import say
from focalbench.cli.options import Device, FormatOption
from focalbench.cli.render import show_page
from focalbench.errors import InputError


def bench(
    part: Annotated[
        list[str] | None,
        typer.Option(
            help="training, losses, ranking, data, waiting, sweep or growth; repeatable. Default: all.", metavar="PART"
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(help="Interleaved rounds that the medians are of.")] = 5,
    device: Annotated[Device, typer.Option(help="Where training is measured.")] = "auto",
    format: FormatOption = "rich",  # noqa: A002
    out: Annotated[Path | None, typer.Option("--out", "-o", help="A folder for bench.md and bench.csv.")] = None,
    long: Annotated[bool, typer.Option("--long", help="Growth up to 10,000 runs.", metavar="")] = False,
    tiny: Annotated[
        bool, typer.Option("--tiny", help="Only to see that everything works; times mean nothing.", metavar="")
    ] = False,
) -> None:
    """Time training, ranking, start-up and whole sweeps on this machine, against other ways to do the same."""
    from focalbench.bench import PARTS, Scale, survey
    from focalbench.bench.report import bench_page
    from focalbench.jobs.machine import resolve_device
    from focalbench.report.owned import claim, finish_more, make_folder, write_texts

    parts = list(dict.fromkeys(part or PARTS))
    for name in parts:
        if name not in PARTS:
            raise InputError(f"unknown --part {name!r}; choose one of {', '.join(PARTS)}")
    if rounds < 1:
        raise InputError(f"--rounds must be at least 1, got {rounds}")
    where = resolve_device(device)
    if out is not None:
        make_folder(out)
        claim(out, ("bench.md", "bench.csv"))
    found = survey(
        parts, Scale(rounds, cores(), tiny, long), where, lambda name: typer.echo(f"bench: {name}", err=True)
    )
    page = bench_page(found, rounds)
    show_page(page, format)
    if out is not None:
        files = {"bench.md": page.markdown(), "bench.csv": page.csv}
        write_texts(out, files)
        finish_more(out, files)
        say(f"Files: {out}")
