"""Only what a manifest of ours names is replaced or removed, and a sweep killed at any moment knows what is its own."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from focalbench.cli.job import Job, run_job, sweep_study
from focalbench.cli.messages import listen
from focalbench.errors import InputError
from focalbench.execution.pools import Backend
from focalbench.plan.experiment import MANIFEST, Experiment
from focalbench.report.figures import draw_results
from focalbench.report.folder import PICTURES, WRITTEN, write_manifest
from focalbench.report.formulas import FILES
from focalbench.report.owned import claim, finish_more, owned, working_in, write_texts
from focalbench.runs.arm import Arm
from tests.support.attempts import Files, attempt, contents, lay, typed

SMALL = Experiment(
    datasets=("gaussians",),
    positive_rates=(0.02,),
    rows=1500,
    arms=(Arm("bce"), Arm("focal", gamma=2.0)),
    lrs=(0.01,),
    seeds=1,
    epochs=1,
    hidden=(4,),
    references=False,
)
SWEEP = (
    "sweep --dataset gaussians --pos-rate 0.02 --rows 1500 --epochs 1 --seeds 1 --hidden 4 --loss bce --no-references"
)
EXPERIMENT = """
datasets = ["gaussians"]
positive_rates = [0.02]
rows = 1500
seeds = 1
epochs = 1
hidden = [4]
lrs = [0.01]
references = false
arms = [{ loss = "bce" }, { loss = "focal", gamma = 2.0 }]
"""
MINE = b"mine"


def sweep(folder: Path, store: Path | None = None, seeds: int = 1) -> None:
    listen("error")
    job = Job(folder, store, Backend(), as_json=False)
    run_job(sweep_study(lambda: replace(SMALL, seeds=seeds), job), job)


def write(folder: Path, *names: str) -> None:
    write_texts(folder, dict.fromkeys(names, "ours"))
    finish_more(folder, names)


# ---- names


def test_only_what_the_manifest_names_is_replaced(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    (tmp_path / "b.md").write_bytes(MINE)
    write(tmp_path, "a.md")
    with pytest.raises(InputError, match=r"holds a b.md that is not this tool's; choose another `out` folder"):
        write(tmp_path, "a.md", "b.md")
    assert (tmp_path / "b.md").read_bytes() == MINE


@pytest.mark.parametrize("kind", ["folder", "link", "dangling link"])
def test_what_is_no_file_is_not_ours_either(tmp_path: Path, kind: str) -> None:
    (tmp_path / "mine").write_bytes(MINE)
    place = tmp_path / "o" / "a.md"
    place.parent.mkdir()
    place.mkdir() if kind == "folder" else place.symlink_to("../mine" if kind == "link" else "../gone")
    with pytest.raises(InputError, match=r"holds a a\.md"):
        write(tmp_path / "o", "a.md")
    assert (tmp_path / "mine").read_bytes() == MINE


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"name": "a web application"}',
        '{"format": 1, "files": {"a.md": ""}}',
        '{"format": 2, "tool": "focalbench", "files": {"a.md": ""}}',
        '{"format": 1, "tool": "focalbench", "files": {"a.md": ""}, "unfinished": {"mark": "*", "files": []}}',
        '{"format": 1, "tool": "focalbench", "files": {"a.md": ""}, "unfinished": {"mark": "", "files": [[]]}}',
    ],
)
def test_a_manifest_that_is_not_ours_names_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(InputError, match=r"holds a manifest.json that is not this tool's"):
        write(tmp_path, "a.md")
    assert (tmp_path / MANIFEST).read_text() == content


def test_what_was_begun_is_known_until_it_is_finished(tmp_path: Path) -> None:
    mark = claim(tmp_path, ["a", "b", "c"])
    assert owned(tmp_path) == {"a", "b", "c"}
    assert claim(tmp_path, ["a"]) == mark
    write(tmp_path, "a")
    assert owned(tmp_path) == {"a"}  # of the others there is nothing
    write_texts(tmp_path, {"b": "ours"})
    write(tmp_path, "c")
    assert owned(tmp_path) == {"a", "b", "c"}
    finish_more(tmp_path, ["b"])
    assert "unfinished" not in json.loads((tmp_path / MANIFEST).read_text())


def test_a_finished_file_that_somebody_changed_is_not_vouched_for(tmp_path: Path) -> None:
    write(tmp_path, "a")
    named = json.loads((tmp_path / MANIFEST).read_text())["files"]["a"]
    (tmp_path / "a").write_bytes(MINE)
    write(tmp_path, "b")
    assert json.loads((tmp_path / MANIFEST).read_text())["files"]["a"] == named


# ---- sweeps, plots and the bench

NAMES = [name for name in WRITTEN if name != MANIFEST]
FOREIGN: dict[str, tuple[str, Files]] = {
    "an empty store": (SWEEP + " --out o", {"o/runs.sqlite": b"", "o/table.md": MINE}),
    "an empty store alone": (SWEEP + " --out o", {"o/runs.sqlite": b""}),
    "a link for a store": (SWEEP + " --out o", {"o/runs.sqlite": Path("../gone")}),
    "a log without its store": (SWEEP + " --out o", {"o/runs.sqlite-journal": MINE}),
    "a log without its store elsewhere": (SWEEP + " --out o --store s.db", {"s.db-wal": MINE}),
    **{f"{name}, the store elsewhere": (SWEEP + " --out o --store s.db", {f"o/{name}": MINE}) for name in NAMES},
    "runs.csv that begins as ours": (SWEEP + " --out o", {"o/runs.csv": b"run_id,dataset,source\n1,2,3\n"}),
    "a picture": ("run e.toml --out o", {"o/figures/gamma_gaussians_0.02.png": MINE, "e.toml": EXPERIMENT.encode()}),
    "a folder for a table": (SWEEP + " --out o", {"o/table.csv/x": MINE}),
    **{f"{name} of the formulas": ("plot", {f"figures/{name}": MINE}) for name in FILES[::3]},
    "bench.md": ("bench --tiny --rounds 1 --part ranking --out o", {"o/bench.md": MINE}),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name == "bench.md" else []) for name in FOREIGN]
)
def test_files_of_others_are_refused_and_stay(name: str) -> None:
    command, files = FOREIGN[name]
    ended = attempt(command.split(), files)
    assert ended.code == 2, ended
    assert ended.after == ended.before
    assert ended.stderr.startswith("focalbench: ")
    assert len(ended.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("swept") / "o"
    sweep(folder)
    return folder


@pytest.fixture
def finished(swept: Path, tmp_path: Path) -> Path:
    """A finished folder o, to spoil."""
    return Path(shutil.copytree(swept, tmp_path / "here" / "o"))


@pytest.mark.parametrize(
    "arguments",
    ["plot o", *(pytest.param(f"plot o --out {out}", marks=pytest.mark.slow) for out in ("p", "o/figures"))],
)
def test_pictures_of_others_are_refused_and_those_of_ours_drawn_again(finished: Path, arguments: str) -> None:
    here = finished.parent
    figures = here / ("p" if arguments.endswith("p") else "o/figures")
    figures.mkdir()
    foreign = figures / "epochs_gaussians_0.02.svg"
    foreign.write_bytes(MINE)
    before = contents(here)
    assert typed(arguments.split(), here).code == 2
    assert contents(here) == before
    foreign.unlink()
    for _ in range(2):
        assert typed(arguments.split(), here).code == 0
    assert foreign.is_file()
    assert not list(here.rglob(".focalbench-*"))


def test_plots_enter_the_manifest_which_otherwise_stays_as_it_is(finished: Path) -> None:
    before = json.loads((finished / MANIFEST).read_text())
    assert typed(["plot", "o"], finished.parent).code == 0
    after = json.loads((finished / MANIFEST).read_text())
    drawn = {name for name in after["files"] if name.startswith("figures/")}
    assert drawn == {
        f"figures/{kind}_gaussians_0.02.{end}"
        for kind in PICTURES
        if kind not in ("classes", "heat_map")
        for end in ("png", "svg")
    }
    assert {name: after["files"][name] for name in after["files"].keys() - drawn} == before.pop("files")
    assert {name: after[name] for name in after if name != "files"} == before
    text = (finished / MANIFEST).read_bytes()
    assert typed(["plot", "o"], finished.parent).code == 0
    assert (finished / MANIFEST).read_bytes() == text


def test_a_committed_folder_is_ours_as_it_was_committed(tmp_path: Path) -> None:
    """Its manifest is older than this rule, and there is no store in it."""
    committed = Path(__file__).parents[2] / "results" / "labels"
    folder = Path(shutil.copytree(committed, tmp_path / "o"))
    before = contents(folder)
    assert owned(folder) >= {path.name for path in folder.iterdir()} - {MANIFEST, "figures"} | {"timings.csv"}
    with working_in(folder, NAMES):
        pass
    finish_more(folder, [])
    assert contents(folder) == before


def test_a_sweep_over_other_results_of_ours_goes_through(finished: Path) -> None:
    sweep(finished, seeds=2)
    sweep(finished, finished.parent / "elsewhere.sqlite")


# ---- notes beside ours


@pytest.mark.parametrize("kind", [MINE, Path("gone"), None])
def test_what_looks_like_ours_stays_and_harms_no_sweep(tmp_path: Path, kind: bytes | Path | None) -> None:
    notes = ".focalbench-notes.txt/x" if kind is None else ".focalbench-notes.txt"
    files: Files = {notes: kind or MINE, "figures/.focalbench-1-gamma.png": MINE}
    lay(files, tmp_path)
    sweep(tmp_path)
    found = contents(tmp_path)
    assert {name: found[name] for name in files} == files


# ---- killed at any moment

EVENTS = ("open", "os.rename", "os.remove", "sqlite3.connect")  # after which a process may be dead


def die_at(number: int, folder: Path, work: Callable[[], None]) -> bool:
    """Do it in a process that is dead as soon as it touches a folder for the nth time; whether it died."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    count = 0

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal count
        if event in EVENTS and str(arguments[0]).startswith(str(folder)):
            count += 1
            if count == number:
                os._exit(9)

    sys.addaudithook(watch)
    try:
        work()
        os._exit(0)
    finally:
        os._exit(1)


