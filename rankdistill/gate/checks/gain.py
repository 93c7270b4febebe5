"""Whether the teacher ranks the positives better than the source that proposed the candidates already did."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block, Ranked
from rankdistill.gate.check import About
from rankdistill.gate.checks.order import UNCHANGED_RUN, unchanged
from rankdistill.gate.concordance import concordance
from rankdistill.gate.evidence import LEVEL, Mean, mean_of
from rankdistill.gate.segments import Segments
from rankdistill.gate.verdict import SEVERITY, Numbers, Status, Verdict

RERANKED = 0.8
"""Share of the teacher's pairs that a source must have ranked for the teacher to count as its re-ranker."""

COSTLY = "the scores cost more than the candidates' own order and teach no more than it does"
NOT_SHOWN = "not shown to be better than the candidates' own order, nor to be no better"
NO_ROOM = "the source puts every labelled positive first, as the teacher does: no gain can show"
OTHER = "take another teacher, or look at its prompt, its inputs and the direction of its scores"
MORE = "judge more queries, or see what the student gains on a dev split"


class Gain:
    """Paired over queries: the teacher's concordance with the labels minus that of the source's own ranks.

    Both are taken over the same pairs: those that the source ranked. Where candidates were drawn from a window of
    ranks, positives from above it are left out: the source's order would put them first by construction. A source may
    be another teacher of the same store: permutations are nobody's first stage and are left out, and the others fail
    only the permutations that may have started from them.

    The interval is one over queries. Only where all of it lies at 0 or below is the teacher no better.
    """

    def __init__(self, about: About) -> None:
        self.kind, self.kinds = about.score_kind, about.kinds
        self.ignored = about.own_names | {name for name, kind in about.kinds.items() if kind == "rank"}
        self.first_ranks = about.first_ranks
        self.rows = 0
        self.ranked: dict[str, int] = defaultdict(int)
        self.differences: dict[str, list[np.ndarray]] = defaultdict(list)
        self.repeats: dict[str, list[np.ndarray]] = defaultdict(list)
        self.room: dict[str, float] = defaultdict(float)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Both concordances of each query, for each source."""
        self.rows += len(block.scores)
        for source, rows in block.by_source.items():
            if source not in self.ignored:
                self.ranked[source] += len(rows.levels)
                self.repeats[source].append(unchanged(rows))
                gain, room = _differences(rows, self.first_ranks.get(source, 1))
                self.differences[source].append(gain)
                self.room[source] += float(room.sum())

    def verdict(self) -> Verdict:
        """The worst over the sources; of equal ones, the source that ranked most."""
        found = [
            self._judge(source, mean_of(np.concatenate(self.differences[source])))
            for source in sorted(self.differences, key=lambda name: (-self.ranked[name], name))
            if not _repeated(self.repeats[source])
        ]
        if not found:
            return Verdict("gain", Status.UNKNOWN, "no other source ranked these candidates")
        return max(found, key=lambda verdict: SEVERITY.index(verdict.status))

    def _judge(self, source: str, mean: Mean) -> Verdict:
        covered = self.ranked[source] / self.rows
        numbers: Numbers = {
            "source": source,
            "queries": mean.queries,
            "share_of_pairs_it_ranked": covered,
            "gain": mean.value if mean.queries else None,
            "gain_low": mean.low if np.isfinite(mean.low) else None,
            "gain_high": mean.high if np.isfinite(mean.high) else None,
        }
        finding = (
            f"concordance with the labels {mean} above that of {source}'s own order; {LEVEL:.0%} interval over "
            f"{mean.queries:,} queries"
        )
        first_stage = covered >= RERANKED and (self.kind == "rank" or source not in self.kinds)
        status, meaning, remedy = self._status(mean, first_stage, self.room[source])
        return Verdict(
            "gain", status, finding if mean.queries else f"no labels where {source} has ranks", meaning, remedy, numbers
        )

    @staticmethod
    def _status(mean: Mean, first_stage: bool, room: float) -> tuple[Status, str, str]:
        if not mean.enough:
            return Status.UNKNOWN, "too few queries to judge the teacher by", ""
        if mean.low > 0 or (mean.high >= 0 and not first_stage):
            return Status.PASS, "", ""
        if not first_stage:
            return Status.WARN, "another source of the candidates ranks them better than this teacher", OTHER
        if room == 0 and mean.high == 0:
            return Status.UNKNOWN, NO_ROOM, ""
        return (Status.FAIL, COSTLY, OTHER) if mean.high <= 0 else (Status.WARN, NOT_SHOWN, MORE)


def _differences(rows: Ranked, first_rank: int) -> tuple[np.ndarray, np.ndarray]:
    """(gain, what the source left to gain) of each query with a positive within the window and another candidate."""
    kept = ~(rows.positive & (rows.ranks < first_rank))
    sizes = rows.segments.sum(kept).astype(np.int64)
    inside = Segments(sizes[sizes > 0])
    positive = rows.positive[kept]
    before = concordance(inside, -rows.ranks[kept], positive)
    gain = concordance(inside, rows.levels[kept], positive) - before
    judged = np.isfinite(gain)
    return gain[judged], 1 - before[judged]


def _repeated(parts: list[np.ndarray]) -> bool:
    """Whether the teacher repeats the source's order, so that the check `order` speaks of it."""
    same = np.concatenate(parts)
    return len(same) > 0 and same.mean() >= UNCHANGED_RUN
