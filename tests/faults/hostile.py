"""Hostile input, generated: what is typed, experiment files, data files, results folders that somebody edited.

What is legal is kept small, and names no data set of the network, no scheduler elsewhere, no second worker and no place
outside the folder of the attempt: hundreds of them run in one process.
"""

import csv
import io
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hypothesis import strategies as st

from focalbench.datasets.synthetic.families import FAMILIES as SYNTHETIC
from focalbench.plan.experiment import MOST, MOST_EPOCHS
from tests.datasets.test_hostile import BY_HAND
from tests.support.attempts import Files

Text = st.SearchStrategy[str]


@dataclass(frozen=True, repr=False)
class Attempt:
    """What is typed after the program's name, and the files that lie in its folder beside those of PLACE; a limit that
    holds meanwhile, if any: what it is on, and how much is left.
    """

    arguments: tuple[str, ...]
    files: Files
    limit: tuple[str, int] | None = None

    def __repr__(self) -> str:
        parts = (f"{name!r}: {str(content)[:2_000]}" for name, content in self.files.items())
        return f"focalbench {list(self.arguments)!r:.2000} {{{', '.join(parts)}}} {self.limit or ''}"


# ---- words

ODD = [
    *("", " ", "-", "--", "-1", "0", "1", "nan", "inf", "-inf", "1e999", "1e-999", "5e-324", "1_000", "0x10"),
    *("9" * 400, "1" * 5_000, "x" * 300, "x" * 5_000, "none", "null", "True", "a,b", ",", "=", ":", "a:b", "a=b", "½"),
    *("=1+1", "%s", "{}", "{0}", "[red]", "$HOME", "`id`", "'", '"', "\\", "*", "\x1b[2J", "\x07", "\r", "\n", "a\nb"),
    *("\t", "\x7f", "\u202e", "\u2028", "\ufeff", "é", "e\u0301", "🙂", "\U000e0001", ".", "..", "/", "~", "/dev/null"),
    *("d.csv", "d.csv/", "e.toml", "r", "taken", "outside", "loop.csv", "dangling.csv", "inner", "/etc/passwd"),
    *("--help", "--nope", "--rows", "-h", "-x", "--=", "--rows=", "--rows=x", "@d.csv"),
]
BYTES = [*ODD, "\udcff", "\udcff.csv", "\udcff/o"]  # and what is typed, or named, in another encoding
NOW_AND_THEN = st.sampled_from([False] * 11 + [True])


def rarely(draw: st.DrawFn) -> bool:
    return draw(NOW_AND_THEN)


def typed(raw: bytes) -> str:
    return os.fsdecode(raw.replace(b"\0", b""))  # no argument of a process holds a NUL


WORDS = st.one_of(
    st.sampled_from(BYTES),
    st.text(max_size=8).map(lambda text: typed(text.encode(errors="ignore"))),
    st.binary(max_size=6).map(typed),
)
NUMBERS = st.one_of(st.integers().map(str), st.floats().map(str), WORDS)


def is_whole(text: str) -> bool:
    try:
        return float(text).is_integer()
    except ValueError:
        return False


def few(most: int, beyond: int | None = None) -> Text:
    """Whole numbers as they are typed, few or beyond what is allowed at all, and what is none."""
    counts = st.integers(-2, most).map(str)
    huge = st.nothing() if beyond is None else st.sampled_from([beyond + 1, beyond**9]).map(str)
    return st.one_of(counts, counts, huge, NUMBERS.filter(lambda text: not is_whole(text)))


def some(*sound: str) -> Text:
    return st.one_of(st.sampled_from(sound), WORDS)


def places(*known: str) -> Text:
    """Where to write: in the folder of the attempt, or where nobody can."""
    inside = WORDS.filter(lambda word: not word.startswith(("/", "~")) and ".." not in word)
    return st.one_of(st.sampled_from(known), inside)


# ---- the folder

LINES = [f"{i % 397},{'ab'[i % 2]},{int(i % 4 == 0)},{i % 3},{i},{i % 40}" for i in range(400)]
SOUND = "\n".join(["x,c,y,z,t,g", *LINES, ""]).encode()
CHEAP = {
    "datasets": '["gaussians"]',
    "positive_rates": "[0.02]",
    "rows": "1500",
    "epochs": "1",
    "seeds": "1",
    "hidden": "[4]",
    "lrs": "[0.01]",
    "references": "false",
}
BCE = '[[arms]]\nloss = "bce"\n'


def toml(values: dict[str, str]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in values.items())


