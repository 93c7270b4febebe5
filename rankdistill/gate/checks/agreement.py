"""Whether the teachers of a store order the same documents alike."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import polars as pl

from rankdistill.gate.block import PAIR, Block
from rankdistill.gate.check import About
from rankdistill.gate.evidence import mean_of
from rankdistill.gate.segments import Segments
from rankdistill.gate.verdict import Status, Verdict

COMMON_DOCUMENTS = 5
"""Documents that both teachers must have scored for a query to count."""

STRANGER = 0.1
"""A teacher whose correlation with every other is surely below this warns."""

TWIN = 0.9999
"""A correlation from which two teachers are one."""


class Agreement:
    """Spearman's correlation of two teachers' scores over the documents that both scored, a query at a time."""

    def __init__(self, about: About) -> None:
        self.teacher_id, self.names, self.sampled = about.teacher_id, about.teachers, about.sampled.implode()
        self.found: dict[str, list[np.ndarray]] = defaultdict(list)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Correlations on the sampled queries."""
        own = self._sample(block)
        for teacher_id, peer in peers.items():
            if teacher_id != self.teacher_id:
                both = own.join(self._sample(peer), on=PAIR, maintain_order="left")
                segments = Segments(both["query_id"].rle().struct.field("len").to_numpy())
                left, right = (segments.ranks(both[name].to_numpy()) for name in ("score", "score_right"))
                values = segments.correlation(left, right)[segments.sizes >= COMMON_DOCUMENTS]
                self.found[teacher_id].append(values[np.isfinite(values)])

    def verdict(self) -> Verdict:
        """A teacher that no other agrees with warns; so does one that equals another."""
        means = {name: mean_of(np.concatenate(parts)) for name, parts in self.found.items()}
        means = {name: mean for name, mean in means.items() if mean.enough}
        if not means:
            return Verdict("agreement", Status.UNKNOWN, "no other teacher scored enough of the same documents")
        named = {self.names[name]: mean for name, mean in sorted(means.items(), key=lambda one: -one[1].value)}
        numbers = {name: mean.value for name, mean in named.items()}
        closest, best = next(iter(named.items()))
        finding = f"mean Spearman {np.mean(list(numbers.values())):.2f} with {len(named)} others, {best} with {closest}"
        if best.value >= TWIN:
            return Verdict(
                "agreement",
                Status.WARN,
                finding,
                f"the order is that of {closest}: in an ensemble the same opinion counts twice",
                "leave one of the two out",
                numbers,
            )
        if max(mean.high for mean in means.values()) < STRANGER:
            return Verdict(
                "agreement",
                Status.WARN,
                finding,
                f"none of the {len(named)} teachers compared agrees with this one, so at least one side is wrong",
                "look at the checks `positives` and `gain` of each; leave the worse out of an ensemble",
                numbers,
            )
        return Verdict("agreement", Status.PASS, finding, numbers=numbers)

    def _sample(self, block: Block) -> pl.DataFrame:
        levels = block.scored.select(*PAIR, score=pl.Series(block.levels))
        return levels.filter(pl.col("query_id").is_in(self.sampled))
