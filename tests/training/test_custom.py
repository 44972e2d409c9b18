"""Your own loss in its processes: it reaches nothing of other runs, and all that it loads is part of its identity."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from focalbench.errors import InputError
from focalbench.runs.arm import Arm
from focalbench.runs.result import Result
from focalbench.runs.run import Recipe, Run, Training
from focalbench.training.arm_loss import run_loss
from focalbench.training.own import processes
from focalbench.training.own.asking import forget_processes, module_process
from focalbench.training.own.custom import custom_constant, make_custom, source_hash
from focalbench.training.own.loss import make_loss, own_constant
from focalbench.training.own.source import module_hash
from focalbench.training.rivals import ClassCounts
from focalbench.training.stack import run_stack

GOOD = "from torch.nn.functional import binary_cross_entropy_with_logits as bce\n"
LOSS = GOOD + "def loss(x, y): return bce(x, y)\n"
RECIPE, TRAINING = Recipe("gaussians", rows=600, positive_rate=0.05), Training(hidden=(8,), epochs=2, batch_size=64)
COUNTS = ClassCounts(30, 970)
OWN = ("mine", "other")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of its own, whose modules no process has imported yet."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    anew()
    yield tmp_path
    for name in OWN:
        sys.modules.pop(name, None)


def anew() -> None:
    """As in a worker that starts now."""
    for cached in (source_hash, custom_constant, module_process):
        cached.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def _processes() -> Iterator[None]:
    yield
    forget_processes()


def run_of(spec: str, lr: float = 0.01) -> Run:
    return Run(RECIPE, TRAINING, Arm(spec, init="zero", source=source_hash(spec)), lr, 0)


def values(results: list[Result]) -> list[object]:
    return [(result.outcome, result.curves) for result in results]


BCE = tuple(Run(RECIPE, TRAINING, Arm(loss), 0.01, 0) for loss in ("bce", "pos_weight"))

PLANTS = {
    "default type": "torch.set_default_dtype(torch.float64)",
    "threads": "torch.set_num_threads(3)",
    "denormals": "torch.set_flush_denormal(False)",
    "torch's generator": "torch.manual_seed(5); torch.rand(9)",
    "other generators": "import numpy, random; numpy.random.seed(1); random.seed(1)",
    "deterministic": "torch.use_deterministic_algorithms(True)",
    "precision": "torch.set_float32_matmul_precision('medium')",
    "NumPy's errors": "import numpy; numpy.seterr(all='raise')",
    "gradients": "torch.set_grad_enabled(False)",
    "warnings": "import warnings; warnings.simplefilter('error')",
    "decimals": "import decimal, locale; decimal.getcontext().prec = 2; locale.setlocale(locale.LC_ALL, 'C')",
    "environment": "import os; os.environ.clear(); os.umask(0o777); os.chdir('/')",
    "paths": "import sys; sys.path.clear(); sys.modules.pop('json')",
    "signals": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); signal.signal(15, signal.SIG_IGN)",
    "logging": "import logging; logging.disable()",
    "threads that stay": "import threading, time; threading.Thread(target=time.sleep, args=(600,)).start()",
}
LATE = f"import torch\n{GOOD}def loss(x, y):\n    value = bce(x, y)\n    {{plant}}\n    return value\n"
LATE_PLANTS = {  # at a call, or it would not train at all
    "torch's functions": "torch.sigmoid = torch.exp = torch.sqrt = torch.Tensor.exp = lambda *_, **__: 1 / 0",
    "functional": "torch.nn.functional.softplus = torch.special.expit = None",
    "Python": "import builtins, gc, sys; builtins.print = None; gc.disable(); sys.setrecursionlimit(500)",
    "this package": (
        "from focalbench.training import loop; from focalbench.runs import run; loop.BETA1 = 0; run.ENGINE_VERSION = 7"
    ),
}


def state() -> list[object]:
    return [
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.are_deterministic_algorithms_enabled(),
        torch.sigmoid,
        signal.getsignal(signal.SIGINT),
        dict(os.environ),
        Path.cwd(),
        threading.active_count(),
        "other" in sys.modules,
    ]


def test_runs_beside_any_module_are_those_without_it(folder: Path) -> None:
    before, alone = state(), values(run_stack(BCE))
    (folder / "mine.py").write_text(LOSS)
    expected = values(run_stack((run_of("mine:loss"),)))
    for i, (name, plant) in enumerate(PLANTS.items()):
        (folder / f"mine{i}.py").write_text(f"import torch\n{plant}\n{LOSS}")
        together = values(run_stack((*BCE, run_of(f"mine{i}:loss"))))
        assert together[:2] == alone, name
        assert together[2:] == expected, name
    for i, (name, plant) in enumerate(LATE_PLANTS.items()):
        (folder / f"late{i}.py").write_text(LATE.format(plant=plant))
        together = values(run_stack((*BCE, run_of(f"late{i}:loss"))))
        assert together == alone + expected, name
    assert values(run_stack(BCE)) == alone
    assert state() == before


STATEFUL = (
    GOOD
    + """
