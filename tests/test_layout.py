"""A file imports only from files above it; this list is the life of a number, from the arm to the command line."""

import ast
from pathlib import Path

import focalbench

ORDER = (
    *("errors", "shown", "ranges", "randomness", "platforms", "mounts", "memory", "disk", "arms"),
    *(
        "datasets.dataset",
        "datasets.families",
        "datasets.synthetic",
        "datasets.dense",
        "datasets.classes",
        "datasets.prevalence",
    ),
    *(
        "datasets.table",
        "datasets.duplicates",
        "datasets.cache",
        "datasets.tables",
        "datasets.targets",
        "datasets.weights",
    ),
    *(
        "datasets.cells",
        "datasets.numbers",
        "datasets.periods",
        "datasets.dates",
        "datasets.earlier",
        "datasets.features",
        "datasets.special",
        "datasets.columns",
    ),
    *("datasets.fetched", "datasets.text_table", "datasets.parquet", "datasets.files"),
    *("datasets.reading", "datasets.leaks"),
    *("datasets.splits", "datasets.folds", "datasets.preprocessing", "datasets.build", "datasets.card", "datasets"),
    *(
        "losses.reference",
        "losses.checks",
        "losses.binary",
        "losses.multiclass",
        "losses.comparators",
        "losses.inverse",
    ),
    *(
        "losses.rivals",
        "losses.loading",
        "losses.source",
        "losses.processes",
        "losses.own_loss",
        "losses.own_process",
        "losses.custom",
        "losses.stack_loss",
        "losses.arm_loss",
    ),
    *("losses.reduction", "losses.modules", "losses.catalogue", "losses"),
    "boosting",
    *("audit.peers", "audit.exactness", "audit.cost", "audit.survey", "audit"),
    *("metrics.ranking", "metrics.threshold", "metrics.calibration", "metrics.influence", "metrics"),
    *(
        "models",
        "samplers",
        "training",
        "choices",
        "experiment",
        "references",
        "plan",
        "seeds",
        "store",
        "evaluation",
        "measuring",
        "stack",
    ),
    *("pools", "cluster", "execution", "records", "estimate", "forecast"),
    *("analysis.statistics", "analysis.rows", "analysis.selection", "analysis.evidence", "analysis.verdicts"),
    *("analysis.comparison", "analysis.per_class", "analysis"),
    *("report.spread", "report.words", "report.tables", "report.curves", "report.influences", "report.owned"),
    "report.folder",
    *("report.style", "report.formulas", "report.figures", "report"),
    *("budget", "sweep", "agreement", "regression"),
    *("bench.timing", "bench.problem", "bench.rows", "bench.peers", "bench.lockstep", "bench.trainer", "bench.ranking"),
    *("bench.start", "bench.memory", "bench.plain", "bench.whole", "bench.growth", "bench.survey", "bench"),
    *(
        "cli.about",
        "cli.again",
        "cli.examples",
        "cli.numbers",
        "cli.options",
        "cli.messages",
        "cli.folders",
        "cli.keys",
    ),
    *("cli.live", "cli.progress", "cli.ending", "cli.stopping", "cli.foresight", "cli.job", "cli.render"),
    *("cli.data", "cli.sweep", "cli.run", "cli.table", "cli.plot", "cli.check"),
    *("cli.audit", "cli.bench"),
    *("cli.datasets", "cli.losses"),
    *("cli.app", "cli", "__main__"),
)
ROOT = Path(focalbench.__file__).parent


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively: name the package in full"
            assert node.module
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("focalbench.") for name in names if name.startswith("focalbench.")}


def test_every_file_has_its_place_and_imports_only_from_above() -> None:
    files = {module_name(path): path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem != "__init__"}
    assert set(files) == set(ORDER)
    place = {name: i for i, name in enumerate(ORDER)}
    below = [
        f"{name} imports {other}"
        for name, path in files.items()
        for other in imported(path) & set(ORDER)
        if place[other] >= place[name] and not name.startswith(f"{other}.")  # `from package import neighbour`
    ]
    assert below == []


def test_init_files_only_re_export() -> None:
    for path in ROOT.rglob("__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            plain = isinstance(node, (ast.ImportFrom, ast.Assign)) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            )
            assert plain, f"{path} does more than re-export: line {node.lineno}"


def test_the_root_holds_only_what_is_named() -> None:
    named = {"focalbench", "experiments", "tests", "results", "pyproject.toml", "README.md"}
    named |= {"LICENSE", "CHANGELOG.md", "constraints.txt"}
    tracked = {path.name for path in ROOT.parent.iterdir() if not path.name.startswith((".", "__"))}
    assert tracked - {"build", "figures", "focalbench.egg-info"} <= named
