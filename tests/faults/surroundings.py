"""Hostile surroundings, generated: names from outside, what is no file, limits, folders of others.

As in hostile.py all that is legal is small. A folder o holds what is somebody else's, r results of ours; what a limit
stops goes on without it.
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import strategies as st

from focalbench.report.folder import PICTURES, STORE, WRITTEN
from focalbench.report.formulas import FILES
from tests.faults.hostile import TRAINED, Attempt, edited, rarely
from tests.support.attempts import Files, Kind

# what terminals, Markdown, LaTeX, rich, spreadsheets and mathtext would obey
NAMES = [
    *("<script>alert(1)</script>", "a|b", "`x`", "[x](http://x)", "![x](y)", "[/x]", "[bold]", "**b**", "_b_", "$x^$"),
    *("~~b~~", r"\input{x}", r"a\|b", "a\nb\n\n# b", "- b", "\x1b[2J", "\x9b2J", "\x07", "\u202e", "\u2066", "\u2028"),
    *("&lt;b&gt;", "<http://x>", "www.x.org", "a@b.org", "%", "#", "{", ":warning:", "=1+1", "<!-- x", "a\rb", "é🙂"),
    "\n- Better than BCE: mine.",
]
SWEEP = ("sweep", "--no-references", "--workers", "1", *(each for pair in TRAINED.items() for each in pair))
RUN = ("run", "e.toml", "--workers", "1", "--out", "o")
CHECK = ("check", "r", "--experiment", "e.toml", "--workers", "1")


OF_FILE = {name: value for name, value in TRAINED.items() if name not in ("--pos-rate", "--loss", "--out")}


def of_a_file(*options: str) -> tuple[str, ...]:
    """A sweep over d.csv."""
    given = OF_FILE | {"--dataset": "d.csv", "--rows": "200"}
    return ("sweep", "--no-references", "--workers", "1", *(each for pair in given.items() for each in pair), *options)


# ---- names from outside


@st.composite
def named(draw: st.DrawFn) -> Attempt:
    """A table whose columns, classes and labels bear such names, written into a folder that does."""
    x, y, *classes = draw(st.lists(st.sampled_from(NAMES), min_size=5, max_size=5, unique=True))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([x, "n", y])
    writer.writerows([[classes[i % 2], i * i % 397, classes[i % 3]] for i in range(900)])
    folder = draw(st.sampled_from([name for name in NAMES if "/" not in name]))
    how = draw(st.sampled_from([(), (), ("--json",), ("--drop", x), ("--group", x), ("--positive", classes[0])]))
    task = ("--task", "multiclass", "--loss", "ce", "--target", y)
    return Attempt(of_a_file(*task, *how, "--out", folder), {"d.csv": out.getvalue().encode()})


@st.composite
def read(draw: st.DrawFn, results: Files) -> Attempt:
    """A command on results of somebody who made the manifest fit what he changed."""
    name = draw(st.sampled_from(["r/table.csv", "r/curves.csv", "r/runs.csv"]))
    content = results[name]
    assert isinstance(content, bytes)
    changed = draw(st.one_of(edited(content), renamed(content)))
    manifest = results["r/manifest.json"]
    assert isinstance(manifest, bytes)
    said = json.loads(manifest)
    said["files"][name.removeprefix("r/")] = hashlib.sha256(changed).hexdigest()
    styles = ("rich", "markdown", "summary", "overview", "latex")
    command = draw(st.sampled_from([*(("table", "r", "--format", style) for style in styles), ("plot", "r")]))
    return Attempt(command, {name: changed, "r/manifest.json": json.dumps(said).encode()})


@st.composite
def renamed(draw: st.DrawFn, content: bytes) -> bytes:
    """A column of texts says something else."""
    rows = list(csv.reader(io.StringIO(content.decode())))
    where = rows[0].index(draw(st.sampled_from(["dataset", "arm"])))
    name = draw(st.sampled_from(NAMES))
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(
        [row if i == 0 else [*row[:where], row[where] + name, *row[where + 1 :]] for i, row in enumerate(rows)]
    )
    return out.getvalue().encode()


# ---- what is no file

LINKS = ("/dev/null", "/dev/zero", "/dev/full", "x", "gone", "../outside.csv")
NO_FILES: list[Path | Kind] = [Kind.PIPE, Kind.FOLDER, *map(Path, LINKS)]


@st.composite
def special(draw: st.DrawFn) -> Attempt:
    """A pipe, a folder, a device or a link that leads nowhere, where a file is looked for or written."""
    kind, name = draw(st.sampled_from(NO_FILES)), draw(st.sampled_from([*WRITTEN, *STORE]))
    place = draw(st.sampled_from(["o", "o/figures", f"o/{name}"]))
    attempts = [
        Attempt(draw(st.sampled_from([SWEEP, RUN])), {place: kind}),
        Attempt((*SWEEP, "--store", "x"), {"x": kind}),
        Attempt(("run", "x", "--workers", "1", "--out", "o"), {"x": kind}),
        Attempt(("check", "r", "--experiment", "x"), {"x": kind}),
        Attempt(draw(st.sampled_from([("table", "r"), ("plot", "r"), CHECK])), {f"r/{name}": kind}),
    ]
    return draw(st.sampled_from(attempts))


# ---- folders of others

DRAWN = [
    f"{kind}_gaussians_0.02.{end}" for kind in PICTURES if kind not in ("classes", "heat_map") for end in ("png", "svg")
]
OURS = [*WRITTEN, *STORE, *(f"figures/{name}" for name in DRAWN), *FILES, "bench.md", "bench.csv"]
BESIDE = [
    *("notes.md", ".focalbench-notes.txt", ".focalbench-1-runs.csv", f".focalbench-{'0' * 32}-{'0' * 16}"),
    *("figures/a.png", "figures/.focalbench-1", "runs.sqlite.bak", "table.csv~", "12345.part"),
]
CONTENTS: list[bytes | Path] = [
    *(b"", b"mine", b"\0", b"run_id,dataset,source\n1,2,3\n", b"SQLite format 3\0", b"{}", Path("gone")),
    *(b'{"format": 1, "files": {}}', b'{"format": 1, "files": {"table.md": "x", "runs.csv": "y"}}'),
    b'{"name": "a web application"}',
]


@st.composite
def of_others(draw: st.DrawFn) -> Attempt:
    """Files of somebody else where we write, by our names and by others."""
    chosen = draw(st.lists(st.sampled_from([*OURS, *BESIDE, *BESIDE, *BESIDE]), min_size=1, max_size=3, unique=True))
    files: Files = {f"o/{name}": draw(st.sampled_from(CONTENTS)) for name in chosen}
    plots = [("plot", "r", "--out", "o"), ("plot", "r", "--out", "o/figures"), ("plot", "--out", "o")]
    sweeps = [*[SWEEP] * 4, (*SWEEP, "--store", "s.sqlite"), RUN]
    return Attempt(draw(st.sampled_from(plots if rarely(draw) else sweeps)), files)


# ---- limits


@st.composite
def limited(draw: st.DrawFn) -> Attempt:
    """A command under which no file may grow beyond some bytes, or that may open a few files only."""
    drawing = [RUN, ("plot", "r")]  # which takes longer
    command = draw(st.sampled_from(drawing if rarely(draw) else [SWEEP, (*SWEEP, "--store", "s.sqlite")]))
    limits = [st.tuples(st.just("FSIZE"), st.integers(0, 20_000)), st.tuples(st.just("NOFILE"), st.integers(0, 12))]
    return Attempt(command, {"o/notes.md": b"mine"}, draw(st.one_of(limits)))


@contextmanager
def under(limit: tuple[str, int] | None) -> Iterator[None]:
    """Hold this process to a limit for a while."""
    if limit is None:
        yield
        return
    import resource

    which = {"FSIZE": resource.RLIMIT_FSIZE, "NOFILE": resource.RLIMIT_NOFILE}[limit[0]]
    most = limit[1] + (len(list(Path("/proc/self/fd").iterdir())) if limit[0] == "NOFILE" else 0)
    before = resource.getrlimit(which)
    resource.setrlimit(which, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(which, before)


# ---- what a process shares


def shared_state() -> dict[str, object]:
    """What a command must leave as it was in the process that it runs in."""
    import decimal
    import locale
    import random
    import sys
    import warnings

    import matplotlib as mpl
    import numpy as np
    import torch

    umask = os.umask(0)
    os.umask(umask)
    return {
        "torch": (torch.get_default_dtype(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()),
        "torch's draws": bytes(torch.get_rng_state().numpy()),
        "numpy": (repr(np.random.get_state()), str(np.geterr())),  # noqa: NPY002
        "python's draws": random.getstate(),
        "warnings": list(map(str, warnings.filters)),
        "environment": dict(os.environ),
        "folder and mask": (Path.cwd(), umask),
        "csv": csv.field_size_limit(),
        "limits": (sys.getrecursionlimit(), locale.setlocale(locale.LC_ALL), str(decimal.getcontext())),
        "matplotlib": repr(mpl.rcParams),
    }
