"""Whatever is typed or lies in a file: exit code 0 or 2, one sentence, nothing written or lost where it is refused."""

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from focalbench.experiment import KEYS
from tests.attempts import Ended, Files, attempt
from tests.faults.hostile import PLACE, VALUES, Attempt, command_lines, csv_sweeps, experiment_runs, readings

Record = Callable[[str, object], None]
LONGEST = 1_500  # characters of a refusal: a page would be no sentence
TRIED, TRACEBACKS = "tried", "tracebacks"
OUTCOMES: dict[object, str] = {0: "accepted", 1: "stale results found", 2: "refused with exit code 2"}


def check_promise(tried: Attempt, ended: Ended) -> None:
    """The promise of this file's first line."""
    assert "Traceback" not in ended.stderr
    if ended.code == 1:  # so `check` says that a folder is stale, and nothing else does
        assert tried.arguments[0] == "check"
        return
    assert ended.code in (0, 2)
    lost = [name for name in PLACE if ended.after.get(name) != ended.before[name]]
    assert lost == []
    if ended.code == 2:
        assert ended.after == ended.before
        check_refusal(tried, ended)


def check_refusal(tried: Attempt, ended: Ended) -> None:
    """One sentence, after remarks on the data if any; or typer's box; or its help where nothing at all was typed."""
    *before, last = ended.stderr.splitlines() or [""]
    if tried.arguments == () or (before and before[0].startswith(("Usage: ", "╭─ Error"))):
        return
    assert ended.stdout == ""
    assert last.startswith("focalbench: ")
    assert not any(line.startswith("focalbench: ") for line in before)
    assert all(sign.isprintable() or sign == "\n" for sign in ended.stderr)
    assert len(last) <= LONGEST


def throw(attempts: st.SearchStrategy[Attempt], place: Files, chosen: settings, record: Record) -> None:
    """Try attempts until one breaks the promise, and report counts either way."""
    counts = Counter({TRIED: 0, TRACEBACKS: 0, OUTCOMES[0]: 0, OUTCOMES[2]: 0})

    @settings(chosen, suppress_health_check=list(HealthCheck))
    @given(attempts)
    def keeps_the_promise(tried: Attempt) -> None:
        counts[TRIED] += 1
        try:
            ended = attempt(tried.arguments, place | tried.files)
        except Exception:
            counts[TRACEBACKS] += 1
            raise
        counts[OUTCOMES.get(ended.code, "ended otherwise")] += 1
        note(f"exit code {ended.code}, standard error: {ended.stderr[-2_000:]!r}")
        check_promise(tried, ended)

    try:
        keeps_the_promise()
    finally:
        for name, count in counts.items():
            record(f"hostile inputs: {name}", count)
    assert counts[OUTCOMES[2]]  # else the generator is tame
    assert counts[OUTCOMES[0]]  # else it never comes far


@pytest.fixture(scope="module")
def results() -> Files:
    """A results folder r of the experiment e.toml."""
    ended = attempt(["run", "e.toml", "--workers", "1", "--out", "r"], PLACE)
    assert ended.code == 0, ended.stderr
    return {name: content for name, content in ended.after.items() if name.startswith("r/")}


@pytest.fixture
def place(results: Files) -> Files:
    return PLACE | {name: content for name, content in results.items() if content}


def attempts(kind: str, place: Files) -> st.SearchStrategy[Attempt]:
    readable = {
        name: place[name] for name in place if name.startswith("r/") and name.endswith((".csv", ".json", ".toml"))
    }
    strategies: dict[str, Callable[[], st.SearchStrategy[Attempt]]] = {
        "options": command_lines,
        "experiment files": experiment_runs,
        "data files": csv_sweeps,
        "results folders": lambda: readings(readable),
    }
    return strategies[kind]()


KINDS = {"options": 45, "experiment files": 20, "data files": 45, "results folders": 15}  # and how many are a few
FEW = settings(derandomize=True, phases=[Phase.generate])  # the slow test shrinks what it finds
MANY = settings(max_examples=250)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input(kind: str, place: Files, record_property: Record) -> None:
    throw(attempts(kind, place), place, settings(FEW, max_examples=KINDS[kind]), record_property)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_much_hostile_input(kind: str, place: Files, record_property: Record) -> None:
    throw(attempts(kind, place), place, MANY, record_property)


def test_every_key_is_tried() -> None:
    assert VALUES.keys() | {"arms"} == set(KEYS)
