"""Rates and shares as people type them are the floats that they stand for, to the last bit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from focalbench.cli.numbers import read_share
from focalbench.errors import InputError

READ = {
    "0.0015": 0.0015,
    ".0015": 0.0015,
    "0,0015": 0.0015,
    ",0015": 0.0015,
    "1e-3": 0.001,
    "1.5E-3": 0.0015,
    "1%": 0.01,
    "1 %": 0.01,
    "1\u00a0%": 0.01,
    " 0.15% ": 0.0015,
    "0,15 %": 0.0015,
    "1,5%": 0.015,
    "0.07%": 0.0007,  # in floats, 0.07 / 100 is another number
    "1.5‰": 0.0015,
    "15/10000": 0.0015,
    "15 / 10 000": 0.0015,
    "1/3": 1 / 3,
    "0": 0.0,
}
REFUSED: tuple[str, ...] = (
    "",
    " ",
    "%",
    "/",
    "1/",
    "/2",
    "1/2/3",
    "1%/2",
    "1/10.000",
    "1/10,000",
    "1.234,5",
    "0,001,5",
    "0.01,0.02",
)
REFUSED += ("1%,2%", "1:1000", "1 in 1000", "many", "0x1", "sNaN", "1/0", "--1")


@pytest.mark.parametrize("text", READ)
def test_a_share_is_read_as_it_is_meant(text: str) -> None:
    assert read_share("--pos-rate", text) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_could_mean_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"^--pos-rate takes one share, such as 0\.0015, 0\.15% or 15/10000, got "):
        read_share("--pos-rate", text)


@given(st.floats(1e-12, 1, exclude_max=True), st.sampled_from([("", 1), ("%", 100), (" %", 100), ("‰", 1000)]))
def test_every_float_survives_its_spelling(share: float, unit: tuple[str, int]) -> None:
    name, times = unit
    text = f"{Decimal(repr(share)) * times:f}{name}"
    assert read_share("--pos-rate", text) == share
    assert read_share("--pos-rate", text.replace(".", ",")) == share


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_a_fraction_is_its_quotient(top: int, bottom: int) -> None:
    assert read_share("--pos-rate", f"{top}/{bottom}") == top / bottom
