"""An experiment: everything a person decides, as a frozen dataclass and as a TOML file. An unknown key is an error."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from focalbench.base.files import regular
from focalbench.base.text import setting
from focalbench.datasets.files.fetched import is_fetched
from focalbench.datasets.files.file import file_sha256
from focalbench.datasets.synthetic.families import canonical, is_synthetic
from focalbench.datasets.tables.installed import REAL_TABLES
from focalbench.errors import InputError
from focalbench.runs.arm import Arm, is_custom, read_init
from focalbench.runs.arm_choice import (
    baseline_of,
    core_losses,
    in_order,
    own_arms,
    plain_arm,
    read_alpha,
    with_zero_starts,
)
from focalbench.runs.catalogue import CATALOGUE, SOFTMAX, TASKS, Task, sees_batches
from focalbench.runs.columns import COLUMN_KEYS, NO_COLUMNS, Columns
from focalbench.runs.run import TestPrevalence
from focalbench.training.samplers import check_sampler

Scalar = TypeVar("Scalar")
MOST = {"rows": 10_000_000, "seeds": 10_000, "steps": 10_000_000, "batch_size": 100_000}  # beyond: a slip of the hand
MOST_EPOCHS, LEAST_EPOCHS = 10_000, 20  # the least where a budget of steps decides
MOST_UNITS = 16_384
USUAL_RATE = 0.0015  # of synthetic data, which has no natural one
MANIFEST = "manifest.json"  # of a results folder, beside its experiment.toml
CHECK_EPOCHS = 5  # beyond them, rounding on another CPU moves the numbers
UNSET: dict[str, type] = {"epochs": int, "margin": float}  # what else is not set by default is a text
SAMPLERS_OF_CLASSES = ("random", "stratified", "groups")  # those that leave the rates alone


@dataclass(frozen=True)
class Experiment:
    """datasets x positive_rates (None: natural; (): the usual ones) x arms x lrs x seeds, on equal terms.

    task: binary, multiclass (the rate is that of the rare class) or multilabel. columns: what is said
    of those of a file. arms: () are those of the default sweep of the task. rows: training rows; label_noise:
    share of positives swapped, in [0, 0.5); steps: the budget of every run in optimiser steps (at least 20 epochs);
    epochs: passes over the rows instead; tuned: whether families of several arms get a row of their best, all with as
    many candidates; margin: the difference in average precision that matters, None for the usual one (verdicts.py);
    references: whether scikit-learn's models stand under the table; claims: False where a table is too small to support
    one, and says so. places: where the files that `datasets` names lie, by name, unless they lie where a process
    starts; no part of what an experiment is.
    """

    task: Task = "binary"
    datasets: tuple[str, ...] = ("mixture",)
    positive_rates: tuple[float | None, ...] = ()
    columns: Columns = NO_COLUMNS
    test_prevalence: TestPrevalence = "weight"
    label_noise: float = 0.0
    rows: int = 40_000
    arms: tuple[Arm, ...] = ()
    lrs: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    first_seed: int = 0
    seeds: int = 10
    steps: int = 1560
    epochs: int | None = None
    batch_size: int = 512
    sampler: str = "random"
    model: str = "mlp"
    hidden: tuple[int, ...] = (32, 32)
    device: str = "cpu"
    references: bool = True
    tuned: bool = False
    margin: float | None = None
    claims: bool = True
    places: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise InputError(f"unknown task {self.task!r}; choose one of {', '.join(TASKS)}")
        if not self.arms:
            object.__setattr__(self, "arms", with_zero_starts(own_arms(self.task)))
        if not self.positive_rates:
            object.__setattr__(self, "positive_rates", _usual_rates(self.datasets))
        object.__setattr__(self, "arms", in_order(self.arms))  # so that runs.csv is the same however they are typed
        object.__setattr__(self, "lrs", tuple(sorted(self.lrs)))
        for name, most in MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise InputError(f"{name} must lie between 1 and {most:,}, got {getattr(self, name):,}")
        if self.epochs is not None and not 1 <= self.epochs <= MOST_EPOCHS:
            raise InputError(f"epochs must lie between 1 and {MOST_EPOCHS:,}, got {self.epochs:,}")
        if self.margin is not None and not 0 < self.margin < 1:
            raise InputError(f"margin is a difference in average precision, above 0 and below 1; got {self.margin}")
        if self.first_seed < 0:
            raise InputError(f"first_seed must be at least 0, got {self.first_seed}")
        if not self.lrs or not all(0 < lr < float("inf") for lr in self.lrs):
            raise InputError(f"learning rates must be finite numbers above 0, got {list(self.lrs)}")
        if self.model not in ("logistic", "mlp"):
            raise InputError(f"unknown model {self.model!r}; choose logistic or mlp")
        if self.model == "mlp" and not (self.hidden and 1 <= min(self.hidden) <= max(self.hidden) <= MOST_UNITS):
            raise InputError(f"hidden must name layers of 1 to {MOST_UNITS:,} units, got {list(self.hidden)}")
        if not 0 <= self.label_noise < 0.5:
            raise InputError(f"label noise must lie in [0, 0.5), got {self.label_noise}")
        for rate in self.positive_rates:
            if rate is not None and not 0 < rate < 1:
                raise InputError(f"the positive rate must lie between 0 and 1, got {rate}")
        if self.device not in ("cpu", "cuda"):
            raise InputError(f"unknown device {self.device!r}; choose cpu or cuda")
        object.__setattr__(self, "sampler", check_sampler(self.sampler, self.batch_size))
        names = [canonical(name) if is_synthetic(name) else Path(name).name for name in self.datasets]
        repeatable = {"positive_rates": self.positive_rates, "lrs": self.lrs, "arms": self.arms, "file names": names}
        repeatable["labels"] = self.columns.labels
        for name, values in repeatable.items():
            if len(set(values)) < len(values):
                raise InputError(f"{name} holds an entry twice; name each once")
        for arm in self.arms:
            if (plain := plain_arm(arm)) != arm:
                raise InputError(f"{arm.name} is {plain.name} up to a factor; name the loss {plain.loss}")
            if self.columns.weight and (sees_batches(arm.loss) or is_custom(arm.loss)):
                raise InputError(f"{arm.loss} sees whole batches and takes no row weights; leave it or `weight` out")
        if self.columns.group and self.columns.time:
            raise InputError("`group` and `time` are two ways to split; give one")
        if self.test_prevalence not in ("thin", "weight"):
            raise InputError(f"unknown `test_prevalence` {self.test_prevalence!r}; choose thin or weight")
        baseline = baseline_of(self.task)
        for init in {arm.init for arm in self.arms}:
            if replace(baseline, init=init) not in self.arms:
                raise InputError(f"arms started at {init!r} need {baseline.loss} at the same start to be compared with")
        self._check_task()
        self._check_names()

    def _check_task(self) -> None:
        """What goes with one task only."""
        for arm in self.arms:
            if arm.loss in SOFTMAX and self.task != "multiclass":
                raise InputError(f"{arm.loss} is a softmax over classes: use it with `task=multiclass`")
            if self.task not in (CATALOGUE[arm.loss].tasks if arm.loss in CATALOGUE else ("binary",)):
                raise InputError(
                    f"{arm.loss} is for `task=binary`; {self.task} has {', '.join(core_losses(self.task))}"
                )
        if len(self.columns.labels) == 1:
            raise InputError("`task=multilabel` predicts several columns: give two or more `labels`, or use `target`")
        if self.columns.labels and (self.task != "multilabel" or self.columns.target):
            raise InputError("`labels` names what `task=multilabel` predicts, instead of `target`")
        if self.task == "binary":
            return
        if self.label_noise:
            raise InputError("`label_noise` is for `task=binary`; leave it out")
        if self.sampler not in SAMPLERS_OF_CLASSES:
            names = ", ".join(SAMPLERS_OF_CLASSES)
            raise InputError(f"`sampler={self.sampler}` draws two classes only; with `task={self.task}` choose {names}")
        tables = [name for name in self.datasets if not is_synthetic(name)]
        if self.task == "multilabel" and tables and set(self.positive_rates) != {None}:
            raise InputError(
                "the labels of a table share its rows, so no label has a rate of its own: leave `positive_rates` "
                'out (in a file: positive_rates = ["natural"])'
            )
        if self.task == "multilabel" and tables and not self.columns.labels:
            raise InputError("`task=multilabel` needs `labels` for each column to predict, two or more of them")

    def _check_names(self) -> None:
        """What the files of results, which are UTF-8, could not hold: a file's name may be any bytes."""
        values = (_setting(self, key) for key in KEYS)
        texts = (text for value in values for text in (value if isinstance(value, tuple) else (value,)))
        for text in texts:
            if isinstance(text, str) and any("\ud800" <= sign <= "\udfff" for sign in text):
                raise InputError(f"{text!r} is not UTF-8, as files of results are; rename it")


