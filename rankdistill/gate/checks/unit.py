"""Whether a loss may read the unit of the scores: places in a permutation have an order, and no unit."""

from __future__ import annotations

from collections.abc import Mapping

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Status, Verdict
from rankdistill.names import compares_margins
from rankdistill.stores.kinds import RANK

MEANING = (
    "Margin-MSE would teach that any two neighbours are equally far apart, and that the distance between the first and "
    "the last depends on how many documents were ranked"
)
REMEDY = "train with the loss kl, which needs the order alone, or calibrate: --teachers NAME --calibrate rank"


class Unit:
    """Margins of ranks mean nothing; a softmax of them, and a calibration, use the order alone."""

    def __init__(self, about: About) -> None:
        self.kind, self.loss = about.score_kind, about.loss

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """What the scores are in is known beforehand."""

    def verdict(self) -> Verdict:
        """Ranks fail a loss on margins; where no loss is named they warn of it."""
        finding = f"scores in {self.kind}" + (f", for the loss {self.loss}" if self.loss else "")
        if self.kind != RANK or (self.loss is not None and not compares_margins(self.loss)):
            return Verdict("unit", Status.PASS, finding)
        return Verdict("unit", Status.FAIL if self.loss else Status.WARN, finding, MEANING, REMEDY)
