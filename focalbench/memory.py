"""Memory: how much of it is free here, and how much this process has held. Linux says; other systems mostly do not."""

from pathlib import Path

GROUPS = (  # of the processes that this one's memory is counted with: limit, what is used of it, and that as cache
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "inactive_file "),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "total_inactive_file ",
    ),
)


def free_bytes() -> int | None:
    """What can still be had without swapping, within the limit of a container."""
    found = [1024 * size for size in [_line("/proc/meminfo", "MemAvailable:")] if size is not None]
    for limit, used, cached in GROUPS:
        try:
            kept = _line(str(Path(used).parent / "memory.stat"), cached) or 0  # what it gives back when asked
            found.append(int(Path(limit).read_text()) - int(Path(used).read_text()) + kept)
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return max(0, min(found)) if found else None


def peak_bytes() -> int | None:
    """The most this process has held at one time; of pages that it shares with others now, its share of these."""
    peak, shared = _line("/proc/self/status", "VmHWM:"), _shared()
    return None if peak is None or shared is None else 1024 * max(0, peak - shared)


def _shared() -> int | None:
    """Kilobytes of this process's pages that are others' by right."""
    held, share = (_line("/proc/self/smaps_rollup", name) for name in ("Rss:", "Pss:"))
    return None if held is None or share is None else held - share


def _line(path: str, name: str) -> int | None:
    """The number in a line that begins so."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(name))
    except (OSError, StopIteration):
        return None
