"""Whose files are whose: in a folder, only what its manifest names is ours, and only that is replaced or removed.

So a manifest comes first: names are recorded in it before anything is written to them, together with the mark that the
names of files in the making begin with. What a killed process leaves is then known, whenever that was; when all is
written, names stand there with the hashes of their files, and the mark is gone.
"""

import json
import re
import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from focalbench.base.files import Writer, alone_in, regular, remove_parts, replace_files, sha256
from focalbench.errors import InputError
from focalbench.plan.experiment import MANIFEST

TOOL = "focalbench"
FIGURES = "figures"
TIMINGS = "timings.csv"  # of a finished plan; no manifest holds its hash, which differs from time to time
MARK = re.compile(r"[0-9a-f]{32}")


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder. Raises InputError where there is none."""
    try:
        content = json.loads(regular(folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{folder} holds no readable {MANIFEST} ({error}); run the experiment first") from None
    if not _is_sound(content):
        raise InputError(f"{folder / MANIFEST} is of another version; run the experiment again")
    return cast(dict[str, Any], content)


def _is_sound(content: object) -> bool:
    if not isinstance(content, dict) or content.get("format") != 1:
        return False
    begun = content.get("unfinished", {"mark": "0" * 32, "files": []})
    return (
        all(isinstance(content.get(name, {}), dict) for name in ("files", "experiment_file"))
        and isinstance(begun, dict)
        and MARK.fullmatch(str(begun.get("mark"))) is not None
        and isinstance(begun.get("files"), list)
        and all(isinstance(name, str) for name in begun["files"])
    )


def owned(folder: Path) -> set[str]:
    """The names in a folder that are ours, written or not. Raises InputError where the manifest is not ours."""
    content = _own_manifest(folder)
    begun = content.get("unfinished", {}).get("files", [])
    return {*content.get("files", {}), *begun, *([TIMINGS] if "experiment" in content else [])}


def _own_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, with nothing in it where there is none."""
    if not _exists(folder / MANIFEST):
        return {}
    try:
        content = read_manifest(folder)
    except InputError:
        content = {}
    if content.get("tool") != TOOL and "experiment" not in content:  # those of results name their experiment
        raise _foreign(folder, MANIFEST)
    return content


def _exists(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _is_foreign(path: Path, named: bool) -> bool:
    """Whether something lies at a path that is not ours; a link in place of a file of ours counts as one."""
    return _exists(path) and not (named and (path.is_file() or path.is_symlink()))


def _no_folder(folder: Path, names: Collection[str]) -> str | None:
    """What lies where there is to be a folder for some of these names, and is none."""
    inside = sorted({str(Path(name).parent) for name in names} - {"."})
    return next((name for name in inside if _exists(folder / name) and not (folder / name).is_dir()), None)


def refuse_foreign(folder: Path, names: Collection[str]) -> None:
    """Raise InputError where something lies at one of these names in a folder that is not ours."""
    try:
        ours = owned(folder)
        foreign = next((name for name in names if _is_foreign(folder / name, name in ours)), _no_folder(folder, names))
    except OSError as error:
        raise _cannot_write(folder, error) from None
    if foreign is not None:
        raise _foreign(folder, foreign)


def _foreign(folder: Path, name: str) -> InputError:
    return InputError(f"{folder} holds a {name} that is not this tool's; choose another `out` folder, or move it away")


def claim(folder: Path, names: Iterable[str]) -> str:
    """Record names as ours before anything is written to them; return the mark of the files in the making.

    Raises InputError as refuse_foreign.
    """
    wanted = list(names)
    refuse_foreign(folder, wanted)
    content = _own_manifest(folder)
    begun = content.get("unfinished", {"mark": secrets.token_hex(16), "files": []})
    new = sorted(set(wanted) - owned(folder))
    if new or "unfinished" not in content:
        begun = begun | {"files": [*begun["files"], *new]}
        content = content or {"format": 1, "tool": TOOL, "files": {}}
        _write(folder, content | {"unfinished": begun}, begun["mark"])
    return cast(str, begun["mark"])


@contextmanager
def working_in(folder: Path, names: Iterable[str]) -> Iterator[None]:
    """Hold a folder in which these files are to be written, and make it where there is none; nothing is written yet.

    Raises InputError as refuse_foreign, where the folder cannot be written to, and where another process holds it.
    """
    wanted = list(names)
    refuse_foreign(folder, wanted)  # before there is a folder
    make_folder(folder)
    with alone_in(folder) as alone:
        begun = _own_manifest(folder).get("unfinished", {})
        for place in (folder, folder / FIGURES) if alone and begun else ():
            remove_parts(place, begun["mark"])
        yield


def make_folder(folder: Path) -> None:
    """Create a folder. Raises InputError where it cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise _cannot_write(folder, error) from None


def _cannot_write(folder: Path, error: OSError) -> InputError:
    return InputError(f"cannot write to {folder} ({error.strerror}); choose another `out` folder")


def write_own(folder: Path, writers: Mapping[str, Writer]) -> None:
    """Write files of ours by their names in a folder: all of them, or none. Raises MachineError as replace_files, and
    InputError where a name is somebody else's.
    """
    mark = claim(folder, writers)
    replace_files({folder / name: write for name, write in writers.items()}, mark)


def write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    """As write_own, for texts."""
    write_bytes(folder, {name: text.encode() for name, text in texts.items()})


def write_bytes(folder: Path, contents: Mapping[str, bytes]) -> None:
    """As write_own, for what is in memory."""
    write_own(folder, {name: _writer(content) for name, content in contents.items()})


def _writer(content: bytes) -> Writer:
    return lambda file: file.write(content)


def remove_own(folder: Path, names: Iterable[str]) -> None:
    """Remove files of a folder, those of ours only."""
    for name in owned(folder).intersection(names):
        (folder / name).unlink(missing_ok=True)


def finish(folder: Path, content: Mapping[str, Any], names: Iterable[str]) -> None:
    """Write the manifest: what it is to say, with the hashes of these files, which are finished."""
    mark = claim(folder, names := list(names))
    files = content.get("files", {}) | {name: sha256(folder / name) for name in names}
    begun = [name for name in content.get("unfinished", {}).get("files", []) if name not in files]
    rest = [name for name in begun if _exists(folder / name)]
    unfinished = {"unfinished": {"mark": mark, "files": rest}} if rest else {}
    kept = {name: value for name, value in content.items() if name != "unfinished"}
    _write(folder, kept | {"files": dict(sorted(files.items()))} | unfinished, mark)


def finish_more(folder: Path, names: Iterable[str], extra: Mapping[str, Any]) -> None:
    """Add finished files, and what else is to be said, to a folder's manifest."""
    finish(folder, {**read_manifest(folder), **extra}, names)


def _write(folder: Path, content: Mapping[str, Any], mark: str) -> None:
    replace_files({folder / MANIFEST: _writer(f"{json.dumps(content, indent=1)}\n".encode())}, mark)
