"""Your own loss as module:NAME: every kind of NAME, what is refused, its hash and its constant, in this process."""

import sys
from collections.abc import Iterator
from importlib import invalidate_caches
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from focalbench.errors import InputError
from focalbench.runs.arm import Arm
from focalbench.training.arm_loss import start_bias
from focalbench.training.own.loss import make_loss, own_constant
from focalbench.training.own.named import Own, found_in
from focalbench.training.own.source import module_hash
from focalbench.training.rivals import ClassCounts

MINE = """
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

class Mean(torch.nn.Module):
    def forward(self, logits, targets):
        return bce(logits, targets)

class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
    def forward(self, logits, targets):
        self.calls += 1
        return self.calls * bce(logits, targets)

class Plain:
    def __call__(self, logits, targets):
        return bce(logits, targets)

class Columns(torch.nn.Module):
    def forward(self, logits, targets):
        assert logits.ndim == 2 and targets.ndim == 1, "wants (N, 1)"
        return bce(logits[:, 0], targets)

class Learning(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
    def forward(self, logits, targets):
        return self.scale * bce(logits, targets)

mean, counting, columns, number = Mean(), Counting(), Columns(), 3
def each(logits, targets): return bce(logits, targets, reduction="none")
def each_column(logits, targets): return each(logits, targets)[:, None]
def build(weight=1.0): return Mean()
def with_more(logits, targets, weight=1.0): return weight * bce(logits, targets)
def positives_only(logits, targets): return bce(logits, targets) if targets.any() else torch.tensor(0.0)
def pairs(logits, targets):
    lead = logits[targets > 0][:, None] - logits[targets == 0]
    return torch.nn.functional.softplus(-lead).sum() / max(lead.numel(), 1)

def needs_positives(logits, targets): return logits[targets > 0][0]
def no_tensor(logits, targets): return 3.0
def two_numbers(logits, targets): return logits[:2]
def constant(logits, targets): return torch.tensor(1.0)
def flat(logits, targets): return (0 * logits).sum()
def not_a_number(logits, targets): return (logits / 0).sum()
class Stateful(Plain):
    def __init__(self): self.calls = 0
    def __call__(self, logits, targets):
        self.calls += 1
        return self.calls * bce(logits, targets)
stateful = Stateful()
def shared(): return stateful
def in_place(logits, targets): targets.mul_(2).sub_(1); return torch.relu(1 - targets * logits).mean()
def defaults(logits=None, targets=None): return bce(logits, targets)
def make(alpha=0.5, gamma=0.0): return Mean()
def anything(*arguments): return bce(*arguments)
def noisy(logits, targets): return bce(logits + torch.randn_like(logits), targets)
def per_positive(logits, targets): return bce(logits, targets, reduction="sum") / targets.sum()
def whole(logits, targets): return (logits > targets).sum()
def leaves(logits, targets): raise SystemExit(0)
def stops(logits, targets): raise GeneratorExit
def pressed(logits, targets): raise KeyboardInterrupt
class Speechless(Exception):
    def __str__(self): raise ValueError
def speechless(logits, targets): raise Speechless
def overwritten(logits, targets): e = logits.exp(); loss = (e * targets).sum() - e.sum(); e.zero_(); return loss
def dice(x, y): p = torch.sigmoid(x); return 1 - (2 * (p * y).sum() + 1) / (p.sum() + y.sum() + 1)
def naive(x, y): p = torch.sigmoid(x); return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()
def broken(logits, targets): raise ValueError("no\\nsuch thing")
def cannot_be_built(): raise OSError("no weights")
def hinge(logits, targets): return torch.relu(1 - (2 * targets - 1) * logits).mean()
"""
COUNTS = ClassCounts(30, 970)
OWN = ("mine", "other", "other.losses", "a", "a.helper", "b", "b.helper", "fast")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mine.py").write_text(MINE)
    yield tmp_path
    for name in OWN:
        sys.modules.pop(name, None)


GOOD = ("Mean", "Plain", "Columns", "mean", "columns", "each", "each_column", "build", "with_more")
FLEXIBLE = ("defaults", "make", "anything")


@pytest.mark.parametrize("name", [*GOOD, *FLEXIBLE])
def test_every_kind_of_name_is_called_as_it_should_be(name: str) -> None:
    x, y = torch.linspace(-3, 3, 40), (torch.arange(40) % 7 == 0).float()
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(binary_cross_entropy_with_logits(leaf, y), leaf)
    torch.testing.assert_close(make_loss(f"mine:{name}").gradient(x, y), expected)


def test_a_loss_of_torch_itself_will_do() -> None:
    x, y = torch.linspace(-3, 3, 40), (torch.arange(40) % 7 == 0).float()
    found = make_loss("torch.nn.functional:binary_cross_entropy_with_logits")
    assert torch.equal(found.gradient(x, y), make_loss("torch.nn:BCEWithLogitsLoss").gradient(x, y))


def test_a_batch_that_has_no_gradient_moves_nothing() -> None:
    loss = make_loss("mine:positives_only")
    assert torch.equal(loss.gradient(torch.ones(4), torch.zeros(4)), torch.zeros(4))


