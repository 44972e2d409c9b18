"""Every mistake a person can make at the command line: exit code 2, one sentence that names it, nothing written."""

import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from focalbench.cli.job import worker_count
from focalbench.errors import InputError
from focalbench.execution.store import APPLICATION, FORMAT
from tests.support.attempts import ENVIRONMENT, Files, attempt, contents, lay

Finished = subprocess.CompletedProcess[str]


@dataclass(frozen=True)
class Case:
    """A command line, a word that its message must hold, and the files that lie in its folder."""

    command: str
    says: str
    files: Files = field(default_factory=dict)


def csv(target: str, rows: int = 400) -> Files:
    """A file with a numeric, a text and a target column; {i} in the target is the row's number."""
    lines = (f"{i % 397},{'ab'[i % 2]},{eval(target, {'i': i})}" for i in range(rows))
    return {"d.csv": "\n".join(["x,c,y", *lines, ""]).encode()}


def toml(text: str) -> Files:
    return {"e.toml": text.encode()}


def database(statements: str, folder: Path) -> bytes:
    connection = sqlite3.connect(folder / "made.sqlite")
    connection.executescript(statements)
    connection.close()
    content = (folder / "made.sqlite").read_bytes()
    (folder / "made.sqlite").unlink()
    return content


SOUND = csv("int(i % 4 == 0)")
FILE = "sweep --dataset d.csv --target y --rows 200 --device cpu --workers 1 --out o"
RUNS = "CREATE TABLE runs (run_id TEXT PRIMARY KEY, identity TEXT, result TEXT, versions TEXT, sha256 TEXT);"
OURS = f"PRAGMA application_id = {APPLICATION};"

