"""Full disks, power failures, damaged and foreign stores: nothing that was safe is lost, and no number is made up."""

import os
import random
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from focalbench.errors import StoreError
from focalbench.execution.store import Store
from focalbench.runs.arm import Arm
from focalbench.runs.result import Curves, Result
from focalbench.runs.run import Recipe, Run, Training
from tests.support.attempts import typed
from tests.support.harness import Ended, files, run
from tests.support.runs import outcome_with

pytestmark = pytest.mark.processes

Record = Callable[[str, object], None]
SWEEP = (
    "sweep --dataset gaussians --pos-rate 0.02 --rows 1500 --epochs 2 --hidden 8 --lr 0.01 --seeds 4 --no-references "
    "--loss focal --gamma 2 --init own --device cpu --workers 1"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("disks")
    assert typed(f"{SWEEP} --out whole".split(), folder).code == 0
    return folder


# ---- full disks


def check_refusal(finished: Ended) -> None:
    """A disk is the machine's fault, or that of a folder which was never writable: one sentence either way."""
    assert finished.code in (0, 2, 3), finished
    if finished.code:
        (line,) = [line for line in finished.err.splitlines() if line.startswith("focalbench: ")]
        assert "--out" in line or "--store" in line


def fill(whole: Path, limits: list[int], record: Record) -> None:
    """Let every file end at so many bytes, then lift the limit and go on."""
    stopped = 0
    for i, limit in enumerate(limits):
        finished = run(f"{SWEEP} --out limit{i}", whole, limit)
        check_refusal(finished)
        stopped += finished.code != 0
        assert typed(f"{SWEEP} --out limit{i}".split(), whole).code == 0
        assert files(whole / f"limit{i}") == files(whole / "whole")
        assert not list((whole / f"limit{i}").glob(".*"))
    assert stopped > 0
    record("files that could not grow, survived", stopped)


def test_a_full_disk_is_a_sentence_and_the_same_command_goes_on(whole: Path, record_property: Record) -> None:
    sizes = sorted(path.stat().st_size for path in (whole / "whole").iterdir() if path.is_file())
    fill(whole, [0, sizes[2] + 1, 3 * sizes[-1] // 4], record_property)


@pytest.mark.slow
def test_many_full_disks(whole: Path, record_property: Record) -> None:
    rng, most = random.Random(6), max(path.stat().st_size for path in (whole / "whole").iterdir() if path.is_file())
    fill(whole, [rng.randrange(most) for _ in range(30)], record_property)


@contextmanager
def small_disk(place: Path, kilobytes: int) -> Iterator[Path]:
    """A file system of that size. Skips where this process may not make one."""
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(place)], check=False)
    if made.returncode:
        pytest.skip("no right to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.slow
def test_a_disk_that_is_really_full(whole: Path, record_property: Record) -> None:
    if os.geteuid():
        pytest.skip("no right to mount a file system")
    stopped = 0
    for i, kilobytes in enumerate(range(8, 360, 12)):
        with small_disk(whole / f"disk{i}", kilobytes) as disk:
            finished = run(f"{SWEEP} --out {disk}/o", whole)
            check_refusal(finished)
            stopped += finished.code != 0
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
            assert typed(f"{SWEEP} --out {disk}/o".split(), whole).code == 0
            assert files(disk / "o") == files(whole / "whole")
    assert stopped > 5
    record_property("full file systems survived", stopped)


# ---- power failures

ALL = [Run(Recipe("mixture", 900, 0.02), Training(), Arm("focal", gamma=float(i)), 0.01, 0) for i in range(60)]


def result_of(run: Run) -> Result:
    outcome = outcome_with(test_average_precision=run.arm.gamma / 100)
    return Result(run.run_id, outcome, Curves(validation=(0.5,) * 40), 1.0)


def add(store: Store, runs: list[Run]) -> None:
    store.add(runs, [result_of(run) for run in runs], "{}")


def pictures(folder: Path, commits: int) -> Iterator[tuple[int, dict[str, bytes]]]:
    """The bytes of a store's files after each commit of three runs, the number of runs with it; none closed."""
    with Store(folder / "runs.sqlite", lambda _: True) as store:
        for i in range(commits):
            add(store, ALL[3 * i : 3 * i + 3])
            yield 3 * i + 3, {path.name: path.read_bytes() for path in folder.iterdir()}


def restore(folder: Path, content: dict[str, bytes]) -> Path:
    for path in folder.iterdir():
        path.unlink()
    for name, data in content.items():
        if not name.endswith("-shm"):  # memory, which a power failure empties
            (folder / name).write_bytes(data)
    return folder / "runs.sqlite"


def torn(before: dict[str, bytes], after: dict[str, bytes], rng: random.Random) -> dict[str, bytes]:
    """What a power failure between two commits may leave: of the log's new bytes some, in any state; all old ones."""
    old, new = before["runs.sqlite-wal"], after["runs.sqlite-wal"]
    if not new.startswith(old):  # the log began anew, which flushes the file first
        return after
    tail = bytearray(new[len(old) : rng.randrange(len(old), len(new) + 1)])
    for i in rng.sample(range(len(tail)), k=min(len(tail), rng.choice([0, 0, 1, 50]))):
        tail[i] = rng.randrange(256)
    return after | {"runs.sqlite-wal": old + bytes(tail)}


@pytest.mark.parametrize("tries", [60, pytest.param(1500, marks=pytest.mark.slow)])
def test_a_power_failure_takes_nothing_that_was_committed(tmp_path: Path, tries: int, record_property: Record) -> None:
    (tmp_path / "live").mkdir()
    (tmp_path / "found").mkdir()
    seen = list(pictures(tmp_path / "live", 20))
    rng = random.Random(7)
    for _ in range(tries):
        i = rng.randrange(len(seen) - 1)
        (committed, before), (_, after) = seen[i], seen[i + 1]
        with Store(restore(tmp_path / "found", torn(before, after, rng))) as store:
            found = store.done(ALL)
            assert found >= {run.run_id for run in ALL[:committed]}
            assert len(found) in (committed, committed + 3)  # the stack of that moment is there whole, or not
            assert list(store.results(ALL[:committed])) == [result_of(run) for run in ALL[:committed]]
            add(store, ALL)
            assert len(store.done(ALL)) == len(ALL)
    record_property("power failures survived", tries)


def test_a_half_written_checkpoint_is_made_good_from_the_log(tmp_path: Path, record_property: Record) -> None:
    """Pages reach the file in any order while the log still holds them all."""
    (tmp_path / "live").mkdir()
    (tmp_path / "found").mkdir()
    *_, (committed, before) = pictures(tmp_path / "live", 20)
    after = (tmp_path / "live" / "runs.sqlite").read_bytes()  # closing wrote the log into it
    size, rng = 4096, random.Random(8)
    for _ in range(40):
        pages = [bytearray(after[i : i + size]) for i in range(0, len(after), size)]
        for i in rng.sample(range(len(pages)), k=len(pages) // 2):
            pages[i] = bytearray(before["runs.sqlite"][i * size : (i + 1) * size].ljust(size, b"\0"))
        pages[0] = bytearray(rng.choice([after, before["runs.sqlite"]])[:size])
        with Store(restore(tmp_path / "found", before | {"runs.sqlite": b"".join(pages)})) as store:
            assert store.done(ALL) == {run.run_id for run in ALL[:committed]}
    record_property("half-written checkpoints made good", 40)


# ---- damage


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A store's file as it may come back: cut, with bytes or a page changed, longer, or another file altogether."""
    changed = bytearray(content)
    kind = rng.randrange(6)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1:
        for _ in range(rng.choice([1, 10, 1000])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    elif kind == 2:
        place = 4096 * rng.randrange(len(changed) // 4096)
        changed[place : place + 4096] = bytes(4096)
    elif kind == 3:
        changed[rng.randrange(100)] ^= 1 << rng.randrange(8)  # the header
    elif kind == 4:
        first, second = (4096 * rng.randrange(len(changed) // 4096) for _ in range(2))
        changed[first : first + 4096], changed[second : second + 4096] = (
            changed[second : second + 4096],
            changed[first : first + 4096],
        )
    else:
        return rng.randbytes(rng.randrange(8192))
    return bytes(changed)


@pytest.mark.parametrize("tries", [300, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_damaged_store_is_refused_untouched_or_gives_the_numbers_it_was_given(
    tmp_path: Path, tries: int, record_property: Record
) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        add(store, ALL)
    content, rng, refused = (tmp_path / "runs.sqlite").read_bytes(), random.Random(9), 0
    path = tmp_path / "damaged.sqlite"
    for _ in range(tries):
        bad = damaged(content, rng)
        path.write_bytes(bad)
        try:
            with Store(path) as store:
                done = store.done(ALL)
                assert all(store.result(run.run_id) == result_of(run) for run in ALL if run.run_id in done)
        except StoreError:
            refused += 1
            assert path.read_bytes() == bad
        for rest in tmp_path.glob("damaged.sqlite-*"):
            rest.unlink()
    assert refused > tries // 2
    record_property("damaged stores tried", tries)
    record_property("damaged stores refused", refused)


def test_the_command_line_says_which_file_is_damaged_and_leaves_it(whole: Path) -> None:
    (whole / "bad").mkdir()
    content = (whole / "whole" / "runs.sqlite").read_bytes()
    (whole / "bad" / "runs.sqlite").write_bytes(content[: len(content) // 2])
    before = {path.name: path.read_bytes() for path in (whole / "bad").iterdir()}
    finished = typed(f"{SWEEP} --out bad".split(), whole)
    assert finished.code == 2
    assert finished.stderr.startswith("focalbench: bad/runs.sqlite cannot be used as a store of runs (")
    assert {path.name: path.read_bytes() for path in (whole / "bad").iterdir()} == before


def test_a_hand_edited_number_is_damage(whole: Path) -> None:
    (whole / "edited").mkdir()
    path = whole / "edited" / "runs.sqlite"
    path.write_bytes((whole / "whole" / "runs.sqlite").read_bytes())
    with sqlite3.connect(path) as database:
        database.execute("UPDATE runs SET result = replace(result, '0.', '0.9')")
    database.close()
    finished = typed(f"{SWEEP} --out edited".split(), whole)
    assert finished.code == 2
    assert "is damaged at the run" in finished.stderr
