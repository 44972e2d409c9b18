"""What stands behind a module that somebody names: a hash of its source, so that another source is another loss."""

import ast
import hashlib
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from focalbench.errors import InputError

RECORDED = ("focalbench", "numpy", "pandas", "scipy", "sklearn", "torch")  # their versions stand beside every run


def module_hash(name: str) -> str:
    """Hash of an imported module (64 hex digits): of its source, and of the source of what it imports.

    Your own files count by their content, a package of yours by all of its files, installed ones by the versions of
    their distributions (those of this tool's own libraries are recorded with every run and do not count). Raises
    InputError for a module that is neither.
    """
    found: dict[str, bytes] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        for label, content in _contents(module).items():
            if label not in found:
                found[label] = content
                waiting += _imported_by(content, module)
    if not found:
        raise InputError(f"{name} has no source to be known by; wrap it in a file of your own")
    digest = hashlib.sha256()
    for label, content in sorted(found.items()):
        digest.update(f"{label}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _contents(module: str) -> dict[str, bytes]:
    """What a module holds by label: source files, or nothing beside a distribution's name and version."""
    top = module.split(".")[0]
    file = _file(top) or _file(module)  # a folder without __init__.py has no file of its own
    if file is None or top in sys.stdlib_module_names:
        return {}
    if {"site-packages", "dist-packages"} & set(file.parts):
        return {f"{name} {metadata.version(name)}": b"" for name in metadata.packages_distributions().get(top, [])}
    if file.suffix != ".py":
        return {}
    if file.name != "__init__.py":
        return {file.name: file.read_bytes()}
    return {path.relative_to(file.parent.parent).as_posix(): path.read_bytes() for path in file.parent.rglob("*.py")}


def _file(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin and spec.has_location else None


def _imported_by(content: bytes, module: str) -> list[str]:
    """The modules named in import statements; a package's own are in its files already."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # of a package's file that nobody imports
        return []
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return [name for name in names if name.split(".")[0] not in (module.split(".")[0], *RECORDED)]