@pytest.mark.parametrize("step", [13, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("before", ["nothing", "another table"])
def test_a_sweep_killed_at_any_moment_goes_on_in_its_folder(
    swept: Path, tmp_path: Path, before: str, step: int, record_property: Callable[[str, object], None]
) -> None:
    """Its first one, or one over another table with pictures; the files of others in it stay."""
    mine: Files = {"notes.md": MINE, ".focalbench-notes": MINE, "figures/mine.png": MINE}
    other, store = tmp_path / "other", tmp_path / "runs.sqlite"
    sweep(other, store, seeds=2)
    draw_results(other)
    shutil.copy(swept / "runs.sqlite", store)
    died = 0
    for moment in range(1, 200, step):
        folder = tmp_path / f"o{moment}"
        if before == "another table":
            shutil.copytree(other, folder)
        lay(mine, folder)
        killed = die_at(moment, folder, lambda folder=folder: sweep(folder, store))  # type: ignore[misc]
        sweep(folder, store)
        for name in (*NAMES, MANIFEST):
            if name != "timings.csv":
                assert _content(folder / name) == _content(swept / name), (moment, name)
        left = {os.path.relpath(path, folder) for path in folder.rglob("*")} - {*NAMES, MANIFEST, "figures", *mine}
        assert len(left) <= (moment < 10)  # of a manifest that never came to name its mark
        died += killed
        if not killed:
            break
    assert died > 1
    record_property("sweeps dead at a chosen moment, gone on with", died)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def test_the_store_of_a_sweep_that_died_while_it_was_made_is_known(tmp_path: Path) -> None:
    """An empty file, and SQLite's journal beside it: ours, since the manifest says so."""
    claim(tmp_path, ["runs.sqlite", "runs.sqlite-journal"])
    (tmp_path / "runs.sqlite").touch()
    sweep(tmp_path)
    assert (tmp_path / "table.csv").is_file()


def test_write_manifest_is_the_same_whenever_it_is_written(finished: Path) -> None:
    """So no mark is left in it."""
    before = json.loads((finished / MANIFEST).read_text())
    made_with = [json.dumps(versions, sort_keys=True) for versions in before["versions"]]
    write_manifest(finished, SMALL, made_with, None)
    assert json.loads((finished / MANIFEST).read_text()) == before
