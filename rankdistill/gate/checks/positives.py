"""Where the teacher ranks the labelled positives among a query's candidates."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.concordance import concordance
from rankdistill.gate.counter import Counter
from rankdistill.gate.evidence import LEVEL, mean_of
from rankdistill.gate.verdict import Status, Verdict

CHANCE = 0.5
"""Concordance of a random order."""

USELESS = 0.55
"""A teacher that is not shown to be above chance, and is surely below this, has nothing to teach that is worth it."""


class Positives:
    """A teacher must rank what people judged relevant above the other candidates more often than chance does."""

    def __init__(self, about: About) -> None:
        self.concordance: list[np.ndarray] = []
        self.ranks: list[np.ndarray] = []
        self.reciprocal: list[np.ndarray] = []
        self.lower_half = 0
        self.counter = Counter("place of the positives (0: first, 1: last of the candidates)", 0.0, 1.0, 20)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Ranks of the positives in the queries that have other candidates too."""
        segments = block.segments
        found = concordance(segments, block.levels, block.positive)
        judged = np.isfinite(found)
        inside = segments.spread(judged) & block.positive
        ranks, sizes = block.ranks[inside], segments.spread(segments.sizes)[inside]
        self.concordance.append(found[judged])
        self.ranks.append(ranks.astype(np.float32))
        best = -segments.max(np.where(inside, -block.ranks, -np.inf)) if len(segments) else np.empty(0)
        self.reciprocal.append(1 / best[judged])
        self.lower_half += int((ranks > (sizes + 1) / 2).sum())
        self.counter.add((ranks - 1) / (sizes - 1))

    def verdict(self) -> Verdict:
        """Surely below chance fails, and so does what is not shown to be above it but surely next to it."""
        mean = mean_of(np.concatenate(self.concordance)) if self.concordance else mean_of(np.empty(0))
        if not mean.queries:
            return Verdict("positives", Status.UNKNOWN, "no query has a labelled positive and another scored candidate")
        ranks = np.concatenate(self.ranks)
        numbers = {
            "queries": mean.queries,
            "positives": len(ranks),
            "median_rank": float(np.median(ranks)),
            "share_at_rank_1": float((ranks == 1).mean()),
            "share_in_lower_half": self.lower_half / len(ranks),
            "mrr": float(np.concatenate(self.reciprocal).mean()),
            "concordance": mean.value,
            "concordance_low": _finite(mean.low),
            "concordance_high": _finite(mean.high),
        }
        finding = (
            f"positives above other candidates in {mean} of the comparisons (chance: {CHANCE}); median rank "
            f"{numbers['median_rank']:g}, {numbers['share_at_rank_1']:.0%} at rank 1, "
            f"{numbers['share_in_lower_half']:.0%} in the lower half, MRR {numbers['mrr']:.3f}; "
            f"{LEVEL:.0%} interval over {mean.queries:,} queries"
        )
        status, meaning, remedy = _judge(mean.enough, mean.low, mean.high)
        return Verdict("positives", status, finding, meaning, remedy, numbers, [self.counter.histogram()])


def _judge(enough: bool, low: float, high: float) -> tuple[Status, str, str]:
    if not enough:
        return Status.UNKNOWN, "too few queries to judge the teacher by", ""
    if high < CHANCE:
        return (
            Status.FAIL,
            "the student would learn to rank relevant documents below the others",
            "look whether a higher score means more relevant (negate distances, ranks), then at the ids",
        )
    if low > CHANCE:
        return Status.PASS, "", ""
    remedy = "check that ids, texts and the prompt are the right ones, or take another teacher"
    if high < USELESS:
        return (
            Status.FAIL,
            f"not shown to be above chance, and surely less than {USELESS - CHANCE:.2g} above it: the student would "
            "learn next to nothing of what is relevant",
            remedy,
        )
    return Status.WARN, "not shown to be better than chance", remedy


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