EXPERIMENT = (toml(CHEAP) + BCE + "[[check]]\nepochs = 1\n").encode()
ODD_NAME, LONG_NAME = "🙂$x^$[b]\x1b[2J\n.csv", f"{'x' * 240}.csv"
PLACE: Files = {
    "../outside.csv": SOUND,
    "d.csv": SOUND,
    "\udcff.csv": SOUND,
    ODD_NAME: SOUND,
    LONG_NAME: SOUND,
    "classes.csv": SOUND,  # this and the next have names that a results folder has, too
    "experiment.toml": EXPERIMENT,
    "e.toml": EXPERIMENT,
    "taken": b"a file",
    "inner/d.csv": SOUND,
    "foreign/table.csv": b"a,b\n1,2\n",
    "foreign/manifest.json": b'{"name": "a web application"}',
    "outside": Path("../outside.csv"),
    "loop.csv": Path("loop.csv"),
    "dangling.csv": Path("gone.csv"),
}


# ---- (a) what is typed

TRAINED = {
    "--dataset": "gaussians",
    "--pos-rate": "0.02",
    "--rows": "1500",
    "--epochs": "1",
    "--seeds": "1",
    "--hidden": "4",
    "--lr": "0.01",
    "--loss": "bce",
    "--init": "own",
    "--out": "o",
}
FAMILIES = [name for name in SYNTHETIC if name != "dense"]  # whose images are long to draw
NAMED = [*FAMILIES, "d.csv", "\udcff.csv", ODD_NAME, "classes.csv", "sklearn:digits", "sklearn:iris"]
KNOBS = st.builds(
    "{}:{}={}".format,
    st.sampled_from([*FAMILIES, "sklearn", "nope"]),
    st.sampled_from(["hard", "clusters", "classes", "labels", "dimension", "tails", "distance", "nope", ""]),
    NUMBERS,
)
COLUMN = some("x", "c", "y", "z", "t", "g")
RATE = st.one_of(st.floats(0, 1).map(str), some("2%", "0,05", "5/100", "1/0", "‰", "1/10.000"), NUMBERS)
RUNNING = {
    "--out": places("o", "o/p/q", ".", "inner", "r", "taken", "taken/o", "foreign", "/proc/none/o", "/dev/null/o"),
    "--store": places("s.sqlite", "r/runs.sqlite", "d.csv", "gone/s.sqlite", "inner", "/dev/full", "/proc/s"),
    "--backend": some("serial"),
    "--workers": few(1),
    "--log-level": some("debug", "info", "warning", "error"),
}
OPTIONS: dict[str, dict[str, Text]] = {
    "sweep": {
        **RUNNING,
        "--dataset": st.one_of(st.sampled_from(NAMED), KNOBS, WORDS),
        "--task": some("binary", "multiclass", "multilabel"),
        "--pos-rate": RATE,
        "--target": COLUMN,
        "--label": COLUMN,
        "--positive": some("0", "1", "a"),
        "--drop": COLUMN,
        "--group": COLUMN,
        "--time": COLUMN,
        "--weight": COLUMN,
        "--test-prevalence": some("thin", "weight"),
        "--label-noise": RATE,
        "--loss": some(
            "bce", "pos_weight", "alpha", "focal", "ce", "softmax_focal", "ohem:ratio=2", "dice", "json:dumps"
        ),
        "--alpha": st.one_of(some("none", "balanced", "0.25"), NUMBERS),
        "--gamma": st.one_of(st.floats(0, 10).map(str), NUMBERS),
        "--init": some("own", "prior", "zero"),
        "--lr": NUMBERS,
        "--seeds": few(2, MOST["seeds"]),
        "--first-seed": NUMBERS,
        "--rows": few(5_000, MOST["rows"]),
        "--epochs": few(2, MOST_EPOCHS),
        "--steps": few(3, MOST["steps"]),
        "--margin": RATE,
        "--batch-size": st.one_of(st.just("64"), few(0, MOST["batch_size"])),
        "--sampler": some("random", "stratified", "balanced", "quota:8", "hard", "groups"),
        "--model": some("logistic", "mlp", "resnet"),
        "--hidden": some("4,4", "16385", "4,0", "4,", "4;4"),
        "--device": some("auto", "cpu"),
    },
    "run": RUNNING | {"--data": WORDS},
    "table": {"--format": some("markdown", "summary", "overview", "latex", "csv")},
    "plot": {"--out": RUNNING["--out"]},
    "check": {"--experiment": some("e.toml"), "--data": WORDS, "--workers": few(1)},
    "losses": {"--nope": WORDS},
    "datasets": {"--nope": WORDS},
}
FLAGS = {
    "sweep": ["--quick", "--drop-duplicates", "--json", "--dry-run", "-q", "-h"],
    "run": ["--json", "--dry-run", "-q", "--keys"],
    "plot": ["--formulas"],
    "check": ["--accept"],
}
NEEDED = {"sweep": TRAINED, "run": {"--out": "o"}, "check": {"--experiment": "e.toml"}}
NAMES = {
    "run": ["e.toml", "d.csv", "gone.toml", "."],
    "table": ["r"],
    "plot": ["r"],
    "check": ["r"],
    "datasets": FAMILIES,
}
SCHEDULERS = [
    *("", "nonsense", "127.0.0.1", "tcp://", "tcp://127.0.0.1:1", "tls://127.0.0.1:1", "http://127.0.0.1:1", "\x1b[2J"),
    *(
        "tcp://127.0.0.1:99999",
        "tcp://127.0.0.1:x",
        "tcp://127.0.0.1:-1",
        "tcp://[::1",
        "tcp://[::1]]:1",
        "tcp://[x]:1",
    ),
]
COMPLETE = [
    *(
        (),
        ("",),
        ("--help",),
        ("-h",),
        ("--version",),
        ("table",),
        ("plot",),
        ("sweep", "--help"),
        ("nope",),
        ("--rows", "5"),
        ("sweep", "--out"),
        ("run",),
    ),
    *(("sweep", "--quick", "--pos-rate", rate) for rate in ("5e-324", "1e-300", "1e-9")),
    *(("sweep", "--scheduler", address) for address in SCHEDULERS),
    *(("run", "e.toml", "--backend", "dask", "--scheduler", address) for address in SCHEDULERS),
]


