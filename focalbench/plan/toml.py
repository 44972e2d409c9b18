"""An experiment as a TOML file. An unknown key is an error, and a file reads data in its own folder only."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from focalbench.base.files import regular
from focalbench.base.text import near_or, setting
from focalbench.datasets.files.fetched import is_fetched
from focalbench.datasets.files.file import file_sha256
from focalbench.datasets.synthetic.families import is_synthetic
from focalbench.datasets.tables.real import REAL_TABLES
from focalbench.errors import InputError
from focalbench.plan.claims import Claim, Claims, read_claims
from focalbench.plan.experiment import KEYS, MANIFEST, Experiment, setting_of, with_new_names
from focalbench.runs.arm import Arm, is_custom, read_init
from focalbench.runs.arm_choice import read_alpha
from focalbench.runs.columns import COLUMN_KEYS, NO_COLUMNS
from focalbench.runs.metric import Metric, ThresholdAt
from focalbench.runs.reference import Reference, is_own
from focalbench.runs.resampling import Resampling

Scalar = TypeVar("Scalar")
CLAIM_TABLES = ("parts", "claims")
WHOLE = "all"  # the part of a file without parts
CHECK_EPOCHS = 5  # beyond them, rounding on another CPU moves the numbers
READ: dict[str, Callable[[str], object]] = {"metric": Metric.parse, "threshold_at": ThresholdAt.parse}
UNSET: dict[str, type] = {"epochs": int, "margin": float}  # what else is not set by default is a text


def to_toml(experiment: Experiment) -> str:
    """The experiment as TOML, complete: reading it gives an equal one, if it has no loss or model of somebody's own."""
    lines = []
    for name in KEYS:
        value = setting_of(experiment, name)
        if name == "positive_rates":
            value = _rates(experiment.positive_rates)
        if name == "own_rates":
            inside = (f"{_toml(dataset)} = {_toml(_rates(rates))}" for dataset, rates in experiment.own_rates)
            lines.append(f"own_rates = {{ {', '.join(inside)} }}" if experiment.own_rates else "own_rates = {}")
        elif name != "arms" and value is not None:
            lines.append(f"{name} = {_toml(value)}")
    for arm in experiment.arms:
        alpha = "none" if arm.alpha is None else arm.alpha
        lines.append("\n[[arms]]")
        lines += [
            f"{k} = {_toml(v)}"
            for k, v in (("loss", arm.loss), ("alpha", alpha), ("gamma", arm.gamma), ("init", arm.init))
        ]
        if arm.resampling:
            lines.append(f"resampling = {_toml(str(arm.resampling))}")
        if arm.params:
            lines.append("params = { " + ", ".join(f"{name} = {value!r}" for name, value in arm.params) + " }")
    return "\n".join(lines) + "\n"


def _rates(rates: Sequence[float | None]) -> list[float | str]:
    return ["natural" if rate is None else rate for rate in rates]


def _toml(value: object) -> str:
    # JSON but for two things: TOML has no surrogate pairs, and wants DEL escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def load(path: Path, given: Sequence[Path] = ()) -> tuple[Experiment, tuple[Experiment, ...]]:
    """Read an experiment file: the experiment, and the short ones its [[check]] tables declare (overrides of it).

    Its data files lie in its folder or below, or are among those `given`, which are told by their names: a file from
    somebody else cannot make this process read others. Raises InputError for a missing or malformed file, an unknown
    key, a value of the wrong kind, or a data file elsewhere.
    """
    content = with_new_names(_parsed(path))
    for key in CLAIM_TABLES:
        content.pop(key, None)
    checks = content.pop("check", [])
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        raise InputError(f"{path}: write each check as its own [[check]] table")
    base = _placed(from_mapping(content, None, str(path)), path, given)
    short = tuple(_placed(from_mapping(check, base, f"{path}, [[check]]"), path, given) for check in checks)
    if any(check.epochs is None or check.epochs > CHECK_EPOCHS for check in short):
        raise InputError(f"{path}: a [[check]] may have at most {CHECK_EPOCHS} epochs; say so in it: epochs = 3")
    return base, short


def claims_in(path: Path) -> tuple[Claim, ...]:
    """The [[claims]] of an experiment file by themselves, its data wherever they are. Raises InputError where it has
    none.
    """
    return read_claims(_parsed(path).get("claims"), str(path))


