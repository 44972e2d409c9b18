"""Times and counts as a person says and writes them."""

import math

from focalbench.errors import InputError

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600}


def clock(seconds: float) -> str:
    """Seconds as a person says them.

    >>> clock(12.3), clock(100), clock(7_300)
    ('12 s', '1 min 40 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def counted(count: int, name: str, several: str = "") -> str:
    """A number of things.

    >>> counted(1, "seed"), counted(1_000, "loss", "losses")
    ('1 seed', '1,000 losses')
    """
    return f"{count:,} {name if count == 1 else several or name + 's'}"


def read_seconds(name: str, text: str) -> float:
    """Seconds of a time as people write it; name: of what takes it. Raises InputError for what is no time above 0.

    >>> read_seconds("--budget", "90s"), read_seconds("--budget", "2m"), read_seconds("--budget", "1.5 h")
    (90.0, 120.0, 5400.0)
    """
    number = "".join(text.split())
    unit = next((unit for unit in sorted(UNITS, key=len, reverse=True) if number.endswith(unit)), "")
    try:
        seconds = float(number.removesuffix(unit)) * UNITS.get(unit, 1)
        if not 0 < seconds < math.inf:
            raise ValueError
    except ValueError:
        raise InputError(f"{name} takes a time above 0, such as 90s, 2m or 1.5h, got {text!r}") from None
    return seconds