@st.composite
def options(draw: st.DrawFn, command: str) -> list[str]:
    """Some options with values, few of them without one."""
    known = OPTIONS[command]
    chosen: list[str] = []
    for name in draw(st.lists(st.sampled_from([*known, *known, *FLAGS.get(command, [])]), max_size=4)):
        chosen.append(name)
        if name in known and not rarely(draw):
            chosen.append(draw(known[name]))
    return chosen


def completed(command: str, chosen: list[str]) -> list[str]:
    """What was chosen, after the tiny settings that were not."""
    needed = NEEDED.get(command, {}) | ({"--workers": "1"} if command in NEEDED else {})
    rest = [each for name, value in needed.items() if name not in chosen for each in (name, value)]
    return [*(["--no-references"] if command == "sweep" else []), *rest, *chosen]


@st.composite
def command_lines(draw: st.DrawFn) -> Attempt:
    if rarely(draw):
        return Attempt(draw(st.sampled_from(COMPLETE)), {})
    command = draw(st.sampled_from([*["sweep"] * 10, *["run", "table", "check"] * 2, *OPTIONS]))
    arguments = completed(command, draw(options(command)))
    if command in NAMES and not rarely(draw):
        arguments.insert(0, draw(st.sampled_from(NAMES[command])))
    return Attempt((command, *arguments, *([draw(WORDS)] if rarely(draw) else [])), {})


# ---- (b) experiment files

RAW = [
    *("1", "-1", "0", "1.5", "-0.0", "nan", "inf", "-inf", "1e400", "9" * 20, "9" * 400, "1" * 5_000, "true", "false"),
    *("[]", "[[]]", "[[1]]", "{}", "{ a = 1 }", "[{}]", "[1, 'a']", "[nan]", "[true]", "['']", '["a", "a"]', "[1, 1]"),
    *("1979-05-27", "1979-05-27T07:32:00Z", "07:32:00", '""', '"a\\u0000b"', '"../x"', '"""a\nb"""', '"\\u001b[2J"'),
    *("[" * 3_000, "", "=", '"', "'\\'", '"natural"', '["natural"]', '["natural", 0.02]', "[9223372036854775808]"),
]
DATA = [
    *("gaussians", "mixture:hard=0.1", "labels", "rare-class", "sklearn:iris", "d.csv", "inner/d.csv", "outside", ""),
    *(
        "../outside.csv",
        "loop.csv",
        "dangling.csv",
        "/etc/passwd",
        ".",
        "d.csv/",
        "e.toml",
        "a\0b",
        "../a\nb",
        "x" * 300,
    ),
]


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", r"\u007f")


def listed(items: Text) -> Text:
    return st.lists(items, min_size=1, max_size=2).map(lambda texts: f"[{', '.join(texts)}]")


