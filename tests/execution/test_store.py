import contextlib
import hashlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalbench.analysis.rows import ArmRow, Scope
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import Record, Value, flatten, read_rows
from focalbench.errors import MachineError, StoreError
from focalbench.execution.store import APPLICATION, FORMAT, Store, is_begun
from focalbench.runs.arm import Arm
from focalbench.runs.result import NO_CALIBRATION, ClassOutcome, Curves, Outcome, Result
from focalbench.runs.run import Recipe, Run, Training
from tests.support.attempts import typed
from tests.support.runs import outcome_with

RUNS = [Run(Recipe("mixture", 900, 0.02), Training(), Arm("focal", gamma=float(i)), 0.01, 0) for i in range(4)]


def result(run: Run, value: float = 0.5) -> Result:
    return Result(run.run_id, outcome_with(test_average_precision=value, k=7), Curves(validation=(0.1, None)), 2.5)


def results(runs: list[Run]) -> list[Result]:
    return [result(run) for run in runs]


def test_what_was_added_is_there_after_reopening(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.done(RUNS) == set()
        store.add(RUNS[:2], results(RUNS[:2]), "v1")
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.done(RUNS) == {run.run_id for run in RUNS[:2]}
        assert store.done(RUNS[1:]) == {RUNS[1].run_id}
        assert list(store.results(RUNS[1::-1])) == results(RUNS[1::-1])  # in the order asked for
        with pytest.raises(KeyError, match=RUNS[2].run_id):
            list(store.results(RUNS))


def is_measured(outcome: Outcome) -> bool:
    """Probabilities that were asked for have numbers: none at all is how a store keeps that nobody asked."""
    return NO_CALIBRATION not in (outcome.platt, outcome.isotonic)


@settings(max_examples=50)
@given(
    outcome=st.from_type(Outcome).filter(is_measured),
    curves=st.from_type(Curves),
    sums=st.lists(st.lists(st.floats(-1, 1), max_size=3), max_size=2),
)
def test_numbers_come_back_to_the_last_bit(outcome: Outcome, curves: Curves, sums: list[list[float]]) -> None:
    stored = Result(RUNS[0].run_id, outcome, curves, 1 / 3, tuple(map(tuple, sums)))
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "runs.sqlite") as store:
        store.add(RUNS[:1], [stored], "v1")
        (found,) = store.results(RUNS[:1])
    assert repr(found) == repr(stored)