WRONG_SHARES = ("many", "0.01,0.02", "1.234,5", "%", "1/0", "sNaN", "1:1000", "15/10,000")
OPTIONS = [
    ("--loss nope", "--loss"),
    ("--loss Focal", "unknown --loss 'Focal'; did you mean focal?"),
    ("--metric LOG_LOSS", "did you mean log_loss?"),
    ("--dataset Mixture", "did you mean mixture?"),
    ("--loss focal --loss nope", "--loss"),
    ("--loss ohem:ratio", "ohem:ratio"),
    ("--loss ohem:ratio=0", "ratio of ohem must lie in (0, inf)"),
    ("--loss ohem:rate=3", "it has ratio"),
    ("--loss nowhere:Loss", "cannot import nowhere"),
    ("--loss json:Loss", "json holds no 'Loss'"),
    ("--loss json:dumps", "json:dumps failed"),
    ("--init nope", "--init"),
    ("--model nope", "model"),
    ("--device nope", "--device"),
    ("--alpha nope", "--alpha"),
    ("--alpha -0.1", "alpha"),
    ("--alpha 1.5", "alpha"),
    ("--alpha nan", "alpha"),
    ("--dataset nope", "nope"),
    ("--dataset mixtrue --target y", "mixture"),
    ("--pos-rate 0", "--pos-rate"),
    ("--pos-rate 1", "--pos-rate"),
    ("--pos-rate 1.5", "--pos-rate"),
    ("--pos-rate -1", "--pos-rate"),
    ("--pos-rate nan", "--pos-rate"),
    ("--pos-rate 0.01 --pos-rate 2", "--pos-rate"),
    *((f"--pos-rate {text}", "--pos-rate takes one share, such as") for text in WRONG_SHARES),
    ("--pos-rate 150%", "--pos-rate must lie between 0 and 1, got 150%"),
    ("--pos-rate 1/10.000", "--pos-rate takes one share, such as"),
    ("--label-noise 1/2/3", "--label-noise takes one share, such as"),
    ("--lr 0,003", "--lr takes one number, such as 0.003, got '0,003'; repeat it for several"),
    ("--gamma 1,2", "--gamma takes one number"),
    ("xor --dataset mixture", "'xor' and --dataset 'mixture' name two data sets"),
    ("gone.csv --target y", "gone.csv"),
    ("--dataset=", "the name of the data is empty"),
    ("--pos-rate 1e-6", "rate"),
    ("--quick --pos-rate 5e-324", "rate"),
    ("--pos-rate 0.9999 --rows 1500", "rate"),
    ("--pos-rate 0.02 --rows 100", "rows"),
    ("--gamma -1", "gamma"),
    ("--gamma nan", "gamma"),
    ("--gamma inf", "gamma"),
    ("--gamma 2 --loss bce", "--gamma"),
    ("--gamma 2 --loss pos_weight", "--gamma"),
    ("--alpha 0.25 --loss pos_weight", "--alpha"),
    ("--alpha 0.25 --loss bce", "--alpha"),
    ("--alpha none --loss alpha", "--alpha"),
    ("--target y", "--target"),
    ("--group g", "--group"),
    ("--test-prevalence nope", "--test-prevalence"),
    ("--sampler nope", "sampler"),
    ("--sampler quota:512", "sampler"),
    ("--dataset mixture:nope=1", "knob"),
    ("--dataset mixture:hard=2", "hard"),
    ("--dataset dense:hard=900", "choose a rate"),
    ("--dataset sklearn:nope", "sklearn:nope"),
    ("--positive 1", "--positive"),
    ("--task nope", "--task"),
    ("--dataset rare-class", "use --task multiclass"),
    ("--dataset labels:labels=1 --task multilabel", "labels of labels"),
    ("--task multiclass", "mixture is a binary data set"),
    ("--task multiclass --loss rivals", "is for --task binary"),
    ("--task multiclass --dataset long-tail --sampler balanced", "two classes only"),
    ("--task multiclass --dataset long-tail --pos-rate 0.3", "choose a rate"),
    ("--task multilabel --dataset labels --label-noise 0.1", "--task binary"),
    ("--loss ce", "use it with --task multiclass"),
    ("--task multiclass --dataset long-tail --loss softmax_focal --alpha 0.25", "none or balanced"),
    ("--label y", "--label"),
    ("--drop c", "--drop"),
    ("--drop-duplicates", "--drop-duplicates"),
    ("--seeds 0", "seeds"),
    ("--seeds 1.5", "--seeds"),
    ("--first-seed -1", "first_seed"),
    ("--rows 0", "rows"),
    ("--rows -5", "rows"),
    ("--epochs 0", "epochs"),
    ("--epochs ten", "--epochs"),
    ("--batch-size 0", "batch_size"),
    ("--lr 0", "learning rates"),
    ("--lr -1", "learning rates"),
    ("--lr nan", "learning rates"),
    ("--lr inf", "learning rates"),
    ("--workers 0", "--workers"),
    ("--backend nope", "--backend"),
    ("--backend serial --workers 2", "--workers"),
    ("--backend loky --scheduler tcp://127.0.0.1:1", "--scheduler"),
    ("--scheduler tcp://127.0.0.1:1 --workers 2", "--workers"),
    ("--log-level loud", "--log-level"),
    ("--dry-run --rows 0", "rows"),
    ("--label-noise 0.5", "noise"),
    ("--label-noise -0.1", "noise"),
    ("--label-noise nan", "noise"),
    ("--hidden 64;64", "--hidden"),
    ("--hidden 0", "hidden"),
    ("--hidden 8 --model logistic", "--hidden"),
    ("--hidden 8 --model resnet", "--hidden"),
    ("--nope", "--nope"),
]

TABLES = [
    Case("sweep --dataset d.csv --out o", "--target", SOUND),
    Case("sweep --dataset gone.csv --target y --out o", "gone.csv"),
    Case("sweep --dataset e.csv --target y --out o", "d.csv", SOUND),
    Case("sweep --dataset folder.csv --target y --out o", "folder.csv", {"folder.csv/x": b""}),
    Case("sweep --dataset d.csv --target Y --out o", "'Y'", SOUND),
    Case(FILE + f" --positive {'9' * 5_000}", "--positive", SOUND),
    Case(FILE + " --drop z", "'z'", SOUND),
    Case(FILE + " --group z", "'z'", SOUND),
    Case(FILE + " --group c --time x", "--time", SOUND),
    Case(FILE + " --weight c", "the weight column 'c' must hold a number >= 0", SOUND),
    Case(FILE + " --weight x --loss ohem", "ohem", SOUND),
    Case(FILE + " --drop y", "--drop", SOUND),
    Case(FILE + " --drop x --drop c", "feature", SOUND),
    Case(FILE + " --positive 7", "--positive", SOUND),
    Case(FILE + " --pos-rate 0.9", "rate", SOUND),
    Case(FILE + " --pos-rate 0.001", "rate", SOUND),
    Case(FILE, "'y'", csv("0")),
    Case(FILE, "--positive", csv("i % 3")),
    Case(FILE, "--positive lost", csv("'won' if i % 3 else 'lost'")),
    Case(FILE, "missing", csv("'' if i == 9 else i % 2")),
    Case(FILE, "missing", csv("'nan' if i == 9 else i % 2")),
    Case(FILE, "missing", csv("'inf' if i == 9 else i % 2")),
    Case(FILE, "has 5 positives", csv("int(i < 5)")),
    Case(FILE, "feature", {"d.csv": b"x,y\n" + b"1,0\n1,1\n" * 200}),
    Case(FILE, "no rows", {"d.csv": b"x,c,y\n"}),
    Case(FILE, "empty", {"d.csv": b""}),
    Case(FILE, "regular", {"d.csv": b"x,y\n1,0\n1,2,3\n"}),
    Case(FILE, "NUL", {"d.csv": b"x,y\n1\0,0\n"}),
    Case(FILE, "named x", {"d.csv": b"x,x,y\n1,2,0\n2,3,1\n"}),
]

