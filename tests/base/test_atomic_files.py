import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from focalbench.base.files import Writer, alone_in, is_local, remove_parts, replace_files
from focalbench.base.memory import free_bytes, peak_bytes
from focalbench.errors import InputError, MachineError

MOUNTS = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:25 / /home rw shared:1 master:2 - nfs4 server:/home rw
31 30 0:26 / /home/me/my\040disk rw - xfs /dev/vdb rw
32 22 0:27 / /scratch rw - fuse.sshfs host:/ rw
33 22 0:28 / /old rw - ext4 /dev/vdc rw
34 22 0:29 / /old rw - cifs //server/old rw
35 22 0:30 / /données rw - nfs4 server:/données rw
"""


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/var/runs.sqlite", True),
        ("/home/me/runs.sqlite", False),
        ("/home/me/my disk/deep/runs.sqlite", True),
        ("/homework/runs.sqlite", True),
        ("/scratch/x", False),
        ("/données/x", False),
        ("/old/x", False),  # what was mounted last is what is seen
    ],
)
def test_network_disks_are_told_from_local_ones(tmp_path: Path, path: str, local: bool) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS, encoding="utf-8")
    assert is_local(Path(path), tmp_path / "mountinfo") == local


def test_names_of_other_bytes_among_the_disks_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_bytes(MOUNTS.encode("latin-1"))
    assert is_local(Path("/var/x"), tmp_path / "mountinfo")


def test_a_disk_that_nobody_describes_is_not_trusted(tmp_path: Path) -> None:
    assert not is_local(tmp_path, tmp_path / "gone")


def text(content: str) -> Writer:
    return lambda file: file.write(content.encode())


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_files_are_there_whole_and_nothing_beside_them(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")
    replace_files({tmp_path / "a.csv": text("new\n"), tmp_path / "b.md": text("é\n")}, "x")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a.csv": b"new\n", "b.md": b"\xc3\xa9\n"}


def test_where_one_file_cannot_be_written_all_stay_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("old")

    def fail(file: BinaryIO) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    with pytest.raises(MachineError, match="No space left on device; make room, or choose another `out` folder"):
        replace_files({tmp_path / "a.csv": text("new"), tmp_path / "b.csv": fail}, "x")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.csv": "old"}


def test_what_is_renamed_was_flushed_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    fsync = os.fsync

    def watch(number: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{number}").readlink().name)
        fsync(number)

    if not Path("/proc/self/fd").exists():
        pytest.skip("this system does not name open files")
    monkeypatch.setattr(os, "fsync", watch)
    replace_files({tmp_path / "a.csv": text("new")}, "mark")
    part, folder = flushed
    assert re.fullmatch(r"\.focalbench-mark-[0-9a-f]{16}", part)
    assert folder == tmp_path.name


def test_names_of_files_in_the_making_are_never_the_same(tmp_path: Path) -> None:
    seen: list[str] = []
    for _ in range(2):
        replace_files({tmp_path / "a": lambda file: seen.append(file.name)}, "mark")
    assert len(set(seen)) == 2


@pytest.mark.parametrize("kind", ["link", "file", "folder"])
def test_what_lies_at_the_name_of_a_file_in_the_making_is_neither_followed_nor_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(secrets, "token_hex", lambda _: "guessed")
    (tmp_path / "victim").write_text("mine")
    place = tmp_path / ".focalbench-mark-guessed"
    if kind == "link":
        place.symlink_to("victim")
    elif kind == "file":
        place.write_text("mine")
    else:
        place.mkdir()
    before = names(tmp_path)
    with pytest.raises(MachineError, match="File exists"):
        replace_files({tmp_path / "a": text("ours")}, "mark")
    assert names(tmp_path) == before
    assert (tmp_path / "victim").read_text() == "mine"


def test_files_in_the_making_are_removed_by_their_mark_and_nothing_else_is(tmp_path: Path) -> None:
    kept = [".2024.notes.md", ".focalbench-notes.txt", ".focalbench-other-1", "victim"]
    for name in [*kept, ".focalbench-mark-1"]:
        (tmp_path / name).write_text("x")
    (tmp_path / ".focalbench-mark-2").symlink_to("victim")
    (tmp_path / ".focalbench-mark-3").mkdir()
    remove_parts(tmp_path, "mark")
    assert names(tmp_path) == sorted([*kept, ".focalbench-mark-3"])


def test_a_folder_is_one_processs_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from focalbench.base.files import alone_in\n"
        "with alone_in(Path(sys.argv[1])) as alone: print(alone)"
    )
    with alone_in(tmp_path) as alone:
        assert alone
        with pytest.raises(InputError, match="another sweep is writing"), alone_in(tmp_path):
            pass
        other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
        assert "another sweep is writing" in other.stderr
    other = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert other.stdout == "True\n"


def test_memory_is_what_the_system_says() -> None:
    free, before = free_bytes(), peak_bytes()
    if free is None or before is None:
        pytest.skip("this system does not say")
    assert 10**7 < free < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    block = b"1" * (before + 2 * 10**8)  # more than was ever held
    after = peak_bytes()
    assert after is not None
    assert after > before + 10**8
    del block
    assert (peak_bytes() or 0) > before + 10**8  # a peak stays
