"""How the loss of trained networks adds up over test rows, for claims about the hardest (Lin et al. 2017, figure 4)."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch

from focalbench.analysis.claim_points import PartRuns
from focalbench.analysis.claim_rows import LossRow
from focalbench.analysis.selection import Trained, arm_entry, by, cells_of
from focalbench.jobs.scores import scores_of
from focalbench.metrics.hardness import cumulative_loss
from focalbench.plan.claims import Claim, Measure, name_of_data
from focalbench.runs.run import Run

POINTS = 101  # shares of the rows


def loss_rows(claims: Sequence[Claim], parts: Sequence[PartRuns], runs: Sequence[Run]) -> list[LossRow]:
    """The curves of every claim about the hardest negatives: of each data set, the first seed's chosen run at each
    gamma, without alpha and from its own start, trained once more.
    """
    by_id = {run.run_id: run for run in runs}
    return [
        row
        for claim in claims
        for part in parts
        if _rests_on(claim, part.name)
        for cell in cells_of(part.rows)
        for row in _of_cell(claim.id, cell, by_id)
    ]


def _rests_on(claim: Claim, part: str) -> bool:
    hard = [each for each in claim.conditions if each.measure is Measure.HARD_SHARE]
    return any(not each.parts or part in each.parts for each in hard)


def _of_cell(claim: str, cell: Sequence[Trained], by_id: Mapping[str, Run]) -> Iterator[LossRow]:
    plain = [row for row in cell if row.settings.family in ("bce", "focal")]
    own = [row for row in plain if row.settings.init == "own" and row.settings.restart == 0]
    for rows in by(own, lambda asked: asked.arm):
        entry = arm_entry(rows[0].settings.arm, rows)
        chosen, data = entry.chosen[0].settings, name_of_data(entry.first.cell)
        (found,) = scores_of((by_id[chosen.run_id],))
        for target in (0, 1):
            scores = torch.from_numpy(found.score[found.target == target])
            shares = cumulative_loss(scores, chosen.gamma or 0.0, positive=target == 1, points=POINTS)
            for place, share in zip(np.linspace(0, 1, POINTS), shares.tolist(), strict=True):
                yield LossRow(claim, data, chosen.gamma or 0.0, target, round(float(place), 4), share)
