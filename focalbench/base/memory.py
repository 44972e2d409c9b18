"""Memory: how much of it is free here, and how much this process has held. Linux says; other systems mostly do not."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from focalbench.base.mounts import Mount, mounts


class _Files(NamedTuple):
    """How a version of control groups names a group's limits, its use, and what of that it gives back when asked."""

    limits: tuple[str, ...]
    used: str
    cached: str


_FILES = {
    "cgroup": _Files(("memory.limit_in_bytes",), "memory.usage_in_bytes", "total_inactive_file "),  # version 1
    "cgroup2": _Files(("memory.max", "memory.high"), "memory.current", "inactive_file "),
}


def free_bytes(root: Path = Path("/")) -> int | None:
    """What can still be had without swapping, within the limits of this process's control group and of those around it
    (a container, a systemd slice, a Slurm job). root: where /proc and the groups are seen.
    """
    available = _line(root / "proc/meminfo", "MemAvailable:")
    found = [] if available is None else [1024 * available]
    for mount in mounts(root / "proc/self/mountinfo"):
        if mount.kind in _FILES:
            found += _left(root, mount, _FILES[mount.kind])
    return max(0, min(found)) if found else None


def _left(root: Path, mount: Mount, files: _Files) -> Iterator[int]:
    """What each limit leaves, of this process's group and all groups around it that the mount shows."""
    own = _group(root, mount)
    if own is None:
        return
    for group in (own, *own.parents):
        folder = root / mount.point.relative_to("/") / group
        used = _number(folder / files.used)
        for limit in (_number(folder / name) for name in files.limits):
            if limit is not None and used is not None:
                yield limit - used + (_line(folder / "memory.stat", files.cached) or 0)


def _group(root: Path, mount: Mount) -> Path | None:
    """The group whose memory this process's is counted with, below the mount; None where that hierarchy counts none."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return None
    controllers = {names: Path(group) for _, names, group in (line.split(":", 2) for line in lines if line)}
    if mount.kind == "cgroup2":
        group = controllers.get("")
    else:
        shown = "memory" in mount.options
        group = next((group for names, group in controllers.items() if shown and "memory" in names.split(",")), None)
    if group is None or not group.is_relative_to(mount.root):  # a container may see its own group as the outermost
        return None if group is None else Path()
    return group.relative_to(mount.root)


def peak_bytes() -> int | None:
    """The most this process has held at one time; of pages that it shares with others now, its share of these."""
    peak, shared = _line(Path("/proc/self/status"), "VmHWM:"), _shared()
    return None if peak is None or shared is None else 1024 * max(0, peak - shared)


def _shared() -> int | None:
    """Kilobytes of resident memory that are attributed to other processes (Rss - Pss)."""
    held, share = (_line(Path("/proc/self/smaps_rollup"), name) for name in ("Rss:", "Pss:"))
    return None if held is None or share is None else held - share


def _number(path: Path) -> int | None:
    """The number that a file holds; None where there is none, as in "max"."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _line(path: Path, name: str) -> int | None:
    """The number in a line that begins so."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))
    except (OSError, StopIteration):
        return None
