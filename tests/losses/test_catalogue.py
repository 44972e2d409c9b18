"""What `focalbench losses` lists is what can be imported."""

import subprocess
import sys

import focalbench.losses
from focalbench.losses import comparators
from focalbench.losses.catalogue import CATALOGUE
from focalbench.runs.arm_choice import ArmOptions, chosen_arms
from focalbench.runs.arms import RIVALS, Arm


def test_every_entry_can_be_imported_and_every_comparator_is_listed() -> None:
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(callable(getattr(focalbench.losses, name)) for name in names)
    public = {
        name
        for name, value in vars(comparators).items()
        if name.endswith(("_loss", "_entropy"))
        and not name.startswith("_")
        and value.__module__ == comparators.__name__
    }
    assert public <= set(names)


def test_every_rival_is_listed_with_its_defaults_as_the_sweep_takes_it() -> None:
    listed = {entry.arm.split(":")[0]: entry.arm for entry in CATALOGUE}
    for name, parameters in RIVALS.items():
        plain = chosen_arms(ArmOptions((listed[name],), inits=("own",)))[1]
        assert plain == Arm(name)
        assert all(f"{parameter.name}={parameter.default:g}" in listed[name] for parameter in parameters)


def test_the_command_prints_them_all_within_80_columns() -> None:
    command = [sys.executable, "-m", "focalbench", "losses"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert all(f"\n{entry.name}\n" in said for entry in CATALOGUE)
    assert max(map(len, said.splitlines())) <= 80
