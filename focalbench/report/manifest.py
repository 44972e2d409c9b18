"""manifest.json: what a folder's files are, what made them, and which are not finished yet."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from focalbench.base.files import regular
from focalbench.errors import InputError
from focalbench.plan.experiment import MANIFEST

FORMAT = 1
TOOL = "focalbench"
MARK = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Unfinished:
    """Files that are being written. mark: what the names of files in the making begin with."""

    mark: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file beside the folder, with its hash."""

    name: str = "an experiment file"
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """A key of manifest.json for each field; None is not written.

    tool: names what wrote a folder without an experiment. experiment: its settings. versions: of the libraries, each
    kind that made a run. platform: of the machine that wrote the folder. same_numbers: where its numbers can be had
    again. data_sha256: of every data set, rate and seed. files: hashes by name. file_sha256: of the user's own data
    files. experiment_file: which one it was. accepted: by what check.csv was made. unfinished: files without a hash.
    others: what another version wrote.
    """

    format: int
    tool: str | None = None
    experiment: Mapping[str, Any] | None = None
    versions: Sequence[Mapping[str, str]] | None = None
    platform: Mapping[str, str] | None = None
    same_numbers: str | None = None
    data_sha256: Sequence[Mapping[str, Any]] | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    file_sha256: Mapping[str, str] | None = None
    experiment_file: NamedFile | None = None
    accepted: Mapping[str, Any] | None = None
    unfinished: Unfinished | None = None
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_ours(self) -> bool:
        """Whether this tool wrote it: the manifests of results name their experiment instead."""
        return self.tool == TOOL or self.experiment is not None

    def text(self) -> str:
        """The file's content."""
        content = {key: value for key, value in asdict(self).items() if value is not None}
        return f"{json.dumps(content | content.pop('others'), indent=1)}\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder. Raises InputError where there is none, and for one of another version."""
    try:
        content = json.loads(regular(folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{folder} holds no readable {MANIFEST} ({error}); run the experiment first") from None
    manifest = _parsed(content)
    if manifest is None:
        raise InputError(f"{folder / MANIFEST} is of another version; run the experiment again")
    return manifest


def _parsed(content: object) -> Manifest | None:
    """The manifest that a JSON value is, None where it is none."""
    if not isinstance(content, dict):
        return None
    known = {each.name for each in fields(Manifest)} - {"others"}
    others = {key: value for key, value in content.items() if key not in known}
    said = {key: value for key, value in content.items() if key in known and value is not None}
    try:
        for key, kind in (("unfinished", Unfinished), ("experiment_file", NamedFile)):
            if key in said:
                said[key] = kind(**said[key])
        found = Manifest(**said, others=others)
    except TypeError:  # another shape
        return None
    return found if _is_sound(found) else None


def _is_sound(found: Manifest) -> bool:
    begun = found.unfinished or Unfinished("0" * 32)
    return (
        found.format == FORMAT
        and isinstance(found.files, dict)
        and MARK.fullmatch(str(begun.mark)) is not None
        and isinstance(begun.files, list | tuple)
        and all(isinstance(name, str) for name in begun.files)
    )