TINY = "positive_rates = [0.02]\nrows = 1500\nseeds = 1\n"
EXPERIMENTS = [
    Case("run gone.toml", "gone.toml"),
    Case("run e.toml", "lears", toml("lears = 1\n")),
    Case("run e.toml", "TOML", toml("epochs = = 1\n")),
    Case("run e.toml", "TOML", {"e.toml": b"\xff\xfe"}),
    Case("run e.toml", "epochs", toml('epochs = "ten"\n')),
    Case("run e.toml", "epochs", toml("epochs = 2.5\n")),
    Case("run e.toml", "seeds", toml("seeds = true\n")),
    Case("run e.toml", "datasets", toml("datasets = []\n")),
    Case("run e.toml", "datasets", toml('datasets = "mixture"\n')),
    Case("run e.toml", "nope", toml('datasets = ["nope"]\n')),
    Case("run e.toml", "positive rate", toml("positive_rates = [0.0]\n")),
    Case("run e.toml", "only, not ../d.csv", toml('datasets = ["../d.csv"]\n')),
    Case("run e.toml", "only, not /etc/passwd", toml('datasets = ["/etc/passwd"]\n')),
    Case("run e.toml", "unknown data set", toml('datasets = ["a\\u0000b"]\n')),
    Case("run e.toml", "beyond every float", toml(f"positive_rates = [{'9' * 400}]\n")),
    Case("run e.toml", "TOML", toml(f"epochs = {'9' * 5_000}\n")),
    Case("run e.toml", "TOML", toml(f"epochs = {'[' * 5_000}\n")),
    Case("run e.toml", "[...]", toml(f"{'x' * 5_000} = 1\n")),
    Case("run e.toml", "a\\nb", toml('datasets = ["a\\nb"]\n')),
    Case("run e.toml", "natural", toml('positive_rates = ["natural"]\n')),
    Case("run e.toml", "loss", toml('[[arms]]\nloss = "nope"\n')),
    Case("run e.toml", "command line only", toml('[[arms]]\nloss = "bce"\n[[arms]]\nloss = "json:dumps"\n')),
    Case("run e.toml", "ratio", toml('[[arms]]\nloss = "ohem"\nparams = { ratio = "3" }\n')),
    Case("run e.toml", "arm", toml("[[arms]]\ngamma = 2.0\n")),
    Case("run e.toml", "alpha", toml('[[arms]]\nloss = "focal"\nalpha = [0.5]\n')),
    Case("run e.toml", "alpha", toml('[[arms]]\nloss = "focal"\nalpha = true\n')),
    Case("run e.toml", "twice", toml('[[arms]]\nloss = "bce"\n[[arms]]\nloss = "bce"\n')),
    Case("run e.toml", "bce", toml('[[arms]]\nloss = "focal"\ngamma = 2.0\n')),
    Case("run e.toml", "[[check]]", toml("[check]\nepochs = 2\n")),
    Case(
        "run e.toml",
        "group",
        toml("rows = 1500\npositive_rates = [0.02]\nseeds = 1\n[[check]]\nepochs = 2\ngroup = 'x'\n"),
    ),
    Case("run e.toml", "sedes", toml("[[check]]\nsedes = 2\n")),
    Case("run e.toml", "epochs", toml(TINY + "[[check]]\nepochs = 6\n")),
    Case("run e.toml --workers 0", "--workers", toml("[[check]]\nepochs = 2\n")),
    Case(
        "run e.toml",
        "are the same table",
        toml(TINY.replace("1500", "200").replace("0.02", "0.25") + 'datasets = ["d.csv", "e.csv"]\ntarget = "y"\n')
        | {"d.csv": SOUND["d.csv"], "e.csv": SOUND["d.csv"]},
    ),
    Case("run", "FILE"),
]