def load_claims(path: Path, given: Sequence[Path] = ()) -> Claims | None:
    """Read the [[parts]] and [[claims]] of an experiment file; None where it claims nothing. Raises InputError as load,
    and for a claim that its parts do not hold the runs of.
    """
    content = _parsed(path)
    if isinstance(content.get("claims", True), bool):  # what `smoke_test` once was
        if "parts" in content:
            raise InputError(f"{path}: [[parts]] are what [[claims]] rest on, and there are none")
        return None
    base, _ = load(path, given)
    parts = content.get("parts", [{"name": WHOLE}])
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise InputError(f"{path}: write each part as its own [[parts]] table")
    read = tuple(_part(part, base, path) for part in parts)
    placed = tuple((name, _placed(experiment, path, given)) for name, experiment in read)
    try:
        return Claims(placed, read_claims(content["claims"], str(path)))
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(str(path)) else f"{path}: {error}") from None


def _part(content: Mapping[str, Any], base: Experiment, path: Path) -> tuple[str, Experiment]:
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise InputError(f"{path}: each of [[parts]] has a name, got {name!r}")
    changed = {key: value for key, value in content.items() if key != "name"}
    where = f"{path}, part {name}"
    try:
        found = from_mapping(changed, base, where)
    except InputError as error:
        raise InputError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
    if found.smoke_test:
        raise InputError(f"{where}: a smoke test supports no claims; leave smoke_test out")
    return name, found


