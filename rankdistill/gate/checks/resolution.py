"""Scores that were rounded: few distinct values, many ties."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Status, Verdict

FEW_VALUES = 256
"""What eight bits can tell apart."""

ENOUGH_ROWS = 2000
"""Scores from which so few values are no coincidence."""

TIED_SHARE = 0.1
"""Share of neighbours in a query's order with equal scores that is worth a warning."""

ENOUGH_NEIGHBOURS = 20
"""Pairs of neighbours from which that share means something."""


class Resolution:
    """Rounded scores (int8, two decimals) cannot tell near documents apart."""

    def __init__(self, about: About) -> None:
        self.kind = about.score_kind
        self.rows = self.neighbours = self.tied = 0
        self.values = np.empty(0)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Count distinct values up to one more than `FEW_VALUES`, and ties between neighbours."""
        scores, segments = block.scores, block.segments
        self.rows += len(scores)
        if len(self.values) <= FEW_VALUES:
            self.values = np.union1d(self.values, scores)[: FEW_VALUES + 1]
        order = np.lexsort((block.levels, segments.number))
        same_query = np.diff(segments.number[order]) == 0
        self.neighbours += int(same_query.sum())
        self.tied += int((same_query & (np.diff(block.levels[order]) == 0)).sum())

    def verdict(self) -> Verdict:
        """Few values or many ties warn; ranks have few values by nature."""
        distinct = len(self.values)
        tied = self.tied / self.neighbours if self.neighbours else 0.0
        known = f"{distinct:,}" if distinct <= FEW_VALUES else f"more than {FEW_VALUES}"
        numbers = {"distinct_values": distinct, "share_of_tied_neighbours": tied}
        finding = f"{known} distinct values; {tied:.1%} of neighbours in a query's order are tied"
        few = distinct <= FEW_VALUES and self.rows >= ENOUGH_ROWS and self.kind != "rank"
        if few or (tied > TIED_SHARE and self.neighbours >= ENOUGH_NEIGHBOURS):
            return Verdict(
                "resolution",
                Status.WARN,
                finding,
                "near documents cannot be told apart: the scores were rounded or underflowed, or texts are repeated",
                "keep the scores in float32, with all their digits, and before any softmax or sigmoid",
                numbers,
            )
        if tied > TIED_SHARE:
            return Verdict("resolution", Status.UNKNOWN, finding, "too few scores to judge by", numbers=numbers)
        return Verdict("resolution", Status.PASS, finding, numbers=numbers)
