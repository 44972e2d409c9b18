"""What stands behind a module that somebody names: a hash of its source, so that another source is another loss."""

import ast
import hashlib
import sys
from collections.abc import Collection
from importlib import metadata
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from focalbench.errors import InputError
from focalbench.training.own.loading import is_installed

RECORDED = ("focalbench", "numpy", "pandas", "scipy", "sklearn", "torch")  # their versions stand beside every run
BUILT = {Path(suffix).suffix for suffix in EXTENSION_SUFFIXES}


class Part(NamedTuple):
    """A file of code by its name and content, or an installed distribution by its name and version."""

    label: str
    content: bytes


def module_hash(name: str, loaded: Collection[str] = (), run: Collection[str] = ()) -> str:
    """Hash of an imported module (64 hex digits): of its source, and of the source of what it imports.

    loaded: modules that it was seen to load, however that came about; run: files whose code it was seen to run. Your
    own files count by their content, a package of yours by all of its code, installed ones by the versions of their
    distributions (those of this tool's own libraries are recorded with every run and do not count). Files of data that
    a loss reads are beyond what can be known: what is to count belongs into its source. Raises InputError for a module
    without any source.
    """
    found: dict[str, Part] = {}
    waiting = [name, *(module for module in loaded if module.split(".")[0] not in RECORDED)]
    while waiting:
        module = waiting.pop()
        for place, part in _parts(module).items():
            if place not in found:
                found[place] = part
                waiting += _imported_by(part, module)
    for file in run:
        found.setdefault(_place(Path(file)), Part(Path(file).name, Path(file).read_bytes()))
    if not found:
        raise InputError(f"{name} has no source to be known by; wrap it in a file of your own")
    digest = hashlib.sha256()
    for label, content in sorted(found.values()):
        digest.update(f"{label}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _parts(module: str) -> dict[str, Part]:
    """What a module holds, by where it lies: files of code, or nothing beside a distribution's name and version."""
    top = module.split(".")[0]
    file = _file(top) or _file(module)  # a folder without __init__.py has no file of its own
    if file is None or top in sys.stdlib_module_names:
        return {}
    if is_installed(str(file)):
        names = metadata.packages_distributions().get(top, [])
        return {name: Part(f"{name} {metadata.version(name)}", b"") for name in names}
    if file.name != "__init__.py":
        return {_place(file): Part(file.name, file.read_bytes())}
    files = (path for path in file.parent.rglob("*") if path.suffix == ".py" or _is_built(path))
    return {_place(path): Part(path.relative_to(file.parent.parent).as_posix(), path.read_bytes()) for path in files}


def _place(file: Path) -> str:
    return str(file.resolve())


def _is_built(file: Path) -> bool:
    """Whether a file is a module in machine code; not of an environment that lies in a package's folder."""
    return file.suffix in BUILT and not is_installed(str(file))


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _imported_by(part: Part, module: str) -> list[str]:
    """The modules named in import statements; a package's own are in its files already."""
    try:
        tree = ast.parse(part.content)
    except (SyntaxError, ValueError):  # of a package's file that nobody imports
        return []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return [name for name in names if name.split(".")[0] not in (module.split(".")[0], *RECORDED)]