calls = 0
def loss(x, y):
    global calls
    calls += 1
    return bce(x, y) * (1 + calls // 5)
def other(x, y): return loss(x, y)
"""
)


def test_a_run_finds_the_same_state_in_any_company(folder: Path) -> None:
    (folder / "mine.py").write_text(STATEFUL)
    runs = (run_of("mine:loss"), run_of("mine:loss", 0.03), run_of("mine:other"))
    together = values(run_stack(runs))
    assert [*together] == [found for run in runs for found in values(run_stack((run,)))]
    assert together[0] == together[2]
    assert together == [*reversed(values(run_stack(tuple(reversed(runs)))))]


def test_a_gradient_is_that_of_the_loss_itself_bit_by_bit(folder: Path) -> None:
    (folder / "mine.py").write_text(LOSS)
    loss, here = make_custom("mine:loss").to("cpu"), make_loss("mine:loss")
    for size in (1, 7, 512, 100_000):
        x, y = torch.linspace(-3, 3, size), (torch.arange(size) % 7 == 0).float()
        loss.ask(x, y)
        assert torch.equal(loss.gradient(), here.gradient(x, y))


def test_its_runs_are_those_of_the_same_loss_of_this_package(folder: Path) -> None:
    (folder / "mine.py").write_text(LOSS)
    prior = replace(run_of("mine:loss"), arm=Arm("mine:loss", init="prior", source=source_hash("mine:loss")))
    mine, bce = (result.outcome for result in run_stack((prior, replace(prior, arm=Arm("bce", init="prior")))))
    assert mine.test_average_precision == pytest.approx(bce.test_average_precision, abs=2e-3)
    assert mine.scores.raw.log_loss == pytest.approx(bce.scores.raw.log_loss, rel=1e-3)
    assert mine.scores.recovered.log_loss is None
    assert custom_constant("mine:loss", COUNTS) == own_constant("mine:loss", COUNTS)


def test_a_change_under_way_is_refused(folder: Path) -> None:
    (folder / "mine.py").write_text(LOSS)
    arm = run_of("mine:loss").arm
    run_loss(arm, [COUNTS])
    (folder / "mine.py").write_text(LOSS + "\n")
    anew()
    with pytest.raises(InputError, match="source of the loss mine:loss has changed since the sweep began"):
        run_loss(arm, [COUNTS])


# ---- losses that end, or do not


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def loss(x, y): assert len(y) == 64, len(y); return bce(x, y)", "failed: AssertionError: 24"),
        ("def loss(x, y): raise GeneratorExit", "failed: GeneratorExit"),
        ("import os\ndef loss(x, y): os._exit(0)", "ended its process, with code 0"),
        ("import os\nos._exit(3)", "ended its process, with code 3"),
        ("import os\ndef loss(x, y): os.closerange(3, 99); return bce(x, y)", "ended its process, with code"),
        ("import os\ndef loss(x, y): os.kill(os.getpid(), 9)", "SIGKILL ended its process"),
        ("import os\ndef loss(x, y): os.kill(os.getppid(), 9); os.abort()", "SIGKILL ended its process"),
        ("import ctypes\ndef loss(x, y): ctypes.string_at(0)", "SIGSEGV ended its process"),
    ],
)
def test_whatever_ends_is_told_in_one_line(folder: Path, text: str, says: str) -> None:
    (folder / "mine.py").write_text(GOOD + text)
    with pytest.raises(InputError, match=f"the loss mine:loss.*{says}") as caught:
        run_stack((run_of("mine:loss"),))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, MemoryError) == ("SIG" in says)  # which a worker's death is, and is tried again


@pytest.mark.parametrize("text", ["while True: pass", "def loss(x, y):\n    while True: pass"])
def test_a_loss_that_never_answers_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    monkeypatch.setattr(logging.getLogger("focalbench"), "propagate", True)
    monkeypatch.setattr(processes, "PATIENCE", 2)
    monkeypatch.setattr(processes, "WORD", 1)
    (folder / "mine.py").write_text(GOOD + text)
    with pytest.raises(InputError, match=r"the loss mine:loss has given no answer for .* minutes; does it end"):
        make_custom("mine:loss")
    assert "the loss mine:loss has given no answer for 1 seconds: waiting" in caplog.text


def test_nobody_is_left_behind(folder: Path) -> None:
    (folder / "mine.py").write_text(f"{LOSS}import os\nopen('pid', 'w').write(str(os.getpid()))")
    loss = make_custom("mine:loss").to("cpu")
    group = int((folder / "pid").read_text())  # of the module's process and those of its runs
    os.killpg(group, 0)
    forget_processes()
    end = time.monotonic() + 5
    while time.monotonic() < end and subprocess.run(["pgrep", "-r", "R,S,T", "-g", str(group)]).returncode == 0:
        time.sleep(0.05)
    assert subprocess.run(["pgrep", "-r", "R,S,T", "-g", str(group)]).returncode
    loss.ask(torch.zeros(2), torch.ones(2))
    with pytest.raises(InputError, match="ended its process"):
        loss.gradient()


# ---- what is loaded


WAYS = {
    "import_module": "importlib.import_module('other').scale",
    "at a call": "0\ndef loss(x, y): return bce(x, y) * importlib.import_module('other').scale",
    "by its place": "load('other.py').scale",
    "run": "runpy.run_path('other.py')['scale']",
    "text": "eval(compile(open('other.py').read().split('= ')[1], 'other.py', 'eval'))",
}
LOADS = """
import importlib, importlib.util, runpy
def load(file):
    spec = importlib.util.spec_from_file_location("anything", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
def loss(x, y): return scale * bce(x, y)
scale = """


@pytest.mark.parametrize("way", WAYS)
def test_whatever_is_loaded_is_part_of_the_identity(folder: Path, way: str) -> None:
    (folder / "mine.py").write_text(GOOD + LOADS + WAYS[way])
    (folder / "other.py").write_text("scale = 2")
    before = source_hash("mine:loss")
    anew()
    assert source_hash("mine:loss") == before
    (folder / "other.py").write_text("scale = 3")
    anew()
    assert source_hash("mine:loss") != before


def test_what_is_loaded_too_late_to_be_known_is_refused(folder: Path) -> None:
    (folder / "other.py").write_text("scale = 2")
    late = "def loss(x, y):\n    if len(y) == 24: importlib.import_module('other')\n    return bce(x, y)"
    (folder / "mine.py").write_text(f"import importlib\n{GOOD}{late}")
    with pytest.raises(InputError, match="loads other only while it trains; import it where the module begins"):
        run_stack((run_of("mine:loss"),))


def install(folder: Path, name: str, version: str, text: str) -> None:
    """A distribution as pip leaves it."""
    place = folder / "site-packages"
    (place / f"{name}-1.dist-info").mkdir(parents=True, exist_ok=True)
    described = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    (place / f"{name}-1.dist-info" / "METADATA").write_text(described)
    (place / f"{name}-1.dist-info" / "top_level.txt").write_text(name)
    (place / f"{name}.py").write_text(text)


def test_installed_ones_count_by_version_where_your_own_code_loads_them(folder: Path) -> None:
    sys.path.append(str(folder / "site-packages"))
    (folder / "mine.py").write_text(LOSS + "import importlib\nimportlib.import_module('wanted')")

    def found(wanted: str, needed: str, text: str = "import needed") -> str:
        install(folder, "wanted", wanted, text)
        install(folder, "needed", needed, "")
        anew()
        return source_hash("mine:loss")

    before = found("1", "1")
    assert found("1", "2") == before  # what others need is theirs
    assert found("1", "1", "import needed # changed") == before
    assert found("2", "1") != before


def test_ordinary_imports_make_the_hash_that_they_always_made(folder: Path) -> None:
    (folder / "other.py").write_text("import json, numpy")
    (folder / "mine.py").write_text(LOSS + "import other, decimal, torch, pandas")
    found = source_hash("mine:loss")
    make_loss("mine:loss")
    assert found == module_hash("mine")
