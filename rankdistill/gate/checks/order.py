"""Scores that only repeat the order in which the candidates came, or move the same places whatever the query."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block, Ranked
from rankdistill.gate.check import About
from rankdistill.gate.evidence import ENOUGH_QUERIES
from rankdistill.gate.verdict import Numbers, Status, Verdict
from rankdistill.stores.kinds import RANK

SAME = 0.999
"""Spearman's correlation with the source's ranks from which an order counts as unchanged."""

ENOUGH_DOCUMENTS = 5
"""What a source must have ranked of a query for an unchanged order to be no coincidence."""

UNCHANGED_PERMUTATION, MANY_UNCHANGED = 0.5, 0.1
"""Shares of unchanged queries, or of those with one and the same permutation, at which permutations fail, and warn."""

UNCHANGED_RUN = 0.95
"""Share of unchanged queries at which other scores warn: they may be the source's own."""

LOOK = "look at its raw answers, at the prompt and at the parsing; or take another teacher"


class Order:
    """A listwise re-ranker that did not read: it answers with its input's order, or with the same places every time.

    Other scores may be the source's own ranks again.
    """

    def __init__(self, about: About) -> None:
        self.kind, self.own_names = about.score_kind, about.own_names
        self.unchanged: dict[str, list[np.ndarray]] = defaultdict(list)
        self.moves: dict[str, Counter[int]] = defaultdict(Counter)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Which queries keep each source's order, and which places permutations move."""
        for source, rows in block.by_source.items():
            if source not in self.own_names:
                self.unchanged[source].append(unchanged(rows))
                if self.kind == RANK:
                    self.moves[source].update(_moves(rows))

    def verdict(self) -> Verdict:
        """Judged by the source whose order is repeated most; then by the one whose places are moved alike most."""
        shares = {source: np.concatenate(parts) for source, parts in sorted(self.unchanged.items())}
        shares = {source: same for source, same in shares.items() if len(same) >= ENOUGH_QUERIES}
        if not shares:
            return Verdict("order", Status.UNKNOWN, "no other source ranked enough of these candidates")
        source = max(shares, key=lambda name: float(shares[name].mean()))
        share, queries = float(shares[source].mean()), len(shares[source])
        numbers: Numbers = {"source": source, "queries": queries, "share_unchanged": share}
        finding = f"{share:.0%} of {queries:,} queries keep the order of {source}"
        if self.kind != RANK:
            return Verdict("order", *_judge_run(share, finding), numbers)
        alike = {name: max(self.moves[name].values()) / len(same) for name, same in shares.items()}
        mover = max(alike, key=lambda name: alike[name])
        numbers = {**numbers, "share_moved_alike": alike[mover]}
        if alike[mover] > share and alike[mover] >= MANY_UNCHANGED:
            status = Status.FAIL if alike[mover] >= UNCHANGED_PERMUTATION else Status.WARN
            finding += f"; {alike[mover]:.0%} move the same places of {mover}'s order"
            return Verdict("order", status, finding, "that order does not depend on the texts", LOOK, numbers)
        return Verdict("order", *_judge_permutation(share, finding), numbers)


def unchanged(rows: Ranked) -> np.ndarray:
    """Of the queries with enough documents, which keep the source's order."""
    own = rows.segments.ranks(rows.levels)
    same = rows.segments.correlation(own, rows.segments.ranks(-rows.ranks)) >= SAME
    return same[rows.segments.sizes >= ENOUGH_DOCUMENTS]


def _moves(rows: Ranked) -> list[int]:
    """A hash of each permutation of the source's order, of the queries with enough documents."""
    own = rows.segments.ranks(rows.levels)[np.lexsort((rows.ranks, rows.segments.number))]
    found = zip(rows.segments.starts.tolist(), rows.segments.sizes.tolist(), strict=True)
    return [hash(own[start : start + size].tobytes()) for start, size in found if size >= ENOUGH_DOCUMENTS]


def _judge_run(share: float, finding: str) -> tuple[Status, str, str, str]:
    if share < UNCHANGED_RUN:
        return Status.PASS, finding, "", ""
    return (
        Status.WARN,
        finding,
        "the scores say nothing that the candidates' ranks did not say",
        "expected where the candidates are this teacher's own run; else look at what was stored",
    )


def _judge_permutation(share: float, finding: str) -> tuple[Status, str, str, str]:
    if share < MANY_UNCHANGED:
        return Status.PASS, finding, "", ""
    meaning = "the re-ranker answered with its input, its answers could not be read, or it had nothing to change"
    return Status.FAIL if share >= UNCHANGED_PERMUTATION else Status.WARN, finding, meaning, LOOK