def _usual_rates(datasets: Sequence[str]) -> tuple[float | None, ...]:
    """What is measured where no rate is asked for. Raises InputError where data sets of two kinds have none in common.

    >>> _usual_rates(["mixture", "xor"]), _usual_rates(["fraud.csv"])
    ((0.0015,), (None,))
    """
    kinds = {is_synthetic(name) for name in datasets}
    if len(kinds) > 1:
        raise InputError(f"synthetic data sets and tables have no usual rate in common; give one, such as {USUAL_RATE}")
    return (USUAL_RATE,) if True in kinds else (None,)


_OWN = [each.name for each in fields(Experiment) if each.name != "places"]
KEYS = tuple(key for name in _OWN for key in (COLUMN_KEYS if name == "columns" else (name,)))


def _setting(experiment: Experiment, key: str) -> object:
    """The value of one of KEYS."""
    return getattr(experiment.columns if key in COLUMN_KEYS else experiment, key)


def to_toml(experiment: Experiment) -> str:
    """The experiment as TOML, complete: reading it gives an equal experiment, if it has no loss of somebody's own."""
    lines = []
    for name in KEYS:
        value = _setting(experiment, name)
        if name == "positive_rates":
            value = tuple("natural" if rate is None else rate for rate in experiment.positive_rates)
        if name != "arms" and value is not None:
            lines.append(f"{name} = {_toml(value)}")
    for arm in experiment.arms:
        alpha = "none" if arm.alpha is None else arm.alpha
        lines.append("\n[[arms]]")
        lines += [
            f"{k} = {_toml(v)}"
            for k, v in (("loss", arm.loss), ("alpha", alpha), ("gamma", arm.gamma), ("init", arm.init))
        ]
        if arm.params:
            lines.append("params = { " + ", ".join(f"{name} = {value!r}" for name, value in arm.params) + " }")
    return "\n".join(lines) + "\n"