STRINGS = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_categories=["Cs"]), max_size=8)).map(quoted)
FLOATS = st.one_of(
    st.sampled_from(["0.02", "0.25", "0.1", "1"]),
    st.floats(0, 1).map(repr),
    st.floats().map(repr),
    st.just("9" * 400),
)


def counted(most: int, limit: int) -> Text:
    return st.one_of(st.integers(1, most), st.integers(-2, most), st.sampled_from([limit + 1, 10**400])).map(str)


def strings(*sound: str) -> Text:
    known = st.sampled_from(sound).map(quoted)
    return st.one_of(known, known, known, STRINGS)


SWITCH = st.sampled_from(["true", "false"])
VALUES: dict[str, Text] = {
    "task": strings("binary", "multiclass", "multilabel"),
    "datasets": listed(strings(*DATA)),
    "positive_rates": listed(st.one_of(st.just('"natural"'), FLOATS)),
    "own_rates": st.sampled_from(["{}", "{ gaussians = [0.1] }", "{ gaussians = [2.0] }", "{ x = [0.1] }", "[0.1]"]),
    "labels": listed(strings("y", "x")),
    "test_prevalence": strings("thin", "weight"),
    "label_noise": FLOATS,
    "rows": counted(5_000, MOST["rows"]),
    "epochs": counted(2, MOST_EPOCHS),
    "steps": counted(3, MOST["steps"]),
    "margin": FLOATS,
    "tuned": SWITCH,
    "recalibrate": SWITCH,
    "metric": strings("log_loss", "cost=1:9", "precision_at=50", "precision_at=1e9", "recall_at_fpr=2", "auc"),
    "threshold_at": strings("cost=1:9", "capacity=1%", "capacity=3/day", "recall=0.5", "precision=-1", "half"),
    "seeds": counted(2, MOST["seeds"]),
    "batch_size": st.sampled_from(["64", "512", "0", "-1", "100001"]),
    "first_seed": st.integers().map(str),
    "lrs": listed(FLOATS),
    "hidden": listed(st.one_of(st.integers(-1, 8), st.sampled_from([16_385, 10**400])).map(str)),
    "sampler": strings("random", "balanced", "quota:8", "weighted-quota:8", "groups"),
    "optimizer": strings("adam", "sgd", "lion"),
    "lr_schedule": strings("constant", "cosine", "step"),
    "model": strings("logistic", "mlp", "resnet"),
    "device": strings("cpu", "cuda", "auto"),
    "references": st.just("false"),
    "smoke_test": SWITCH,
    "drop_duplicates": SWITCH,
    "drop": listed(strings("c", "x", "y")),
    "category": listed(strings("c", "x", "y")),
    **{key: strings("x", "c", "y", "z", "t", "g", "1") for key in ("target", "positive", "group", "time", "weight")},
}
ARM_VALUES: dict[str, Text] = {
    "loss": strings("bce", "focal", "alpha", "pos_weight", "ce", "ohem", "json:dumps"),
    "alpha": st.one_of(FLOATS, strings("none", "balanced")),
    "gamma": FLOATS,
    "init": strings("own", "prior", "zero", "learned"),
    "resampling": strings("undersample", "oversample:0.1", "smote:2", "smote:"),
    "params": st.sampled_from(
        ["{ ratio = 2 }", "{ ratio = nan }", "{ '' = 1 }", "{ a.b = 1 }", "{}", "{ ratio = 1e400 }"]
    ),
}
OF_FILES = [
    {"datasets": f"[{quoted(name)}]", "positive_rates": '["natural"]', "rows": "200", "target": '"y"'}
    for name in ("d.csv", ODD_NAME, LONG_NAME)
]
FILE_NAMES = [
    *["e.toml"] * 20,
    "é b\n.toml",
    "e",
    ".toml",
    "...toml",
    "x" * 250,
    "\x1b[2J.toml",
    "[red].toml",
    "\udcff",
]


@st.composite
def settings_of(draw: st.DrawFn, known: dict[str, Text], most: int) -> dict[str, str]:
    """Keys with values of their kind, some of any kind, few that there are not."""
    found = {}
    for key in draw(st.lists(st.sampled_from(sorted(known)), max_size=most, unique=True)):
        odd = st.sampled_from([text for text in RAW if (key, text) != ("references", "true")])  # which are slow
        found[key] = draw(odd if rarely(draw) else known[key])
    if rarely(draw) and rarely(draw):
        found[draw(strings("sedes", "a.b", "datasets.x"))] = draw(st.sampled_from(RAW))
    return found


