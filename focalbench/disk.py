"""Files that are never half: written beside, flushed and renamed; and what is known of the disk under them."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from focalbench.errors import InputError, MachineError
from focalbench.mounts import MOUNTS, mounts

# where memory shared by processes and locks are one machine's own; of others SQLite's log cannot be trusted
LOCAL = {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
PART = ".focalbench-"  # begins the name of a file that is being written; its ending tells the format


def is_local(path: Path, file: Path = MOUNTS) -> bool:
    """Whether a path lies on a file system known to be this machine's own; False where the system does not say."""
    place, best, kind = path.absolute().resolve(), -1, ""
    for mount in mounts(file):
        depth = len(mount.point.parts)
        if place.is_relative_to(mount.point) and depth >= best:  # of two on one point the later one covers
            best, kind = depth, mount.kind
    return kind in LOCAL


def write_files(folder: Path, texts: Mapping[str, str]) -> None:
    """Write text files into a folder, all beside their final places first, then renamed.

    Raises MachineError where the disk is full or fails; the files of before are then as they were, unless it failed
    between two renames.
    """

    def write(text: str) -> Callable[[Path], object]:
        return lambda path: path.write_text(text, encoding="utf-8", newline="\n")

    replace_files({folder / name: write(text) for name, text in texts.items()})


def replace_files(writers: Mapping[Path, Callable[[Path], object]]) -> None:
    """Let each writer make its file beside its final place, then rename all. Raises MachineError as write_files."""
    parts = {
        path: path.with_name(f"{PART}{os.getpid()}-{path.name}") for path in writers
    }  # the suffix tells the format
    try:
        for path, write in writers.items():
            write(parts[path])
            _flush(parts[path])
        for path, part in parts.items():
            part.replace(path)
        for folder in {path.parent for path in writers}:
            _flush(folder)
    except OSError as error:
        message = f"cannot write {next(iter(writers)).parent}: {error.strerror or error}"
        raise MachineError(f"{message}; make room, or choose another --out") from None
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Hand a file's or folder's content to the disk, so that a power failure after a rename leaves no empty file."""
    if os.name != "posix" and path.is_dir():
        return  # only there can folders be flushed
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def alone_in(folder: Path, *inside: Path) -> Iterator[None]:
    """Hold a folder for this process until it ends, however it ends, and clear it, and these inside it, of files that a
    killed process had begun to write. Raises InputError where another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # no POSIX: then it is up to the person
        yield
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        raise InputError(f"another sweep is writing {folder}; wait for it, or choose another --out") from None
    except OSError:
        inside = ()  # a file system without locks on folders: others may be writing
    else:
        inside = (folder, *inside)
    try:
        for half in (half for each in inside for half in each.glob(f"{PART}*")):
            half.unlink(missing_ok=True)
        yield
    finally:
        os.close(number)
