"""Candidates without a score, and queries that cannot give a training row."""

from __future__ import annotations

from collections.abc import Mapping

from rankdistill.gate.block import PAIR, Block
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Status, Verdict

WIDESPREAD = 0.5
"""Share of the queries above which a lack is no longer an exception."""


class Coverage:
    """A training row needs a query with a scored positive and at least one other scored document."""

    def __init__(self, about: About) -> None:
        self.candidates = self.missing = 0
        self.queries = self.lone = self.without_positive = 0
        self.examples: list[str] = []

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Count."""
        missing = block.labels.join(block.scored, on=PAIR, how="anti")
        self.candidates += len(block.labels)
        self.missing += len(missing)
        for query_id, doc_id in missing.sort(PAIR).head(max(0, 3 - len(self.examples))).select(PAIR).iter_rows():
            self.examples.append(f"query {query_id}, document {doc_id}: no score")
        scored = len(block.segments)
        unscored = block.labels["query_id"].unique().is_in(block.scored["query_id"].unique().implode())
        nothing = int((~unscored).sum())
        self.queries += scored + nothing
        self.lone += int((block.segments.sizes < 2).sum()) + nothing
        self.without_positive += int((block.segments.sum(block.positive) == 0).sum()) + nothing

    def verdict(self) -> Verdict:
        """Fails where most queries have nothing to compare; warns of missing scores and of missing labels."""
        numbers = {
            "candidate_pairs": self.candidates,
            "without_score": self.missing,
            "queries": self.queries,
            "queries_with_fewer_than_2_scores": self.lone,
            "queries_without_scored_positive": self.without_positive,
        }
        finding = (
            f"{self.missing:,} of {self.candidates:,} candidate pairs have no score; of {self.queries:,} queries "
            f"{self.lone:,} have fewer than 2 scored documents and {self.without_positive:,} no scored positive"
        )
        if self.lone > WIDESPREAD * self.queries:
            return self._found(
                Status.FAIL,
                finding,
                "most queries give no training row: there is no second document to compare",
                "mine deeper, or finish scoring with `rankdistill score`",
                numbers,
            )
        if self.missing:
            return self._found(
                Status.WARN,
                finding,
                "training stops at a candidate without a score, or drops it if told so",
                "finish scoring with `rankdistill score`, or train with missing: drop",
                numbers,
            )
        if self.without_positive == self.queries:
            return self._found(
                Status.WARN,
                finding,
                "without labels nothing tells whether the teacher ranks well, and training skips every query",
                "give labels with --data, mine with qrels, or train with unlabelled: top",
                numbers,
            )
        if self.without_positive > WIDESPREAD * self.queries:
            return self._found(
                Status.WARN,
                finding,
                "training skips queries without a labelled positive",
                "train with unlabelled: top to use them",
                numbers,
            )
        return self._found(Status.PASS, finding, "", "", numbers)

    def _found(self, status: Status, finding: str, meaning: str, remedy: str, numbers: Mapping[str, int]) -> Verdict:
        return Verdict("coverage", status, finding, meaning, remedy, numbers, examples=self.examples)