def _parsed(path: Path) -> dict[str, Any]:
    """What a TOML file holds. Raises InputError where it cannot be read, is not valid, or holds nothing."""
    try:
        content = tomllib.loads(regular(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the experiment file {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # in its form, encoding, endless numbers, lists in lists in lists
        raise InputError(f"{path} is not valid TOML: {error}") from None
    if not content:
        raise InputError(f"{path} is empty; name at least its datasets")
    return content


def files_of(experiment: Experiment) -> dict[str, Path]:
    """Where the user's own files lie that an experiment names."""
    places = dict(experiment.places)
    return {name: Path(places.get(name, name)) for name in filter(_is_file, experiment.datasets)}


def _is_file(name: str) -> bool:
    return not (is_synthetic(name) or name in REAL_TABLES or is_fetched(name))


def _placed(experiment: Experiment, path: Path, given: Sequence[Path]) -> Experiment:
    """The experiment of a file, with the places of its data files."""
    by_name, known = {each.name: str(each) for each in given}, _known_files(path.parent)
    places = (
        (name, by_name.get(Path(name).name) or _known_place(path, name, known) or _inside(path, name))
        for name in filter(_is_file, experiment.datasets)
    )
    return replace(experiment, places=tuple(places))


def _known_files(folder: Path) -> dict[str, str]:
    """The hashes of the data files that a results folder was made from; none where it is no such folder."""
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return {name: sha256 for name, sha256 in content["file_sha256"].items() if isinstance(sha256, str)}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def _known_place(path: Path, name: str, known: Mapping[str, str]) -> str | None:
    """Where the very file lies that a results folder was made from, named as it was then: the same content is no secret
    to whoever wrote its hash.
    """
    if name not in known:
        return None
    for place in (path.parent / name, Path(name)):
        if _holds(place, known[name]):
            return str(place)
    raise InputError(
        f"{path} was made from {name}, which is not here as it was then; say where it is: {setting('data', name)}"
    )


def _holds(place: Path, sha256: str) -> bool:
    try:
        return place.is_file() and file_sha256(str(place)) == sha256
    except (OSError, ValueError):  # no name that a file may have, or no right to read it
        return False


def _inside(path: Path, name: str) -> str:
    """Where a data file lies that an experiment file names, in or below that file's folder."""
    folder = path.resolve().parent
    try:
        place = (folder / name).resolve()
    except (OSError, ValueError, RuntimeError):  # no name that a file may have
        return name  # which planning refuses
    if not place.is_relative_to(folder):
        raise InputError(
            f"{path} may read data in its own folder only, not {name}; allow that with {setting('data', name)}"
        )
    return str(path.parent / name)


def from_mapping(content: Mapping[str, Any], base: Experiment | None, where: str) -> Experiment:
    """`base` with the values of a parsed TOML table in place of its own; without one, what they leave out is usual."""
    defaults = {name: setting_of(Experiment(), name) for name in KEYS}
    changes: dict[str, Any] = {}
    for key, value in content.items():
        if key not in defaults:
            hint = near_or(key, defaults, f"the keys are {', '.join(defaults)}")
            raise InputError(f"{where}: unknown key {key!r}; {hint}")
        changes[key] = _value(key, value, defaults[key], where)
    columns = NO_COLUMNS if base is None else base.columns
    changes["columns"] = replace(columns, **{key: changes.pop(key) for key in COLUMN_KEYS if key in changes})
    if base is None:
        return Experiment(**changes)
    if changes.get("task", base.task) != base.task and "arms" not in changes:
        changes["arms"] = ()  # the task's own
    return replace(base, **changes)


def _value(key: str, value: object, default: object, where: str) -> object:
    if key == "arms":
        return tuple(_arm(item, where) for item in _list(key, value, where))
    if key == "positive_rates":
        return _read_rates(key, value, where)
    if key == "own_rates":
        if not isinstance(value, dict):
            raise InputError(f"{where}: own_rates is a table such as {{ mixture = [0.01] }}, got {value!r}")
        return tuple((dataset, _read_rates(key, rates, where)) for dataset, rates in value.items())
    if key == "references":
        return value if isinstance(value, bool) else tuple(_reference(item, where) for item in _names(value, where))
    if isinstance(default, tuple):
        kind = type(default[0]) if default else str
        return tuple(_scalar(key, item, kind, where) for item in _list(key, value, where))
    found: object = _scalar(key, value, UNSET.get(key, str) if default is None else type(default), where)
    return READ[key](str(found)) if key in READ else found


def _read_rates(key: str, value: object, where: str) -> tuple[float | None, ...]:
    return tuple(None if item == "natural" else _scalar(key, item, float, where) for item in _list(key, value, where))


def _names(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise InputError(f"{where}: references must be true, false or a list of names, got {value!r}")
    return value


def _reference(item: object, where: str) -> Reference:
    name = _scalar("references", item, str, where)
    if is_own(name):
        remedy = setting("reference", name)
        raise InputError(f"{where}: a model of your own is named on the command line or in Python only, as {remedy}")
    try:
        return Reference(name)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _list(key: str, value: object, where: str) -> list[object]:
    if not isinstance(value, list) or (key not in ("drop", "category", "hidden", "labels") and not value):
        raise InputError(f"{where}: {key} must be a list with at least one entry, got {value!r}")
    return value


def _scalar(key: str, value: object, kind: type[Scalar], where: str) -> Scalar:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise InputError(f"{where}: {key} is beyond every float, write a smaller number") from None
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise InputError(f"{where}: {key} must be of the kind {kind.__name__}, got {value!r}")
    return value


class _ArmTable(NamedTuple):
    """An arm as a file writes it."""

    loss: object
    alpha: object = "none"
    gamma: object = 0.0
    init: object = "own"
    params: object = MappingProxyType({})
    resampling: object = None


def _arm(item: object, where: str) -> Arm:
    if not isinstance(item, dict) or not item.keys() <= set(_ArmTable._fields) or "loss" not in item:
        raise InputError(
            f"{where}: an arm is a table with loss, alpha, gamma, init, params and resampling, got {item!r}"
        )
    said = _ArmTable(**item)
    loss = _scalar("loss", said.loss, str, where)
    if is_custom(loss):
        raise InputError(f"{where}: your own loss is named on the command line only, as {setting('loss', loss)}")
    alpha = said.alpha if isinstance(said.alpha, str) else repr(_scalar("alpha", said.alpha, float, where))
    gamma = _scalar("gamma", said.gamma, float, where)
    if not isinstance(said.params, Mapping):
        raise InputError(f"{where}: params must be a table such as {{ ratio = 3.0 }}, got {said.params!r}")
    params = tuple((name, _scalar(name, value, float, where)) for name, value in said.params.items())
    resampled = None if said.resampling is None else _scalar("resampling", said.resampling, str, where)
    try:
        resampling = None if resampled is None else Resampling.parse(resampled)
        return Arm(loss, read_alpha(alpha), gamma, read_init(said.init), params, resampling=resampling)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
