"""Where a page is written: a new file, or one that was written so before and not changed since."""

import json
import re
import secrets
from html import unescape
from pathlib import Path

from focalbench.base.files import regular, replace_files, sha256
from focalbench.errors import InputError
from focalbench.report.page.render import is_sealed


def check_target(path: Path, setting: str = "out") -> None:
    """Raise InputError where a page cannot be written to a path, or something else lies there.

    setting: what named the path.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"{path} is to be a page; give `{setting}` a name that ends in .html")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}; make it first, or choose another `{setting}` file")
    if path.is_symlink() or path.exists():
        try:
            ours = is_sealed(regular(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            ours = False
        if not ours:
            raise InputError(
                f"{path} is there already and no report as it was written; choose another `{setting}` file"
            )


def write_page(path: Path, text: str) -> None:
    """Replace a page at once: who reads it finds the old one or the new one, never half of one."""
    replace_files({path: lambda file: file.write(text.encode())}, secrets.token_hex(16))


def faults_of(path: Path) -> list[str]:
    """What is wrong with a page: that it was changed, or that the tables that it was made of are others now."""
    text = regular(path).read_text(encoding="utf-8", errors="replace")
    named = SOURCES.search(text)
    if not is_sealed(text) or named is None:
        return [f"{path} is not as it was written"]
    sources = {Path(name): hashed for name, hashed in json.loads(unescape(named[1])).items()}
    return [
        f"{path} was made of another {file}"
        for file, hashed in sources.items()
        if not file.is_file() or sha256(file) != hashed
    ]


SOURCES = re.compile(r'<meta name="focalbench-sources" content="([^"]*)">')
