"""What a process loads from a moment on: which modules, and at whose wish."""

import os
import sys
import sysconfig
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from focalbench.errors import InputError
from focalbench.training.own.named import Own

LIBRARY = tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))
HERE = str(Path(__file__).parents[2]) + os.sep


class Seen(NamedTuple):
    """What was loaded by some moment, and a number that grows with it."""

    size: int
    modules: frozenset[str]
    files: frozenset[str]


class Loading:
    """Watches imports, however they come about, and files that are run as code without being imported."""

    def __init__(self) -> None:
        self._before = frozenset(sys.modules)
        self._wanted: set[str] = set()  # by somebody's own code, rather than by what is installed
        self._run: set[str] = set()
        sys.meta_path.insert(0, self)
        sys.addaudithook(self._hear)

    def find_spec(self, name: str, *_: object) -> None:
        """Python asks, before it loads a module; others find it."""
        if _is_wanted(sys._getframe(1)):
            self._wanted.add(name)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "exec" and is_own(file := getattr(arguments[0], "co_filename", "")):
            self._run.add(file)

    @property
    def seen(self) -> "Seen":
        """What there is by now."""
        return Seen(self._size, self.modules, self.files)

    def refuse_later(self, before: "Seen", own: Own) -> None:
        """Raise InputError for what was loaded since: the hash of the source does not know it."""
        if self._size > before.size and (late := self.modules - before.modules or self.files - before.files):
            what = f"{own} loads {', '.join(sorted(late))} only while it trains"
            raise InputError(f"{what}; import it where the module begins, for it is a part of what the {own.kind} is")

    @property
    def _size(self) -> int:
        """A number that grows whenever one of the others may."""
        return len(sys.modules) + len(self._run)

    @property
    def modules(self) -> frozenset[str]:
        """The modules loaded since: somebody's own, and the installed ones that these have imported themselves."""
        gained = (name for name in list(sys.modules) if name not in self._before)
        return frozenset(name for name in gained if name in self._wanted or is_own(_file(name)))

    @property
    def files(self) -> frozenset[str]:
        """Somebody's own files whose code was run."""
        return frozenset(self._run)


def is_own(file: object) -> bool:
    """Whether a file of code is neither Python's, nor installed, nor this package's."""
    if not isinstance(file, str) or file.startswith(("<", *LIBRARY, HERE)) or is_installed(file):
        return False
    return os.path.isfile(file)  # noqa: PTH113 (asked for every line of code that is run)


def is_installed(file: str) -> bool:
    """Whether a file belongs to a distribution that was installed."""
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _file(name: str) -> object:
    try:
        return getattr(sys.modules[name], "__file__", None)
    except Exception:  # what stands there may be anything
        return None


def _is_wanted(frame: FrameType | None) -> bool:
    """Whether somebody's own code is what imports: beneath Python's own ways to do so, and text that is run."""
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(("<", *LIBRARY)) or is_installed(file):
            return is_own(file)
        frame = frame.f_back
    return False