@st.composite
def experiments(draw: st.DrawFn) -> bytes:
    """A sound experiment with some lines of another kind; arms, checks; perhaps damaged."""
    chosen = draw(st.sampled_from([{}, {}, {}, {}, *OF_FILES])) | draw(settings_of(VALUES, 3))
    text = toml(CHEAP | chosen) + ("" if rarely(draw) else BCE)
    for values in draw(st.lists(settings_of(ARM_VALUES, 3), max_size=1)):
        text += "[[arms]]\n" + toml({"loss": '"focal"'} | values)
    for values in draw(st.lists(settings_of(VALUES, 2), max_size=1)):
        heading = draw(st.sampled_from(["[check]", "[[check.x]]"])) if rarely(draw) and rarely(draw) else "[[check]]"
        text += f"{heading}\n" + toml({"epochs": "1"} | values)
    content = text.encode(draw(st.sampled_from([*["utf-8"] * 20, "utf-8-sig", "utf-16"])))
    return draw(spliced(content)) if rarely(draw) else content


@st.composite
def spliced(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    return content[:place] + draw(st.binary(max_size=4)) + content[place + draw(st.integers(0, 40)) :]


@st.composite
def experiment_runs(draw: st.DrawFn) -> Attempt:
    name = draw(st.sampled_from(FILE_NAMES))
    content = draw(st.binary(max_size=60) if rarely(draw) and rarely(draw) else experiments())
    data = draw(st.sampled_from([(), (), ("--data", "outside"), ("--data", "../outside.csv"), ("--data", "gone")]))
    how = draw(st.sampled_from([(), (), (), ("--dry-run",), ("--json",)]))
    return Attempt(("run", *data, *how, "--workers", "1", "--", name), {name: content})


# ---- (c) data files

NASTY = [
    *(
        "",
        " ",
        "NA",
        "?",
        "nan",
        "None",
        "inf",
        "-inf",
        "1e308",
        "-1e308",
        "1e999",
        "5e-324",
        "-0.0",
        "9" * 400,
        "=1+1",
    ),
    *(
        "=cmd|'/c calc'!A1",
        "@SUM(A1)",
        "-",
        "+",
        '"',
        "'",
        '""',
        "a\nb",
        "a\r\nb",
        "a,b",
        "a;b",
        "\t",
        "\x1b[2J",
        "\x07",
    ),
    *("\u202e", "\u2028", "\ufeff", "é", "🙂", "0x10", "1,5", "1.000,5", "1_000", "٣", "½", "true", "False", "[1, 2]"),
    *("2020-01-01", "13/02/2023", "01/02/03", "99999-01-01", "0000-00-00", "x" * 1_000, "9" * 5_000, "0" * 50, "#N/A"),
]
VALUE_PAIRS = [
    *(("1", "0"), ("true", "false"), ("a", "b"), ("0", "0"), ("", "1"), ("inf", "0"), ("=1+1", "0"), ("a\nb", "c")),
    *(("\x1b[2J", "0"), ("9" * 5_000, "0"), ("1.0", "0"), ("x" * 3_000, "y" * 3_000)),
]
HEADINGS = [
    "x",
    "c",
    "g",
    "",
    " ",
    "Unnamed: 0",
    "=1+1",
    "a\nb",
    "\x1b[2J",
    "é",
    "x" * 2_000,
    "0",
    "1.5",
    "y ",
    "Y",
    "[b]",
]
STYLES = [*[",\n"] * 4, ";\r\n", "\t\n", "|\r"]  # what parts cells, then rows
PARTS = [
    *(("--positive", value) for value in ("0", "1", "a\nb", "\x1b[2J", "=1+1", "9" * 5_000, "")),
    *((option, name) for option in ("--drop", "--group", "--time", "--weight") for name in ("n", *HEADINGS)),
    *(("--pos-rate", rate) for rate in ("0.2", "1e-300", "nan")),
    *(("--task", "multiclass", "--target", name) for name in ("c", "x", "n")),
    *(("--task", "multilabel", "--target", "", "--label", "y", "--label", name) for name in HEADINGS),
    *(
        ("--pos-rate", "0.2", "--test-prevalence", "weight"),
        ("--drop-duplicates",),
        ("--target", ""),
        ("--target", "c"),
    ),
]


@st.composite
def columns(draw: st.DrawFn, rows: int) -> list[str]:
    """Whole numbers, all but one of them perhaps; or odd cells, one after the other."""
    odd = draw(
        st.lists(st.one_of(st.sampled_from(NASTY), st.floats().map(str), st.text(max_size=5)), min_size=1, max_size=4)
    )
    if draw(st.booleans()):
        return [odd[0] if i == rows // 2 else str(i * 37 % 101) for i in range(rows)]
    return [odd[i * 7 % len(odd)] for i in range(rows)]


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """A table of which some columns, headings, rows, quotes or bytes are odd; last come a number n and the target."""
    rows = draw(st.sampled_from([*[400] * 12, 60, 1, 0]))
    header = draw(st.lists(st.sampled_from(HEADINGS), max_size=3, unique=not rarely(draw)))
    odd = [draw(columns(rows)) for _ in header]
    values = draw(st.sampled_from(VALUE_PAIRS)) if rarely(draw) else VALUE_PAIRS[0]
    table = [[*(cells[i] for cells in odd), str(i * i % 397), values[i % 4 > 0]] for i in range(rows)]
    if rarely(draw):  # ragged
        table = [row[: len(row) - (i == 7)] + ["1"] * (i == 9) for i, row in enumerate(table)]
    out, style = io.StringIO(), draw(st.sampled_from(STYLES))
    quoting: Literal[0, 1] = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(out, delimiter=style[0], lineterminator=style[1:], quoting=quoting)
    writer.writerows([[*header, "n", "y"], *table])
    encoding = draw(st.sampled_from([*["utf-8"] * 6, "utf-8-sig", "utf-16", "latin-1", "utf-7", "utf-32"]))
    content = out.getvalue().encode(encoding, errors="replace")
    return draw(spliced(content)) if rarely(draw) else content


@st.composite
def csv_sweeps(draw: st.DrawFn) -> Attempt:
    """A sweep over such a file, or any bytes, with the parts that its columns may be given."""
    small = sorted(name for name, content in BY_HAND.items() if len(content) < 100_000)  # the others take seconds
    anything = st.one_of(st.binary(max_size=80), st.sampled_from(small).map(BY_HAND.__getitem__))
    content = draw(anything if rarely(draw) else csv_files())
    fixed = TRAINED | {"--dataset": "d.csv", "--target": "y", "--rows": "200"}
    base = [each for name, value in fixed.items() if name != "--pos-rate" for each in (name, value)]
    rest = [each for part in draw(st.lists(st.sampled_from(PARTS), max_size=2)) for each in part]
    return Attempt(("sweep", "--no-references", "--workers", "1", *base, *rest), {"d.csv": content})


# ---- (d) results folders

READERS = [
    *(("table", "r", "--format", style) for style in ("rich", "markdown", "summary", "overview", "latex", "csv")),
    ("plot", "r"),
    *[("check", "r", "--experiment", "e.toml", "--workers", "1")] * 3,
    ("check", "r", "--experiment", "e.toml", "--workers", "1", "--accept"),
    ("run", "e.toml", "--out", "r", "--workers", "1"),
]
MANIFESTS = [
    *("null", "[]", "{}", '{"format": 1}', '{"format": 1, "files": 1}', '{"format": 1, "files": [[]]}', "[" * 9_999),
    *(
        '{"format": 1, "experiment_file": []}',
        '{"format": 1, "files": {"table.csv": 1}}',
        '{"format": NaN}',
        "1" * 5_000,
    ),
]


@st.composite
def edited(draw: st.DrawFn, content: bytes) -> bytes:
    """What stands between two commas of a line is another word."""
    lines = content.split(b"\n")
    i = draw(st.integers(0, len(lines) - 1))
    cells = lines[i].split(b",")
    cells[draw(st.integers(0, len(cells) - 1))] = os.fsencode(draw(NUMBERS))
    return b"\n".join([*lines[:i], b",".join(cells), *lines[i + 1 :]])


def replaced(content: bytes) -> st.SearchStrategy[bytes]:
    first = content.partition(b"\n")[0]
    return st.sampled_from([b"", b"\0", first, first + b"\n1\n", *(text.encode() for text in MANIFESTS)])


@st.composite
def readings(draw: st.DrawFn, results: Files) -> Attempt:
    """A command on a results folder, one file of which somebody has edited."""
    name = draw(st.sampled_from(sorted(results)))
    content = results[name]
    assert isinstance(content, bytes)
    damage = draw(st.sampled_from([spliced, edited, edited, replaced]))
    return Attempt(draw(st.sampled_from(READERS)), {name: draw(damage(content))})