@pytest.mark.parametrize("name", ["Counting", "counting", "Stateful", "stateful", "shared"])
def test_every_run_has_its_own_state_untouched_by_the_tries(name: str) -> None:
    x, y = torch.zeros(4), torch.tensor([1.0, 0, 0, 0])
    for _ in range(2):
        loss = make_loss(f"mine:{name}")
        assert loss(x, y) == pytest.approx(0.6931, abs=1e-3)
        assert loss(x, y) == pytest.approx(2 * 0.6931, abs=1e-3)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("nowhere:Loss", "cannot import nowhere .*ModuleNotFoundError.* start in its folder or install it"),
        ("mine:Missing", "mine holds no 'Missing'"),
        ("mine:", "mine holds no ''"),
        (":Mean", "cannot import"),
        ("mine:number", "is no loss: int cannot be called"),
        ("mine:needs_positives", "failed: IndexError"),
        ("mine:no_tensor", "must return one number, or one for each sample; it returned float"),
        ("mine:two_numbers", r"it returned \(2,\)"),
        ("mine:whole", "it returned .* of torch.int64"),
        ("torch:eq", "it returned .* of torch.bool"),
        ("mine:noisy", "another gradient when asked again"),
        ("mine:per_positive", "on a batch without positives"),
        ("mine:leaves", "failed: SystemExit: 0"),
        ("mine:stops", "failed: GeneratorExit"),
        ("mine:pressed", "failed: KeyboardInterrupt"),
        ("mine:speechless", "failed: Speechless: it cannot say why"),
        ("mine:overwritten", "failed: RuntimeError"),
        ("mine:constant", "no finite gradient"),
        ("mine:flat", "no finite gradient"),
        ("mine:not_a_number", "no finite gradient"),
        ("mine:broken", "failed: ValueError: no such thing"),
        ("mine:cannot_be_built", "cannot be built: OSError: no weights"),
        ("mine:Learning", "parameters of its own"),
        ("math:exp", "failed: TypeError"),
    ],
)
def test_what_is_no_loss_is_refused_in_one_line(spec: str, says: str) -> None:
    with pytest.raises(InputError, match=f"the loss {spec}.*{says}") as error:
        make_loss(spec)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["import nowhere", "def broken(:", "raise SystemExit", "1 / 0", "raise GeneratorExit"])
def test_a_module_that_cannot_be_imported_is_told_in_one_line(folder: Path, text: str) -> None:
    (folder / "other.py").write_text(text)
    with pytest.raises(InputError, match="the loss other:Loss: cannot import other"):
        make_loss("other:Loss")


def source_hash(spec: str) -> str:
    """As in a process that starts now."""
    for name in OWN:
        sys.modules.pop(name, None)
    found_in(Own("loss", spec))
    return module_hash(spec.split(":")[0])


def test_the_hash_is_that_of_the_source() -> None:
    before = source_hash("mine:hinge")
    assert source_hash("mine:mean") == before
    Path("mine.py").write_text(MINE + "\n")
    assert source_hash("mine:hinge") != before
    with pytest.raises(InputError, match="math has no source"):
        source_hash("math:exp")


def test_a_hash_is_pinned() -> None:
    """A change here orphans every stored run of losses that import nothing unusual."""
    Path("other.py").write_text("from torch.nn.functional import binary_cross_entropy_with_logits as loss\n")
    assert source_hash("other:loss") == "5f06af0d99d5b2981e0b5ee49c0fae31f4014a7c1b8e6aba5d309dc6a2c970cf"


def test_a_package_is_hashed_whole(folder: Path) -> None:
    (folder / "other").mkdir()
    (folder / "other" / "__init__.py").write_text("")
    (folder / "other" / "losses.py").write_text(MINE)
    (folder / "other" / "helper.py").write_text("")
    before = source_hash("other.losses:mean")
    (folder / "other" / "helper.py").write_text("factor = 2")
    assert source_hash("other.losses:mean") != before
    (folder / "other" / "helper.py").write_text("")
    (folder / "other" / "__init__.py").write_text("factor = 2")  # the same bytes, elsewhere
    assert source_hash("other.losses:mean") != before


def test_what_a_file_imports_is_part_of_its_hash_installed_or_not(folder: Path) -> None:
    (folder / "other.py").write_text("import mine\nfrom hypothesis import given\nloss = mine.each")
    first = source_hash("other:loss")
    (folder / "mine.py").write_text(MINE + "\n")
    assert source_hash("other:loss") != first
    (folder / "mine.py").write_text(MINE)
    assert source_hash("other:loss") == first
    (folder / "other.py").write_text("import mine\nfrom hypothesis import given\nloss = mine.mean")
    assert source_hash("other:loss") != first
    assert source_hash("torch.nn:BCEWithLogitsLoss") == source_hash("torch:nn")  # an installed one is its version


def test_files_of_one_name_all_count(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name).mkdir()
        (folder / name / "helper.py").write_text("factor = 1")
    (folder / "other.py").write_text("import a.helper, b.helper\nfrom mine import each as loss")
    hashes = {source_hash("other:loss")}
    for name in ("a", "b"):
        (folder / name / "helper.py").write_text("factor = 2")
        hashes.add(source_hash("other:loss"))
    assert len(hashes) == 3


def test_code_that_was_built_counts_by_its_bytes(folder: Path) -> None:
    built = folder / f"fast{EXTENSION_SUFFIXES[0]}"
    (folder / "other.py").write_text(
        "try:\n    import fast\nexcept ImportError:\n    pass\nfrom mine import each as loss"
    )
    hashes = {source_hash("other:loss")}
    for content in (b"one", b"two"):
        built.write_bytes(content)
        invalidate_caches()
        hashes.add(source_hash("other:loss"))
    assert len(hashes) == 3


def test_it_starts_at_its_own_constant() -> None:
    def start(name: str) -> float:
        return own_constant(f"mine:{name}", COUNTS)

    assert start("Mean") == pytest.approx(start_bias(Arm("bce"), COUNTS), abs=5e-3)  # 32 of 1,067, not 30 of 1,000
    assert start("hinge") == pytest.approx(-1)
    assert start("pairs") == 0  # sees only order
    assert start("dice") == 0  # best at an end
    assert start("in_place") == pytest.approx(-1)
    assert start("naive") == pytest.approx(start("Mean"), abs=1e-3)  # NaN far from 0
