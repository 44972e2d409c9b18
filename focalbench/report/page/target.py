"""Where a page is written: a new file, or one that was written so before and not changed since."""

import secrets
from pathlib import Path

from focalbench.base.files import regular, replace_files
from focalbench.errors import InputError
from focalbench.report.page.render import is_sealed


def check_target(path: Path) -> None:
    """Raise InputError where a page cannot be written to a path, or something else lies there."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it, such as {path / 'report.html'}")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}; make it first, or choose another `out` file")
    if path.is_symlink() or path.exists():
        try:
            ours = is_sealed(regular(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            ours = False
        if not ours:
            raise InputError(f"{path} is there already, and is no report as it was written; choose another `out` file")


def write_page(path: Path, text: str) -> None:
    """Replace a page at once: who reads it finds the old one or the new one, never half of one."""
    replace_files({path: lambda file: file.write(text.encode())}, secrets.token_hex(16))
