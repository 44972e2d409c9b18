"""The rooms of the package: the life of a number, from the arm to the command line."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import focalbench

# a room imports from those before it, and in it nothing goes round in a circle
ROOMS = (
    *("errors", "base", "runs", "datasets", "losses", "boosting", "metrics", "training", "estimators"),
    *("plan", "execution", "analysis", "report", "jobs", "display", "api", "audit", "bench", "cli", "__main__"),
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


def modules() -> dict[str, set[str]]:
    """Every module but the package's own, and the modules that it imports; a package stands for its __init__."""
    files = {module_name(path): path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.stem != "__init__"}
    return {name: imported(path) & set(files) - {name} for name, path in files.items()}


def room(name: str) -> str:
    return name.partition(".")[0]


def test_every_file_is_in_a_room_that_imports_only_from_those_before_it() -> None:
    found = modules()
    assert {room(name) for name in found} == set(ROOMS)
    below = [
        f"{name} imports {other}"
        for name, others in found.items()
        for other in others
        if ROOMS.index(room(other)) > ROOMS.index(room(name))
    ]
    assert below == []


def test_no_imports_go_round_in_a_circle() -> None:
    found = {  # `from package import neighbour` names the package, too
        name: {other for other in others if not name.startswith(f"{other}.")} for name, others in modules().items()
    }
    list(TopologicalSorter(found).static_order())


def test_init_files_only_re_export() -> None:
    for path in ROOT.rglob("__init__.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            plain = isinstance(node, (ast.ImportFrom, ast.Assign)) or (
                isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            )
            assert plain, f"{path} does more than re-export: line {node.lineno}"


def test_the_root_holds_only_what_is_named() -> None:
    named = {"focalbench", "experiments", "tests", "results", "pyproject.toml", "README.md"}
    named |= {"LICENSE", "CITATION.cff", "CHANGELOG.md", "constraints.txt"}
    tracked = {path.name for path in ROOT.parent.iterdir() if not path.name.startswith((".", "__"))}
    assert tracked - {"build", "figures", "focalbench.egg-info"} <= named
