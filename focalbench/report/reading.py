"""Reading a results folder back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from focalbench.analysis.claim_rows import ClaimRow
from focalbench.analysis.recommendation import Recommendation, recommend
from focalbench.analysis.rows import ArmRow, ClassRow
from focalbench.analysis.run_rows import RunRow
from focalbench.base.rows import read_rows
from focalbench.errors import InputError
from focalbench.plan.claims import Claim
from focalbench.plan.experiment import MANIFEST
from focalbench.plan.toml import claims_in
from focalbench.report.advice import Advice, advise
from focalbench.report.folder import CLAIMS, CLASSES, EXPERIMENT, INFLUENCES, RUNS, TABLE, check_unchanged
from focalbench.report.influences import read_influences
from focalbench.report.manifest import read_manifest
from focalbench.report.snippets import Trained
from focalbench.runs.arm import Arm
from focalbench.runs.resampling import Resampling
from focalbench.runs.run import RESNET


@contextmanager
def written_by_a_sweep(folder: Path) -> Iterator[None]:
    """Turn what values that no sweep writes lead to, in a folder from somebody else, into an InputError."""
    try:
        yield
    except InputError:
        raise
    except (ArithmeticError, LookupError, StopIteration, TypeError, ValueError) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(f"{folder} holds values that no sweep writes ({what}); run the experiment again") from None


def classes_of(folder: Path) -> list[ClassRow]:
    """The table of single classes of a results folder; none where targets are binary."""
    if not (folder / CLASSES).is_file():
        return []
    classes = read_rows(folder / CLASSES, ClassRow)
    check_unchanged(folder, [CLASSES])
    return classes


def table_of(folder: Path) -> list[ArmRow]:
    """The table of a results folder. Raises InputError where there is none, or another program's."""
    if not (folder / TABLE).is_file():
        raise InputError(f"{folder} holds no {TABLE}; write one with focalbench sweep")
    rows = read_rows(folder / TABLE, ArmRow)
    if not rows:
        raise InputError(f"{folder / TABLE} is empty; run the sweep again")
    check_unchanged(folder, [TABLE])
    return rows


def results_in(folder: Path) -> list[Path]:
    """The folder itself, where it holds results, or nothing; else those in it that do."""
    inside = [path.parent for path in sorted(folder.glob(f"*/{MANIFEST}")) if _is_of_results(path.parent)]
    return inside if inside and not _is_of_results(folder) else [folder]


def _is_of_results(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (TABLE, CLAIMS))


def read_claims(folders: Sequence[Path]) -> tuple[list[Claim], list[ClaimRow]]:
    """The claims of results folders and what their runs say of them. Raises InputError where two have the same id."""
    claims = [claim for folder in folders for claim in claims_in(folder / EXPERIMENT)]
    if len({claim.id for claim in claims}) < len(claims):
        raise InputError("two of the folders hold claims of the same id; show them one by one")
    return claims, [row for folder in folders for row in read_rows(folder / CLAIMS, ClaimRow)]


def advice_of(folder: Path) -> list[Advice]:
    """What a results folder advises, for each of its data sets. Raises InputError where it is no sweep's folder."""
    table, runs = table_of(folder), read_rows(folder / RUNS, RunRow)
    found = recommend(table, runs, read_influences(folder / INFLUENCES))
    return [advice_for(folder, each) for each in found]


def advice_for(folder: Path, found: Recommendation) -> Advice:
    """The advice that a recommendation of a results folder comes to."""
    return advise(found, _trained(folder, found))


def _trained(folder: Path, found: Recommendation) -> Trained | None:
    said = read_manifest(folder).experiment or {}
    if said.get("model") == RESNET:
        return None
    hidden = tuple(said.get("hidden", ())) if said.get("model") == "mlp" else ()
    arm = arm_called(folder, found.network.arm)
    return Trained(arm, hidden, found.lr, found.epochs, int(said.get("batch_size", 0)))


def arm_called(folder: Path, name: str) -> Arm:
    """The arm of a row of a folder's table, by its name. Raises InputError where the manifest has none."""
    for content in (read_manifest(folder).experiment or {}).get("arms", ()):
        said = content.get("resampling")
        typed = {
            "params": tuple(map(tuple, content["params"])),
            "resampling": None if said is None else Resampling.parse(said),
        }
        arm = Arm(**content | typed)
        if arm.name == name:
            return arm
    raise InputError(f"the manifest of {folder} has no arm {name!r}; run the experiment again")
