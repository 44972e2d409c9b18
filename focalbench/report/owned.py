"""Whose files are whose: in a folder, only what its manifest names is ours, and only that is replaced or removed.

So a manifest comes first: names are recorded in it before anything is written to them, together with the mark that the
names of files in the making begin with. What a killed process leaves is then known, whenever that was; when all is
written, names stand there with the hashes of their files, and the mark is gone.
"""

import secrets
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from focalbench.base.files import Writer, alone_in, remove_parts, replace_files, sha256
from focalbench.errors import InputError
from focalbench.plan.experiment import MANIFEST
from focalbench.report.manifest import FORMAT, TOOL, Manifest, Unfinished, read_manifest

FIGURES, SCORES = "figures", "scores"
FORMATS, USUAL_FORMATS = ("png", "svg", "pdf"), ("png", "svg")  # of figures
TIMINGS = "timings.csv"  # of a finished plan; no manifest holds its hash, which differs from time to time
NOTHING = Manifest(FORMAT, TOOL)


def owned(folder: Path) -> set[str]:
    """The names in a folder that are ours, written or not. Raises InputError where the manifest is not ours."""
    manifest = _own_manifest(folder)
    begun = manifest.unfinished.files if manifest.unfinished else ()
    return {*manifest.files, *begun, *([TIMINGS] if manifest.experiment is not None else [])}


def _own_manifest(folder: Path) -> Manifest:
    """The manifest, with nothing in it where there is none."""
    if not _exists(folder / MANIFEST):
        return NOTHING
    try:
        manifest = read_manifest(folder)
    except InputError:
        raise _foreign(folder, MANIFEST) from None
    if not manifest.is_ours:
        raise _foreign(folder, MANIFEST)
    return manifest


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
    manifest = _own_manifest(folder)
    begun = manifest.unfinished or Unfinished(secrets.token_hex(16))
    new = sorted(set(wanted) - owned(folder))
    if new or manifest.unfinished is None:
        _write(folder, replace(manifest, unfinished=replace(begun, files=(*begun.files, *new))), begun.mark)
    return begun.mark


@contextmanager
def working_in(folder: Path, names: Iterable[str]) -> Iterator[None]:
    """Hold a folder in which these files are to be written, and make it where there is none; nothing is written yet.

    Raises InputError as refuse_foreign, where the folder cannot be written to, and where another process holds it.
    """
    wanted = list(names)
    refuse_foreign(folder, wanted)  # before there is a folder
    make_folder(folder)
    with alone_in(folder) as alone:
        begun = _own_manifest(folder).unfinished
        if alone and begun is not None:
            for place in (folder, folder / FIGURES, folder / SCORES):
                remove_parts(place, begun.mark)
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


def finish(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Write the manifest: what it is to say, with the hashes of these files, which are finished."""
    mark = claim(folder, names := list(names))
    files = dict(sorted({**manifest.files, **{name: sha256(folder / name) for name in names}}.items()))
    begun = manifest.unfinished.files if manifest.unfinished else ()
    rest = tuple(name for name in begun if name not in files and _exists(folder / name))
    _write(folder, replace(manifest, files=files, unfinished=Unfinished(mark, rest) if rest else None), mark)


def finish_more(folder: Path, names: Iterable[str]) -> None:
    """Add finished files to a folder's manifest."""
    finish(folder, read_manifest(folder), names)


def _write(folder: Path, manifest: Manifest, mark: str) -> None:
    replace_files({folder / MANIFEST: _writer(manifest.text().encode())}, mark)
