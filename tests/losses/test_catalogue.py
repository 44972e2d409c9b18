"""The catalogue of losses is what can be imported, asked for, and trained."""

import inspect
import math
import subprocess
import sys

import pytest
import torch

import focalbench.losses
from focalbench.errors import InputError
from focalbench.losses import rivals
from focalbench.runs.arm import Arm
from focalbench.runs.arm_choice import ArmOptions, chosen_arms
from focalbench.runs.catalogue import CATALOGUE, RIVALS, Loss, Parameter

NEEDED = {"prevalence": 0.1, "positives": 10.0, "negatives": 90.0}


def called(loss: Loss) -> list[str]:
    signature = inspect.signature(getattr(focalbench.losses, loss.function))
    return [name for name in signature.parameters if name not in ("logits", "targets")]


def test_every_function_of_the_catalogue_is_public_and_every_rival_is_in_it() -> None:
    listed = {loss.function for loss in CATALOGUE.values()}
    assert all(callable(getattr(focalbench.losses, function)) for function in listed)
    assert {name for name in rivals.__all__ if name.endswith(("_loss", "_entropy"))} <= listed


@pytest.mark.parametrize("loss", RIVALS.values(), ids=RIVALS)
def test_a_rivals_function_takes_what_the_catalogue_says(loss: Loss) -> None:
    assert sorted(called(loss)) == sorted([*(each.name for each in loss.parameters), *loss.needs])
    assert "schedule" not in called(loss)


@pytest.mark.parametrize("loss", RIVALS.values(), ids=RIVALS)
def test_a_rivals_defaults_are_those_of_its_function(loss: Loss) -> None:
    known = inspect.signature(getattr(focalbench.losses, loss.function)).parameters
    given = {name: each.default for name, each in known.items() if each.default is not each.empty}
    differ = {each.name for each in loss.parameters if given.get(each.name, each.default) != each.default}
    assert differ == ({"scale"} if loss.name == "ldam" else set())  # the authors' is for cosines


def value(loss: Loss, parameter: Parameter, at: float) -> None:
    given = {each.name: each.default for each in loss.parameters} | {name: NEEDED[name] for name in loss.needs}
    function = getattr(focalbench.losses, loss.function)
    inputs = () if loss.name == "class_balanced" else (torch.zeros(2, 1, 3), torch.tensor([0.0, 1.0, 0.0]))
    function(*inputs, **given | {parameter.name: at})


RANGES = [(loss, parameter) for loss in RIVALS.values() for parameter in loss.parameters]


@pytest.mark.parametrize(("loss", "parameter"), RANGES, ids=[f"{a.name} {b.name}" for a, b in RANGES])
def test_a_function_refuses_what_the_catalogue_refuses(loss: Loss, parameter: Parameter) -> None:
    low, high = (float(end) for end in parameter.interval[1:-1].split(","))
    for end, outside, closed in (
        (low, math.nextafter(low, -math.inf), parameter.interval[0] == "["),
        (high, math.nextafter(high, math.inf), parameter.interval[-1] == "]"),
    ):
        if math.isfinite(end):
            refused = outside if closed else end
            with pytest.raises(InputError, match=parameter.name):
                value(loss, parameter, refused)
            with pytest.raises(InputError, match=f"{parameter.name} of {loss.name}"):
                Arm(loss.name, params=((parameter.name, refused),))
            if closed:
                value(loss, parameter, end)
                Arm(loss.name, params=((parameter.name, end),))


@pytest.mark.parametrize("loss", RIVALS.values(), ids=RIVALS)
def test_every_rival_is_taken_with_its_defaults_as_the_command_prints_it(loss: Loss) -> None:
    said = subprocess_output().split(f"\n{loss.name}\n")[1].split("--loss ")[1].split()[0]
    assert chosen_arms(ArmOptions((said,), inits=("own",)))[1] == Arm(loss.name)
    assert all(f"{each.name}={each.default:g}" in said for each in loss.hyperparameters)


def subprocess_output(cache: list[str] = []) -> str:  # noqa: B006
    if not cache:
        command = [sys.executable, "-m", "focalbench", "losses"]
        cache.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return cache[0]


def test_the_command_prints_them_all_within_80_columns() -> None:
    said = subprocess_output()
    assert all(f"\n{name}\n" in said for name in CATALOGUE)
    assert max(map(len, said.splitlines())) <= 80
