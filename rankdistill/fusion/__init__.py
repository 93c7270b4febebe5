"""One ranking from several: reciprocal ranks, or weighted sums of scores brought to one scale."""

from rankdistill.fusion.base import Ranking
from rankdistill.fusion.fusion import METHODS, Fusion
from rankdistill.fusion.rrf import rrf
from rankdistill.fusion.weighted import weighted_sum

__all__ = ["METHODS", "Fusion", "Ranking", "rrf", "weighted_sum"]
