"""Files that are never half: written beside, flushed and renamed; and what is known of the disk under them."""

import errno
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from focalbench.base.mounts import MOUNTS, mounts
from focalbench.errors import InputError, MachineError

# where memory shared by processes and locks are one machine's own; of others SQLite's log cannot be trusted
LOCAL = {"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "overlay", "ramfs", "tmpfs", "xfs", "zfs"}
PART = ".focalbench-"  # begins the name of a file that is being written

Writer = Callable[[BinaryIO], object]


def is_local(path: Path, file: Path = MOUNTS) -> bool:
    """Whether a path lies on a file system known to be this machine's own; False where the system does not say."""
    place, best, kind = path.absolute().resolve(), -1, ""
    for mount in mounts(file):
        depth = len(mount.point.parts)
        if place.is_relative_to(mount.point) and depth >= best:  # of two on one point the later one covers
            best, kind = depth, mount.kind
    return kind in LOCAL


def replace_files(writers: Mapping[Path, Writer], mark: str) -> None:
    """Let each writer fill a new file beside its final place, then rename all.

    mark: begins the names of the new files, so that what a killed process leaves can be told from others' files. Raises
    MachineError where the disk is full or fails; the files of before are then as they were, unless it failed between
    two renames.
    """
    parts: dict[Path, Path] = {}
    try:
        for path, write in writers.items():
            part = path.with_name(f"{PART}{mark}-{secrets.token_hex(8)}")
            with part.open("xb") as file:  # exclusive: follows no link, and takes nobody's file
                parts[path] = part
                write(file)
                file.flush()
                os.fsync(file.fileno())  # so that a power failure after the rename leaves no empty file
        for path, part in parts.items():
            part.replace(path)
        for folder in {path.parent for path in writers}:
            _flush(folder)
    except OSError as error:
        message = f"cannot write {next(iter(writers)).parent}: {error.strerror or error}"
        raise MachineError(f"{message}; make room, or choose another `out` folder") from None
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink(missing_ok=True)


def remove_parts(folder: Path, mark: str) -> None:
    """Remove the new files of that mark that a killed process left in a folder; nobody may be writing there."""
    for part in folder.glob(f"{PART}{mark}-*"):
        with suppress(OSError):  # what is no file is not ours
            part.unlink()


def _flush(folder: Path) -> None:
    """Hand a folder's list of names to the disk."""
    if os.name != "posix":
        return  # only there can folders be flushed
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def regular(path: Path) -> Path:
    """The same path. Raises OSError where it names a pipe, a device or a folder: opening one may wait for ever."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    return path


def sha256(path: Path) -> str:
    """Hash of a file's bytes, 64 hex digits."""
    with regular(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def alone_in(folder: Path) -> Iterator[bool]:
    """Hold a folder for this process until it ends, however it ends. Yields False where nobody can tell whether others
    are writing there. Raises InputError where another process holds it.
    """
    if os.name != "posix":  # then it is up to the person
        yield False
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        yield _locked(number, folder)
    finally:
        os.close(number)


def _locked(number: int, folder: Path) -> bool:
    import fcntl

    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(f"another sweep is writing {folder}; wait for it, or choose another `out` folder") from None
    except OSError:
        return False  # a file system without locks on folders
    return True
