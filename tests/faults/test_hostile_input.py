"""Whatever is typed or lies in a file: exit code 0 or 2, one sentence, nothing written or lost where it is refused.

And wherever a command runs: files of others stay, nothing waits for ever, no name is obeyed by a terminal, and the
process is left as it was.
"""

import signal
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from focalbench.plan.experiment import KEYS
from tests.faults.hostile import PLACE, VALUES, Attempt, command_lines, csv_sweeps, experiment_runs, readings
from tests.faults.surroundings import limited, named, of_others, read, shared_state, special, under
from tests.support.attempts import Ended, Files, Said, attempt, contents, lay, typed

pytestmark = pytest.mark.processes

Record = Callable[[str, object], None]
MACHINE = (1, 3)  # exit codes that blame it
PATIENCE = 300  # seconds for a command that takes one or two, where others use the machine
LONGEST = 1_500  # characters of a refusal: a page would be no sentence
TRIED, TRACEBACKS = "tried", "tracebacks"
OUTCOMES: dict[object, str] = {0: "accepted", 1: "stale results found", 2: "refused with exit code 2"}


def check_promise(tried: Attempt, ended: Ended) -> None:
    """The promise of this file's first line."""
    assert "Traceback" not in ended.stderr
    if ended.code == 1:  # so `check` says that a folder is stale, and nothing else does
        assert tried.arguments[0] == "check"
    assert ended.code in (0, 1, 2)
    assert lost(ended) == []
    if ended.code == 2:
        assert ended.after == ended.before
        check_refusal(tried, ended)
    elif "csv" not in tried.arguments:  # whose cells are as they are
        check_print(ended)


def lost(ended: Ended) -> list[str]:
    """The files of others that are not as they were: all but those of the results folder r."""
    others = [name for name in ended.before if name[:2] not in ("r", "r/")]
    return [name for name in others if ended.after.get(name) != ended.before[name]]


def check_print(ended: Said) -> None:
    """No terminal obeys what was printed, and nobody but us drew a conclusion."""
    for line in (*ended.stdout.split("\n"), *ended.stderr.split("\n")):
        assert line.isprintable()
        assert not line.startswith(("- Better than BCE: mine", "# b"))


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


@contextmanager
def watched() -> Iterator[None]:
    """It ends within patience, and leaves the process as it was."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("it waits for ever")

    before, handler = shared_state(), signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
    assert {name: value for name, value in shared_state().items() if value != before[name]} == {}


def throw(attempts: st.SearchStrategy[Attempt], place: Files, chosen: settings, record: Record) -> None:
    """Try attempts until one breaks the promise, and report counts either way."""
    counts = Counter({TRIED: 0, TRACEBACKS: 0, OUTCOMES[0]: 0, OUTCOMES[2]: 0})

    @settings(chosen, suppress_health_check=list(HealthCheck))
    @given(attempts)
    def keeps_the_promise(tried: Attempt) -> None:
        counts[TRIED] += 1
        try:
            with watched():
                ended = attempt(tried.arguments, {**place, **tried.files})
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
    assert counts[OUTCOMES[2]] or counts[TRIED] < 10  # else the generator is tame
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
        "names from outside": named,
        "results of others": lambda: read(readable),
        "special files": special,
        "folders of others": of_others,
    }
    return strategies[kind]()


KINDS = {  # and how many are a few
    **{"options": 45, "experiment files": 20, "data files": 45, "results folders": 15},
    **{"names from outside": 3, "results of others": 8, "special files": 20, "folders of others": 12},
}
FEW = settings(derandomize=True, phases=[Phase.generate])  # the slow test shrinks what it finds
MANY = settings(max_examples=250)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_input(kind: str, place: Files, record_property: Record) -> None:
    throw(attempts(kind, place), place, settings(FEW, max_examples=KINDS[kind]), record_property)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_much_hostile_input(kind: str, place: Files, record_property: Record) -> None:
    throw(attempts(kind, place), place, MANY, record_property)


def under_a_limit(tried: Attempt, files: Files) -> tuple[Said, Said]:
    """A command under its limit, and once more without; what is somebody else's stays."""
    with tempfile.TemporaryDirectory() as around:
        here = Path(around) / "here"
        here.mkdir()
        lay(files, here)
        before = contents(here)
        with under(tried.limit):
            stopped = typed(tried.arguments, here)
        said = typed(tried.arguments, here)
        after = contents(here)
        assert lost(Ended(said.code, said.stdout, said.stderr, before, after)) == []
        assert [name for name in after if Path(name).name.startswith(".focalbench-")] == []
        return stopped, said


@pytest.mark.parametrize("tries", [8, pytest.param(300, marks=pytest.mark.slow)])
def test_limits(place: Files, tries: int, record_property: Record) -> None:
    stops = 0

    @settings(FEW, max_examples=tries, suppress_health_check=list(HealthCheck))
    @given(limited())
    def goes_on_afterwards(tried: Attempt) -> None:
        nonlocal stops
        stopped, said = under_a_limit(tried, {**place, **tried.files})
        note(f"exit code {stopped.code}, standard error: {stopped.stderr[-2_000:]!r}")
        assert said.code == 0, said.stderr
        if stopped.code:
            stops += 1
            assert stopped.code in (2, *MACHINE)
            assert "Traceback" not in stopped.stderr
            assert stopped.stderr.splitlines()[-1].startswith("focalbench: ")

    goes_on_afterwards()
    assert stops
    record_property("limits that stopped a command, which went on without them", stops)


def test_every_key_is_tried() -> None:
    assert VALUES.keys() | {"arms"} == set(KEYS)