def _toml(value: object) -> str:
    # JSON but for two things: TOML has no surrogate pairs, and wants DEL escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", r"\u007f")


def as_mapping(experiment: Experiment) -> dict[str, Any]:
    """All that an experiment is, for a manifest."""
    content = asdict(experiment)
    content |= content.pop("columns")
    return {name: content[name] for name in KEYS}


def load(path: Path, given: Sequence[Path] = ()) -> tuple[Experiment, tuple[Experiment, ...]]:
    """Read an experiment file: the experiment, and the short ones its [[check]] tables declare (overrides of it).

    Its data files lie in its folder or below, or are among those `given`, which are told by their names: a file from
    somebody else cannot make this process read others. Raises InputError for a missing or malformed file, an unknown
    key, a value of the wrong kind, or a data file elsewhere.
    """
    try:
        content = tomllib.loads(regular(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read the experiment file {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # in its form, encoding, endless numbers, lists in lists in lists
        raise InputError(f"{path} is not valid TOML: {error}") from None
    if not content:
        raise InputError(f"{path} is empty; name at least its datasets")
    checks = content.pop("check", [])
    if not isinstance(checks, list) or not all(isinstance(check, dict) for check in checks):
        raise InputError(f"{path}: write each check as its own [[check]] table")
    base = _placed(from_mapping(content, None, str(path)), path, given)
    short = tuple(_placed(from_mapping(check, base, f"{path}, [[check]]"), path, given) for check in checks)
    if any(check.epochs is None or check.epochs > CHECK_EPOCHS for check in short):
        raise InputError(f"{path}: a [[check]] may have at most {CHECK_EPOCHS} epochs; say so in it: epochs = 3")
    return base, short


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
    defaults = {name: _setting(Experiment(), name) for name in KEYS}
    changes: dict[str, Any] = {}
    for key, value in content.items():
        if key not in defaults:
            raise InputError(f"{where}: unknown key {key!r}; the keys are {', '.join(defaults)}")
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
        return tuple(
            None if item == "natural" else _scalar(key, item, float, where) for item in _list(key, value, where)
        )
    if isinstance(default, tuple):
        kind = type(default[0]) if default else str
        return tuple(_scalar(key, item, kind, where) for item in _list(key, value, where))
    return _scalar(key, value, UNSET.get(key, str) if default is None else type(default), where)


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


def _arm(item: object, where: str) -> Arm:
    if not isinstance(item, dict) or not item.keys() <= set(_ArmTable._fields) or "loss" not in item:
        raise InputError(f"{where}: an arm is a table with loss, alpha, gamma, init and params, got {item!r}")
    said = _ArmTable(**item)
    loss = _scalar("loss", said.loss, str, where)
    if is_custom(loss):
        raise InputError(f"{where}: your own loss is named on the command line only, as {setting('loss', loss)}")
    alpha = said.alpha if isinstance(said.alpha, str) else repr(_scalar("alpha", said.alpha, float, where))
    gamma = _scalar("gamma", said.gamma, float, where)
    if not isinstance(said.params, Mapping):
        raise InputError(f"{where}: params must be a table such as {{ ratio = 3.0 }}, got {said.params!r}")
    params = tuple((name, _scalar(name, value, float, where)) for name, value in said.params.items())
    try:
        return Arm(loss, read_alpha(alpha), gamma, read_init(said.init), params)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
