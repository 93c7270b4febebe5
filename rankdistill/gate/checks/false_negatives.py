"""Unlabelled candidates that the teacher puts above the labelled positive."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Status, Verdict

MANY = 0.05
"""Share of the unlabelled candidates above the positive that is worth a warning."""

RELATIVE = 0.95
"""Share of the positive's score above which positive-aware mining drops (NV-Retriever, arXiv 2407.15831)."""

SHOWN = 5


class FalseNegatives:
    """Labels are sparse: a candidate that nobody judged and that scores above the best positive is likely relevant."""

    def __init__(self, about: About) -> None:
        self.never_negative = about.range.minimum >= 0
        self.unlabelled = self.above = self.near = self.queries = self.queries_above = 0
        self.worst: list[tuple[float, str, str]] = []

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Compare with the best-scored positive of the query."""
        segments = block.segments
        if not block.positive.any():
            return
        best = segments.max(np.where(block.positive, block.scores, -np.inf))
        highest = segments.max(np.where(block.positive, block.levels, -np.inf))
        known = np.isfinite(best)
        counted = block.unlabelled & segments.spread(known)
        gap = np.where(counted, block.scores - segments.spread(best), -np.inf)
        above = counted & (block.levels > segments.spread(highest))
        self.unlabelled += int(counted.sum())
        self.above += int(above.sum())
        self.near += int((counted & (block.scores > RELATIVE * segments.spread(best))).sum())
        self.queries += int(known.sum())
        self.queries_above += int((segments.sum(above) > 0).sum())
        for row in np.argsort(-gap, kind="stable")[:SHOWN].tolist():
            if above[row]:
                query_id, doc_id = block.scored.select("query_id", "doc_id").row(row)
                self.worst.append((float(gap[row]), query_id, doc_id))
        self.worst = heapq.nlargest(SHOWN, self.worst)

    def verdict(self) -> Verdict:
        """Many of them warn."""
        if not self.unlabelled:
            finding = "no query has both a labelled positive and an unlabelled candidate"
            return Verdict("false_negatives", Status.UNKNOWN, finding)
        share = self.above / self.unlabelled
        numbers = {
            "unlabelled_candidates": self.unlabelled,
            "share_above_the_positive": share,
            "share_of_queries_with_one": self.queries_above / self.queries,
            "share_above_95_percent_of_its_score": self.near / self.unlabelled if self.never_negative else None,
        }
        finding = (
            f"{share:.1%} of {self.unlabelled:,} unlabelled candidates score above the best positive, "
            f"in {self.queries_above / self.queries:.0%} of the queries"
        )
        examples = [f"query {query}, document {document}: {gap:.3g} above" for gap, query, document in self.worst]
        if share > MANY:
            return Verdict(
                "false_negatives",
                Status.WARN,
                finding,
                "those that are relevant would be taught as negatives; or the teacher errs (see `positives`)",
                "train with min_margin: 0 (or more), which drops negatives above their positive, or mine deeper ranks",
                numbers,
                examples=examples,
            )
        return Verdict("false_negatives", Status.PASS, finding, numbers=numbers, examples=examples)
