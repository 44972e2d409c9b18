"""What a claim's rows say, in words."""

import io

import pytest
from rich.console import Console

from focalbench.analysis.claim_rows import ClaimRow, ClaimVerdict
from focalbench.analysis.rows import Scope, Spread
from focalbench.plan.claims import Claim, Condition, Direction, Pair
from focalbench.report.claims import claim_lines, claim_tables, claims_page

PAIR = Pair(("gamma=2",), ("bce",))


def row(data: str | None, verdict: ClaimVerdict, low: float = 0.0, high: float = 0.0, condition: int = 1) -> ClaimRow:
    number = Spread((low + high) / 2, low, high, low, high)
    return ClaimRow(
        claim="C1",
        condition=None if data is None else condition,
        data=data,
        scope=None if data is None else Scope.DRAWS,
        seeds=None if data is None else 20,
        number=None if data is None else number,
        margin=None if data is None else 0.01,
        verdict=verdict,
        seeds_to_decide=105 if verdict is ClaimVerdict.INCONCLUSIVE and data is not None else None,
        budget_limited=True,
        at_edge=True,
    )


def claim(direction: Direction, than: float = 0.0) -> Claim:
    return Claim("C1", "Focusing pays", "nobody", (Condition((PAIR,), direction, than=than),))


@pytest.mark.parametrize(
    ("direction", "low", "high", "than", "small"),
    [
        (Direction.ABOVE, 0.001, 0.009, 0.0, True),
        (Direction.ABOVE, -0.001, 0.009, 0.0, False),
        (Direction.ABOVE, -0.009, -0.001, 0.0, False),
        (Direction.ABOVE, 0.501, 0.509, 0.5, True),
        (Direction.ABOVE, 0.401, 0.409, 0.5, False),
        (Direction.BELOW, -0.009, -0.001, 0.0, True),
        (Direction.BELOW, -0.009, 0.001, 0.0, False),
        (Direction.BELOW, 0.001, 0.009, 0.0, False),
        (Direction.WITHIN, 0.011, 0.02, 0.0, False),
    ],
)
def test_what_is_there_but_small_is_said_to_be(
    direction: Direction, low: float, high: float, than: float, *, small: bool
) -> None:
    rows = [row("mixture", ClaimVerdict.REFUTED, low, high), row(None, ClaimVerdict.REFUTED)]
    asked = claim(direction, than)
    assert ("refuted (too small)" in claim_tables([asked], rows)["C1"]) is small
    assert ("**refuted** (too small) on mixture" in claim_lines([asked], rows)) is small


def test_a_line_has_the_verdict_of_every_data_set() -> None:
    rows = [
        row("mixture", ClaimVerdict.SUPPORTED, 0.02, 0.04),
        row("xor", ClaimVerdict.SUPPORTED, 0.03, 0.05),
        row("flights", ClaimVerdict.REFUTED, -0.04, -0.02),
        row(None, ClaimVerdict.DEPENDS),
    ]
    assert claim_lines([claim(Direction.ABOVE)], rows) == (
        "- Focusing pays (C1): **depends on the data**: supported on mixture, +.030 [+.020, +.040] and xor, +.040 "
        "[+.030, +.050]; refuted on flights, -.030 [-.040, -.020].\n"
    )


def test_nothing_is_cut_off_at_80_columns() -> None:
    name = "census-income at 0.0015 (64-64 units, other seeds)"
    rows = [row(name, ClaimVerdict.INCONCLUSIVE, -0.0123, 0.0456), row(None, ClaimVerdict.INCONCLUSIVE)]
    out = io.StringIO()
    claims_page([claim(Direction.ABOVE)], rows).print(Console(file=out, width=80))
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert "inconclusive: 105 seeds*^" in out.getvalue()
    assert "+.017 [-.012, +.046]" in out.getvalue()
    assert "units, other seeds)" in " ".join(line[:25].strip() for line in lines)
