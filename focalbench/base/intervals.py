"""Ranges of hyperparameters, written as a person would: "[0, 1)"."""

from typing import Any


def within(value: Any, interval: str) -> Any:
    """Whether a number, or every element of a tensor by itself, lies in an interval such as "[0, 1)"; NaN does not.

    >>> within(1.0, "[0, 1)"), within(1.0, "(0, 1]")
    (False, True)
    """
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value >= low if interval[0] == "[" else value > low
    return above & (value <= high if interval[-1] == "]" else value < high)
