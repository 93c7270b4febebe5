"""Scores that went through a sigmoid, and scores that do not vary."""

from __future__ import annotations

from collections.abc import Mapping

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.counter import Counter
from rankdistill.gate.verdict import Numbers, Status, Verdict
from rankdistill.stores.kinds import CALIBRATED, RANK

END = 0.02
"""A score in [0, 1] is saturated if it lies this near to 0 or 1: the logit is beyond +-3.9."""

SATURATED_SHARE = 0.2
"""Share of saturated scores from which a range of [0, 1] is the mark of a sigmoid."""

ENOUGH_SATURATED, ENOUGH_ROWS = 100, 1000
"""Scores from which a range of [0, 1] is no coincidence: with saturated ends, and without."""

FLAT_SHARE = 0.1
"""Share of queries with one and the same score for all documents that is worth a warning; half of them fail."""

SURE = 0.5
"""Scores of no known unit that never exceed this, such as sums of reciprocal ranks, do not look like a sigmoid's."""

BOUNDED_BY_NATURE = ("cosine", RANK, CALIBRATED)
"""Kinds whose scores may lie within [0, 1] without having been squashed."""

LOGITS = (
    "score again with the identity activation (`rankdistill score` does), or turn p into log(p / (1 - p)) first; "
    "cosines are imported with --score-kind cosine"
)


class Saturation:
    """Margins of squashed scores vanish where the teacher is sure: of logits 8 and 4, sigmoids are 0.018 apart."""

    def __init__(self, about: About) -> None:
        self.kind, self.range = about.score_kind, about.range
        self.rows = self.ends = self.queries = self.flat = 0
        self.counter = Counter(f"scores ({about.score_kind})", about.range.minimum, about.range.maximum)

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Count."""
        scores, segments = block.scores, block.segments
        self.rows += len(scores)
        self.ends += int(((abs(scores) <= END) | (abs(scores - 1) <= END)).sum())
        several = segments.sizes > 1
        self.queries += int(several.sum())
        self.flat += int(((segments.max(block.levels) == segments.min(block.levels)) & several).sum())
        self.counter.add(scores)

    def verdict(self) -> Verdict:
        """Claimed logits within [0, 1] fail; see the module's constants for the rest."""
        flat = self.flat / self.queries if self.queries else 0.0
        inside = self.rows > 0 and self.range.minimum >= 0 and self.range.maximum <= 1
        ends = self.ends / self.rows if inside else 0.0
        numbers: Numbers = {
            "minimum": self.range.minimum,
            "maximum": self.range.maximum,
            "deviation": self.range.deviation,
            "score_kind": self.kind,
            "share_near_0_or_1": ends,
            "share_of_queries_with_equal_scores": flat,
        }
        span = f"{self.rows:,} scores from {self.range.minimum:.4g} to {self.range.maximum:.4g}"
        status, finding, meaning, remedy = (
            self._constant(flat) or self._squashed(inside, ends) or (Status.PASS, "", "", "")
        )
        return Verdict(
            "saturation",
            status if self.rows else Status.UNKNOWN,
            span + (f": {finding}" if finding else ""),
            meaning,
            remedy,
            numbers,
            [self.counter.histogram()] if self.rows else [],
        )

    def _constant(self, flat: float) -> tuple[Status, str, str, str] | None:
        if not flat > FLAT_SHARE:
            return None
        status = Status.FAIL if flat > 0.5 else Status.WARN
        finding = f"in {flat:.0%} of {self.queries:,} queries all documents have the same score (in float32 steps)"
        return status, finding, "there is no order to learn from", "look at the teacher and at what it was given"

    def _squashed(self, inside: bool, ends: float) -> tuple[Status, str, str, str] | None:
        if not inside or self.kind in BOUNDED_BY_NATURE:
            return None
        meaning = "margins are squashed where the teacher is sure; Margin-MSE learns next to nothing from them"
        saturated = ends >= SATURATED_SHARE
        note = f"all within [0, 1], {ends:.0%} of them within {END} of an end"
        if self.kind == "probability":
            status = Status.FAIL if saturated else Status.WARN
            return status, f"probabilities, {note}", meaning, LOGITS
        if self.kind == "logit":
            enough = self.rows >= (ENOUGH_SATURATED if saturated else ENOUGH_ROWS)
            return Status.FAIL if enough else Status.WARN, f"said to be logits, but {note}", meaning, LOGITS
        if saturated and self.rows >= ENOUGH_SATURATED and self.range.maximum > SURE:
            return Status.FAIL, f"{note}, as a sigmoid gives them", meaning, LOGITS
        return None