def test_a_finished_run_stays_as_it_is(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        store.add(RUNS[:1], [result(RUNS[0], 0.5)], "v1")
        store.add(RUNS[:2], [result(RUNS[0], 0.9), result(RUNS[1], 0.9)], "v2")
        assert list(store.results(RUNS[:2])) == [result(RUNS[0], 0.5), result(RUNS[1], 0.9)]
        assert store.versions(RUNS) == {"v1", "v2"}
        assert store.versions(RUNS[1:]) == {"v2"}
        assert store.versions(RUNS[2:]) == set()


def test_a_stack_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        store.add(RUNS[:1], results(RUNS[:1]), "v1")
        store._db.execute(f"CREATE TRIGGER stop BEFORE INSERT ON runs WHEN NEW.run_id = '{RUNS[2].run_id}' "
                          "BEGIN SELECT RAISE(ABORT, 'the power fails here'); END")  # fmt: skip
        with pytest.raises(StoreError, match="the power fails here"):
            store.add(RUNS[1:], results(RUNS[1:]), "v1")
        assert store.done(RUNS) == {RUNS[0].run_id}
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.done(RUNS) == {RUNS[0].run_id}


def test_a_stack_and_its_results_must_be_of_one_length(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        with pytest.raises(ValueError, match="argument 2 is shorter"):
            store.add(RUNS, results(RUNS[:2]), "v1")
        assert store.done(RUNS) == set()


def test_two_stores_on_one_file_see_each_other(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as one, Store(tmp_path / "runs.sqlite") as two:
        one.add(RUNS[:1], results(RUNS[:1]), "v1")
        two.add(RUNS[:2], results(RUNS[:2]), "v1")
        assert one.done(RUNS) == two.done(RUNS) == {run.run_id for run in RUNS[:2]}


def made(folder: Path, statements: str) -> Path:
    connection = sqlite3.connect(folder / "runs.sqlite")
    connection.executescript(statements)
    connection.close()
    return folder / "runs.sqlite"


OURS = "CREATE TABLE runs (run_id TEXT PRIMARY KEY, identity TEXT, result TEXT, versions TEXT, sha256 TEXT);"
SIGNED = f"PRAGMA application_id = {APPLICATION};"


@pytest.mark.parametrize(
    "statements",
    [
        f"{OURS} {SIGNED} PRAGMA user_version = {FORMAT + 98};",
        f"{OURS} {SIGNED} PRAGMA user_version = 0;",
        f"{OURS} PRAGMA user_version = {FORMAT};",  # the version before had no signature
        f"{OURS} {SIGNED} CREATE TABLE more (x); PRAGMA user_version = {FORMAT};",
        f"CREATE TABLE notes (x); PRAGMA user_version = {FORMAT};",
        "CREATE TABLE notes (x); PRAGMA journal_mode = WAL;",
    ],
)
def test_another_versions_database_is_refused_and_untouched(tmp_path: Path, statements: str) -> None:
    path = made(tmp_path, statements)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="choose another file as the `store`"):
        Store(path)
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["runs.sqlite"]


# ---- what older versions wrote


def format_2(path: Path, runs: list[Run], values: Record | None = None) -> Path:
    """A store as the version before wrote it: no influences, user_version 2. values: of each run, if given."""
    connection = sqlite3.connect(path)
    connection.executescript(f"{OURS} {SIGNED} PRAGMA user_version = 2;")
    for run in runs:
        kept = result(run)
        numbers = flatten(kept.outcome) if values is None else values
        text = json.dumps([numbers, {"validation": kept.curves.validation}, kept.seconds])
        row = (run.run_id, run.identity, text, "v1")
        signed = hashlib.sha256(json.dumps(row).encode()).hexdigest()
        connection.execute("INSERT INTO runs VALUES (?, ?, ?, ?, ?)", (*row, signed))
    connection.commit()
    connection.close()
    return path


def version_of(path: Path) -> int:
    """What a file says of its format: SQLite's header at 60."""
    connection = sqlite3.connect(path)
    ((version,),) = connection.execute("PRAGMA user_version")
    connection.close()
    return int(version)


def test_a_store_of_the_version_before_is_read_and_stays_one_until_something_is_added(tmp_path: Path) -> None:
    path = format_2(tmp_path / "runs.sqlite", RUNS[:2])
    with Store(path) as store:
        assert store.done(RUNS) == {run.run_id for run in RUNS[:2]}
        assert list(store.results(RUNS[:2])) == results(RUNS[:2])
        assert [each.influences for each in store.results(RUNS[:2])] == [(), ()]
    assert version_of(path) == 2
    new = replace(result(RUNS[2]), influences=((0.5, -0.25), (0.0, 1e-5)))
    with Store(path) as store:
        store.add(RUNS[2:3], [new], "v2")
    assert version_of(path) == FORMAT == 3
    with Store(path) as store:
        assert list(store.results(RUNS[:3])) == [*results(RUNS[:2]), new]
        assert store.versions(RUNS) == {"v1", "v2"}


def test_a_failed_addition_leaves_the_format_as_it_was(tmp_path: Path) -> None:
    path = format_2(tmp_path / "runs.sqlite", RUNS[:1])
    with Store(path) as store:
        store._db.execute("CREATE TRIGGER stop BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'the power fails'); END")
        with pytest.raises(StoreError, match="the power fails"):
            store.add(RUNS[1:], results(RUNS[1:]), "v1")
    assert version_of(path) == 2


def test_what_has_no_influences_is_stored_as_the_version_before_did(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        store.add(RUNS[:1], results(RUNS[:1]), "v1")
        new = store._db.execute("SELECT * FROM runs").fetchall()
    with Store(format_2(tmp_path / "old.sqlite", RUNS[:1])) as store:
        assert store._db.execute("SELECT * FROM runs").fetchall() == new


def test_what_was_stored_under_an_old_name_is_read_under_that_of_now(tmp_path: Path) -> None:
    values = flatten(outcome_with(k=7))
    values = {name: value for name, value in values.items() if name != "r_precision"} | {"precision_at_k": 0.25}
    with Store(format_2(tmp_path / "runs.sqlite", RUNS[:1], values)) as store:
        assert store.result(RUNS[0].run_id).outcome == outcome_with(r_precision=0.25, k=7)


CLASSES = tuple(ClassOutcome(name, 30, 10, 10, None, None, 0.5) for name in "ab")


@pytest.mark.parametrize(
    "outcome",
    [
        outcome_with(),  # no "k", no "classes", no "recovered_ece"
        outcome_with(k=7, recovered_ece=0.25, epoch=None, split="folds", bayes_average_precision=None),
        replace(outcome_with(test_average_precision_half=0.5), classes=CLASSES),
    ],
)
def test_what_older_versions_left_out_is_none(tmp_path: Path, outcome: Outcome) -> None:
    values = {name: value for name, value in flatten(outcome).items() if value is not None}
    assert len(values) < len(flatten(outcome))
    with Store(format_2(tmp_path / "runs.sqlite", RUNS[:1], values)) as store:
        found = store.result(RUNS[0].run_id)
    assert found == replace(result(RUNS[0]), outcome=outcome, lacks=("mcc_at_prevalence", "hardest_negatives_share"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("train_rows", value) for value in ("1000", 1000.5, None, True)),
        *(("test_average_precision", value) for value in ("0.5", None)),
        *(("roc_auc", "a\nb"), ("status", "fine"), ("split", "folded"), ("classes", "[1]"), ("data_sha256", 7)),
    ],
)
def test_a_stored_number_of_another_kind_is_one_sentence(tmp_path: Path, name: str, value: Value) -> None:
    path = format_2(tmp_path / "runs.sqlite", RUNS[:1], flatten(outcome_with()) | {name: value})
    says = rf"cannot be read at the run {RUNS[0].run_id} \(.* is no {name} of this version\); choose another file"
    with Store(path) as store, pytest.raises(StoreError, match=says) as told:
        store.result(RUNS[0].run_id)
    assert "\n" not in str(told.value)


def older(path: Path) -> None:
    """Make a store of this version one of the version before: the same runs without their influences."""
    connection = sqlite3.connect(path)
    for run_id, identity, text, versions, _ in connection.execute("SELECT * FROM runs").fetchall():
        row = (run_id, identity, json.dumps(json.loads(text)[:3]), versions)
        signed = hashlib.sha256(json.dumps(row).encode()).hexdigest()
        connection.execute("UPDATE runs SET result = ?, sha256 = ? WHERE run_id = ?", (row[2], signed, run_id))
    connection.execute("PRAGMA user_version = 2")
    connection.commit()
    connection.close()


def test_a_resumed_old_store_says_that_its_table_speaks_of_itself_until_it_is_trained_again(tmp_path: Path) -> None:
    lines = [f"{i % 97},{i * 31 % 89},{int(i % 97 + i % 7 > 88)}" for i in range(1500)]
    (tmp_path / "d.csv").write_text("\n".join(["a,b,y", *lines, ""]))
    sweep = (
        "sweep --dataset d.csv --target y --rows 900 --epochs 1 --hidden 4 --lr 0.01 --loss focal --gamma 2 --init own "
        "--no-references --device cpu --workers 1 --log-level error"
    )

    def swept(seeds: int, out: str) -> str:
        said = typed([*sweep.split(), "--seeds", str(seeds), "--out", out], tmp_path)
        assert said.code == 0, said.stderr
        return " ".join(said.stdout.split())

    assert "Intervals speak of other tables of the same kind" in swept(4, "o")
    of_table = (tmp_path / "o" / "influences.csv").read_text()
    older(tmp_path / "o" / "runs.sqlite")
    said = swept(6, "o")
    assert "4 runs trained, 8 taken from the store" in said
    assert "Intervals speak of this table only, split anew: 4 of 6 seeds have runs of an older version" in said
    rows = read_rows(tmp_path / "o" / "table.csv", ArmRow)
    assert {(row.scope, row.older_seeds) for row in rows} == {(Scope.THIS_TABLE, 4)}
    assert version_of(tmp_path / "o" / "runs.sqlite") == 3
    assert len((tmp_path / "o" / "influences.csv").read_text().splitlines()) == 1 + 2 * 2  # of the new seeds
    assert typed(["check", "o", "--workers", "1"], tmp_path).code == 0
    assert "Intervals speak of other tables of the same kind" in swept(4, "p")  # trained again
    assert (tmp_path / "p" / "influences.csv").read_text() == of_table


def without(path: Path, number: str) -> None:
    """Make a store one of before a number was measured."""
    connection = sqlite3.connect(path)
    for run_id, identity, text, versions, _ in connection.execute("SELECT * FROM runs").fetchall():
        values, *rest = json.loads(text)
        del values[number]
        row = (run_id, identity, json.dumps([values, *rest]), versions)
        signed = hashlib.sha256(json.dumps(row).encode()).hexdigest()
        connection.execute("UPDATE runs SET result = ?, sha256 = ? WHERE run_id = ?", (row[2], signed, run_id))
    connection.commit()
    connection.close()


def test_a_store_of_before_a_metric_says_so_and_no_mean_is_taken_over_a_part(tmp_path: Path) -> None:
    sweep = (
        "sweep --dataset gaussians --pos-rate 0.02 --rows 1500 --epochs 1 --hidden 4 --loss bce --lr 0.01 --init own "
        "--no-references --device cpu --workers 1 --out o --seeds"
    )
    assert typed([*sweep.split(), "2"], tmp_path).code == 0
    without(tmp_path / "o" / "runs.sqlite", "mcc_at_prevalence")
    said = typed([*sweep.split(), "3"], tmp_path)
    assert said.code == 0
    assert said.stderr.count("warning: 2 of 3 runs were stored before mcc_at_prevalence was measured") == 1
    assert "its mean stays blank; a new --store trains all runs anew" in said.stderr
    runs = read_rows(tmp_path / "o" / "runs.csv", RunRow)
    assert [row.outcome is not None and row.outcome.scores.mcc_at_prevalence is None for row in runs] == [
        *(True, True, False),
    ]
    (row,) = read_rows(tmp_path / "o" / "table.csv", ArmRow)
    assert row.scores.mcc_at_prevalence is None
    assert row.scores.r_precision is not None
    assert typed(["check", "o", "--workers", "1"], tmp_path).code == 0
    assert "stored before" not in typed([*sweep.replace("--out o", "--out p").split(), "3"], tmp_path).stderr


def test_a_store_of_the_future_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "o").mkdir()
    path = made(tmp_path / "o", f"{OURS} {SIGNED} PRAGMA user_version = {FORMAT + 1};")
    before = path.read_bytes()
    said = typed(
        ["sweep", "--dataset", "gaussians", "--pos-rate", "0.02", "--rows", "1500", "--seeds", "1", "--out", "o"],
        tmp_path,
    )
    assert (said.code, said.stdout) == (2, "")
    assert said.stderr.splitlines()[-1].endswith(
        "runs.sqlite holds format 4 and this version reads 2 to 3; choose another file as the --store, or move this "
        "one away"
    )
    assert path.read_bytes() == before
    assert [each.name for each in (tmp_path / "o").iterdir()] == ["runs.sqlite"]


# ---- what is no store


@pytest.mark.parametrize(
    "content", [b"not a database, but some notes of mine " * 40, b"note", b"SQLite format 3\0broken"]
)
def test_a_file_that_is_no_database_is_refused_and_untouched(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "runs.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match="choose another file as the `store`"):
        Store(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_a_new_store(tmp_path: Path) -> None:
    (tmp_path / "runs.sqlite").touch()  # what a kill before the first transaction leaves
    with Store(tmp_path / "runs.sqlite") as store:
        assert store.done(RUNS) == set()


@pytest.mark.parametrize(("local", "mode"), [(True, "wal"), (False, "delete")])
def test_the_log_beside_the_file_is_for_local_disks_only(tmp_path: Path, local: bool, mode: str) -> None:
    for first in (True, False):  # a store that was copied from one kind of disk to the other, too
        path = tmp_path / f"{first}.sqlite"
        with Store(path, lambda _, first=first: first) as store:  # type: ignore[misc]
            store.add(RUNS[:1], results(RUNS[:1]), "v1")
        with Store(path, lambda _: local) as store:
            assert store._db.execute("PRAGMA journal_mode").fetchone() == (mode,)
            assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # full: flushed before it is called safe
            store.add(RUNS[1:], results(RUNS[1:]), "v1")
            assert list(store.results(RUNS)) == results(RUNS)


def test_a_number_that_was_changed_in_the_file_is_never_handed_out(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        store.add(RUNS, results(RUNS), "v1")
        changed = "UPDATE runs SET result = replace(result, '0.5', '0.6') WHERE run_id = ?"
        store._db.execute(changed, (RUNS[1].run_id,))
        assert store.done(RUNS[2:]) == {run.run_id for run in RUNS[2:]}
        for ask in (lambda: store.done(RUNS), lambda: store.result(RUNS[1].run_id)):
            with pytest.raises(StoreError, match=f"damaged at the run {RUNS[1].run_id}"):
                ask()


def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        store.add(RUNS[:1], results(RUNS[:1]), "v1")
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        long = [result(run) for run in RUNS[1:]]
        long[0] = replace(long[0], curves=Curves(validation=(0.1,) * 5000))
        with pytest.raises(MachineError, match=r"database or disk is full\); make room"):
            store.add(RUNS[1:], long, "v1")
        assert store.done(RUNS) == {RUNS[0].run_id}


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="unable to open"):
        Store(tmp_path / "gone" / "runs.sqlite")


def test_a_store_is_a_file_whatever_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with Store(Path(":memory:")) as store:  # which SQLite would keep in memory
            store.add(RUNS[:1], results(RUNS[:1]), "v1")
    assert [path.name for path in tmp_path.iterdir()] == [":memory:"]


def test_a_store_that_another_process_holds_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("focalbench.execution.store.WAIT", 0.1)
    path = tmp_path / "runs.sqlite"
    with Store(path) as store:
        other = sqlite3.connect(path)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(MachineError, match="wait for"):
            store.add(RUNS[:1], results(RUNS[:1]), "v1")
        with pytest.raises(MachineError, match="another process holds"):
            Store(path)
        other.close()
        store.add(RUNS[:1], results(RUNS[:1]), "v1")


def test_a_run_is_not_called_safe_in_a_file_that_is_gone(tmp_path: Path) -> None:
    with Store(tmp_path / "runs.sqlite") as store:
        store.add(RUNS[:1], results(RUNS[:1]), "v1")
        for path in tmp_path.iterdir():
            path.unlink()
        with pytest.raises(MachineError, match="moved or deleted"):
            store.add(RUNS[1:], results(RUNS[1:]), "v1")


def test_whether_a_store_is_begun(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite"
    assert not is_begun(path)
    path.touch()
    assert not is_begun(path)
    with Store(path):
        assert is_begun(path)
    with pytest.raises(StoreError, match="too long"):
        is_begun(tmp_path / ("x" * 300))


# ---- a store that can only be read


def is_only_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a read-only mount; to permissions a super user is blind."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))


def killed(folder: Path) -> Path:
    """The files of a store whose process was killed: its last runs are in the log only."""
    with Store(folder / "live.sqlite", lambda _: True) as store:
        store.add(RUNS, results(RUNS), "v1")
        for ending in ("", "-wal"):
            shutil.copyfile(folder / f"live.sqlite{ending}", folder / f"runs.sqlite{ending}")
    return folder / "runs.sqlite"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_store_that_can_only_be_read_is_read_and_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = killed(tmp_path)
    assert (tmp_path / "runs.sqlite-wal").stat().st_size > 0
    before = files(tmp_path)
    is_only_read(monkeypatch)
    with Store(path) as store:
        assert store.read_only
        store.check_takes(RUNS)
        assert list(store.results(RUNS)) == results(RUNS)
        other = [Run(RUNS[0].recipe, RUNS[0].training, RUNS[0].arm, 0.5, 0)]
        with pytest.raises(StoreError, match=r"lacks 1 of 5 runs and cannot be written to; copy it"):
            store.check_takes([*RUNS, *other])
        with pytest.raises(StoreError, match="lacks 1 of 1 runs"):
            store.add(other, results(other), "v1")
    assert files(tmp_path) == before


def test_nothing_stays_of_the_copy_of_a_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, spare = killed(tmp_path), tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spare))
    is_only_read(monkeypatch)
    with Store(path):
        assert list(spare.iterdir())
    assert not list(spare.iterdir())
    (tmp_path / "runs.sqlite-wal").write_bytes(b"")
    path.write_bytes((tmp_path / "live.sqlite").read_bytes()[:5000])
    with pytest.raises(StoreError, match="cannot be used as a store"):
        Store(path)
    assert not list(spare.iterdir())


def test_no_room_for_the_copy_of_a_store_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = killed(tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    is_only_read(monkeypatch)
    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(MachineError, match="No space left on device"):
        Store(path)


def test_a_finished_sweep_is_told_again_from_a_read_only_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    sweep = (
        "sweep --dataset gaussians --pos-rate 0.02 --rows 1500 --epochs 1 --seeds 1 --hidden 4 --loss bce --lr 0.01 "
        "--no-references --workers 1 --log-level error"
    )
    assert typed([*sweep.split(), "--out", "disk/o"], tmp_path).code == 0
    made = subprocess.run(["mount", "--bind", disk, disk], check=False)
    if made.returncode:
        pytest.skip("no right to mount a file system")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", disk], check=True)
        said = typed([*sweep.split(), "--store", "disk/o/runs.sqlite", "--out", "p"], tmp_path)
        assert "0 runs trained, 2 taken from the store" in said.stdout
        for arguments in (("--lr", "0.003"), ("--store", "disk/new.sqlite"), ("--out", "disk/o")):
            said = typed([*sweep.split(), "--store", "disk/o/runs.sqlite", "--out", "q", *arguments], tmp_path)
            assert (said.code, len(said.stderr.splitlines())) == (2, 1)
            assert not (tmp_path / "q").exists()
    finally:
        subprocess.run(["umount", disk], check=True)
    assert (tmp_path / "p" / "runs.csv").read_bytes() == (disk / "o" / "runs.csv").read_bytes()


# ---- what is no file, and what lies beside one


@pytest.mark.parametrize("kind", ["pipe", "socket", "folder", "/dev/null", "/dev/zero", "loop"])
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "runs.sqlite"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
            server.bind(path.name)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "loop" else kind)
    for ask in (is_begun, Store):
        with pytest.raises(StoreError, match="choose another file as the `store`"):
            ask(path)


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_what_sqlite_would_take_for_its_own_stays(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"runs.sqlite{ending}").write_text("notes of mine")
    with pytest.raises(StoreError, match=f"holds a runs.sqlite{ending} without its database"):
        Store(tmp_path / "runs.sqlite")
    assert files(tmp_path) == {f"runs.sqlite{ending}": b"notes of mine"}