FOLDERS = [
    Case("bench --part nope --out o", "--part"),
    Case("bench --rounds 0 --out o", "--rounds"),
    Case("table gone", "gone"),
    Case("table o", "table.csv", {"o/x": b""}),
    Case("table o", "table.csv", {"o/table.csv": b"a,b\n1,2\n"}),
    Case("table o", "table.csv", {"o/table.csv": b""}),
    Case("table o", "table.csv", {"o/table.csv": b"\x00\xff\xfe"}),
    Case("table o --format nope", "--format", {"o/x": b""}),
    Case("plot gone", "gone"),
    Case("plot o", "table.csv", {"o/x": b""}),
    Case("plot o", "table.csv", {"o/table.csv": b"a,b\n1,2\n", "o/curves.csv": b"a,b\n1,2\n"}),
    Case("plot --formulas --out taken/figures", "taken", {"taken": b""}),
    Case("plot", "no results folder in results"),
    Case("table", "no results folder in results", {"results/mine/table.csv": b"a,b\n"}),
    Case("report gone --out r.html", "gone"),
    Case("report o --out r.html", "table.csv", {"o/x": b""}),
    Case("report o --out r.html", "table.csv", {"o/table.csv": b"a,b\n1,2\n", "o/curves.csv": b"a,b\n1,2\n"}),
    Case("report o --out mine.html", "mine.html is there already", {"o/x": b"", "mine.html": b"mine"}),
    Case("report o --out o/page.txt", "ends in .html", {"o/x": b""}),
    Case("plot o --formulas", "leave o out"),
    Case("check gone", "gone"),
    Case("check r/o", "manifest.json", {"r/o/x": b"", "experiments/o.toml": b"[[check]]\nepochs = 2\n"}),
    Case("check o --experiment gone.toml", "gone.toml", {"o/manifest.json": b'{"format": 1}'}),
    Case("check o --workers 0 --experiment e.toml", "--workers", toml("[[check]]\nepochs = 2\n")),
    Case(
        "check o --experiment e.toml",
        "its columns are others",
        toml("[[check]]\nepochs = 2\n") | {"o/manifest.json": b'{"format": 1}', "o/check.csv": b"a,b\n1,2\n"},
    ),
    Case("nope", "nope"),
]

