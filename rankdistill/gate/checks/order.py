"""Scores that only repeat the order in which the candidates came."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block, Ranked
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Numbers, Status, Verdict

SAME = 0.999
"""Spearman's correlation with the source's ranks from which an order counts as unchanged."""

ENOUGH_DOCUMENTS, ENOUGH_QUERIES = 5, 10
"""What a source must have ranked for an unchanged order to be no coincidence."""

UNCHANGED_PERMUTATION, MANY_UNCHANGED = 0.5, 0.1
"""Shares of unchanged queries at which permutations fail, and warn."""

UNCHANGED_RUN = 0.95
"""Share of unchanged queries at which other scores warn: they may be the source's own."""


class Order:
    """A listwise re-ranker that answers with its input's order, or scores that are the source's own ranks again."""

    def __init__(self, about: About) -> None:
        self.kind, self.own_names = about.score_kind, {about.name, about.teacher_id}
        self.unchanged: dict[str, list[np.ndarray]] = defaultdict(list)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Which queries keep each source's order."""
        for source, rows in block.by_source.items():
            if source not in self.own_names:
                self.unchanged[source].append(unchanged(rows))

    def verdict(self) -> Verdict:
        """Judged by the source whose order is repeated most."""
        shares = {source: np.concatenate(parts) for source, parts in sorted(self.unchanged.items())}
        shares = {source: same for source, same in shares.items() if len(same) >= ENOUGH_QUERIES}
        if not shares:
            return Verdict("order", Status.UNKNOWN, "no other source ranked enough of these candidates")
        source = max(shares, key=lambda name: float(shares[name].mean()))
        share, queries = float(shares[source].mean()), len(shares[source])
        numbers: Numbers = {"source": source, "queries": queries, "share_unchanged": share}
        finding = f"{share:.0%} of {queries:,} queries keep the order of {source}"
        status, meaning, remedy = self._status(share)
        return Verdict("order", status, finding, meaning, remedy, numbers)

    def _status(self, share: float) -> tuple[Status, str, str]:
        if self.kind != "rank":
            return (
                (
                    Status.WARN,
                    "the scores say nothing that the candidates' ranks did not say",
                    "expected where the candidates are this teacher's own run; else look at what was stored",
                )
                if share >= UNCHANGED_RUN
                else (Status.PASS, "", "")
            )
        meaning = "the re-ranker answered with its input, or its answers could not be read"
        remedy = "look at its raw answers, at the prompt and at the parsing; or take another teacher"
        if share >= UNCHANGED_PERMUTATION:
            return Status.FAIL, meaning, remedy
        return (Status.WARN, meaning, remedy) if share >= MANY_UNCHANGED else (Status.PASS, "", "")


def unchanged(rows: Ranked) -> np.ndarray:
    """Of the queries with enough documents, which keep the source's order."""
    own = rows.segments.ranks(rows.scores)
    same = rows.segments.correlation(own, rows.segments.ranks(-rows.ranks)) >= SAME
    return same[rows.segments.sizes >= ENOUGH_DOCUMENTS]
