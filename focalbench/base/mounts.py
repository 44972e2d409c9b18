"""Where file systems are mounted, as Linux says in /proc/self/mountinfo."""

import re
from dataclasses import dataclass
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")


@dataclass(frozen=True)
class Mount:
    """root: the folder of the file system that is seen at point; options: those of the file system."""

    root: Path
    point: Path
    kind: str
    options: tuple[str, ...]


def mounts(file: Path = MOUNTS) -> list[Mount]:
    """All mounts, a later one covers an earlier one at the same point; none where the system does not say."""
    try:
        lines = file.read_text(encoding="utf-8", errors="surrogateescape").split("\n")
    except OSError:
        return []
    return [_mount(line) for line in lines if line]


def _mount(line: str) -> Mount:
    left, _, right = line.partition(" - ")
    root, point = (Path(_unescaped(text)) for text in left.split(" ")[3:5])
    kind, _, options = right.split(" ", 2)
    return Mount(root, point, kind, tuple(options.split(",")))


def _unescaped(text: str) -> str:
    """A path as it is: blanks and backslashes are written as octal numbers there."""
    return re.sub(r"\\([0-7]{3})", lambda sign: chr(int(sign[1], 8)), text)