# a sweep that would run in seconds, were it not for the --out
SHORT = (
    "sweep --dataset gaussians --pos-rate 0.02 --rows 1500 --epochs 1 --seeds 1 --hidden 4 --loss bce --no-references"
)
OUTS = [
    Case(SHORT + " --out taken/o", "--out", {"taken": b"a file"}),
    Case(SHORT + " --loss mine:loss --out o", "ValueError: no", {"mine.py": b"def loss(x, y): raise ValueError('no')"}),
    Case(SHORT + " --loss mine:loss --out o", "SyntaxError", {"mine.py": b"def loss(x, y:"}),
    Case(SHORT + " --scheduler tcp://127.0.0.1:1 --out o", "--scheduler"),
    Case(SHORT + " --scheduler nonsense --out o", "--scheduler"),
    Case(SHORT + " --store gone/runs.sqlite --out o", "--store"),
    *(
        Case(SHORT + f" --scheduler {address} --out o", "--scheduler")
        for address in ("tcp://[::1", "tcp://127.0.0.1:99999", "tcp://127.0.0.1:x", "http://127.0.0.1:1", "tls://h:1")
    ),
    *(
        Case(SHORT + " --out o", f"holds a {name} that is not this tool's", {f"o/{name}": content})
        for name, content in {
            "table.csv": b"a,b\n1,2\n",
            "classes.csv": b"a",
            "experiment.toml": b"x = 1\n",
            "manifest.json": b'{"name": "a web application"}',
        }.items()
    ),
    Case(FILE.replace("d.csv", "\udcff.csv"), "'\\udcff.csv' is not UTF-8", {"\udcff.csv": SOUND["d.csv"]}),
    Case(FILE.replace("d.csv", "\udcfe/d.csv"), "'\\udcfe/d.csv' is not UTF-8", {"\udcfe/d.csv": SOUND["d.csv"]}),
    *(Case(FILE + f" {option} \udcff", "is not UTF-8", SOUND) for option in ("--drop", "--positive", "--weight")),
    Case("run ...toml", "--out", {"...toml": toml(TINY + "epochs = 1\nhidden = [4]\n")["e.toml"]}),
    Case(SHORT + " --out taken", "--out", {"taken": b"a file"}),
    Case(SHORT + " --out o", "--store", {"o/runs.sqlite": b"some notes of mine, and long enough to be a header" * 9}),
    Case(SHORT + " --store o/curves.csv --out o", "what the results are written to", {"o/x": b""}),
    Case(SHORT + f" --out {'x' * 300}", "--out"),
    Case(SHORT + f" --store {'x' * 300} --out o", "--store"),
    Case(SHORT + " --store d.csv --out o", "--store", SOUND),
    Case(SHORT + " --out o", "--store", {"o/runs.sqlite/x": b"a folder of that name"}),
]
STORES = {
    "version 99": RUNS + OURS + "PRAGMA user_version = 99;",
    "without its table": "CREATE TABLE x (y);" + OURS + f"PRAGMA user_version = {FORMAT};",
    "version 99, otherwise made": "CREATE TABLE experiments (x TEXT); PRAGMA user_version = 99;",
    "another program's": "CREATE TABLE notes (text TEXT); INSERT INTO notes VALUES ('mine');",
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    made = [Case(f"sweep {options} --out o", says) for options, says in OPTIONS]
    folder = tmp_path_factory.mktemp("made")
    stores = [Case(SHORT + " --out o", "--store", {"o/runs.sqlite": database(s, folder)}) for s in STORES.values()]
    return dict(zip(NAMES, [*made, *TABLES, *EXPERIMENTS, *FOLDERS, *OUTS, *stores], strict=True))


def names(cases: list[Case]) -> list[str]:
    return [f"{i}: {case.command} ({case.says})" for i, case in enumerate(cases)]


NAMES = [options for options, _ in OPTIONS]
NAMES += [name for group in (TABLES, EXPERIMENTS, FOLDERS, OUTS) for name in names(group)]
NAMES += [f"a store that is {name}" for name in STORES]


def focalbench(arguments: list[str], folder: Path) -> Finished:
    environment = os.environ | ENVIRONMENT | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_is_one_sentence_and_exit_code_2(name: str, cases: dict[str, Case]) -> None:
    case = cases[name]
    ended = attempt(case.command.split(), case.files)
    lines = [line for line in ended.stderr.splitlines() if line.strip()]
    assert ended.code == 2, ended.stderr
    assert (len(lines) == 1 and lines[0].startswith("focalbench: ")) or lines[0].startswith("Usage: "), ended.stderr
    assert case.says in ended.stderr
    assert ended.stdout == ""
    assert ended.after == ended.before  # nothing written, nothing touched


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if i % 40 else []) for i, name in enumerate(NAMES)]
)
def test_a_process_of_its_own_says_the_same(name: str, cases: dict[str, Case], tmp_path: Path) -> None:
    case, folder = cases[name], tmp_path / "here"
    folder.mkdir()
    lay(case.files, folder)
    before = contents(folder)
    ended = attempt(case.command.split(), case.files)
    finished = focalbench(["-m", "focalbench", *case.command.split()], folder)
    assert (finished.returncode, finished.stdout) == (ended.code, ended.stdout)
    assert _plain(finished.stderr) == _plain(ended.stderr)
    assert contents(folder) == before


def _plain(text: str) -> str:
    """Without how the program was called, and in which folder."""
    return re.sub(r"/\S+/here/", "", text.replace("python -m focalbench", "focalbench"))


def test_a_gpu_takes_one_worker() -> None:
    assert (worker_count(None, "cuda"), worker_count(1, "cuda"), worker_count(3, "cpu")) == (1, 1, 3)
    with pytest.raises(InputError, match="--workers"):
        worker_count(2, "cuda")


def test_cuda_is_refused_where_there_is_none(tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    finished = focalbench(["-m", "focalbench", *SHORT.split(), "--device", "cuda", "--out", "o"], tmp_path)
    assert finished.returncode == 2
    assert finished.stderr == "focalbench: --device cuda: this torch sees no CUDA device; use --device cpu\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    ["--help", "sweep --help", "sweep --loss nope", "sweep --loss ohem:ratio=0", "sweep --pos-rate 2", "run gone"],
)
def test_help_and_mistakes_answer_without_torch(arguments: str, tmp_path: Path) -> None:
    finished = focalbench(["-X", "importtime", "-m", "focalbench", *arguments.split()], tmp_path)
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in finished.stderr.splitlines()}
    assert "typer" in modules
    assert not modules & {"torch", "sklearn", "pandas", "matplotlib"}
