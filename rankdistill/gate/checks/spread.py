"""How the scores spread as the targets of a KL divergence: near one-hot, near uniform, or underflowing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.temperature import TemperatureSearch, target_of
from rankdistill.gate.verdict import Status, Verdict

NEGLIGIBLE = 1e-6
"""Probability below which a candidate adds nothing to the loss."""

ONE_HOT, UNIFORM = 1.2, 0.95
"""Effective candidates at most, and their share of all at least, at which the targets say next to nothing."""


class Spread:
    """Targets of kl_div at temperature 1, in float32: p = softmax(t) over a query's candidates.

    The effective number of candidates is exp(entropy of p): 1 for one-hot targets, all of them for uniform ones.
    """

    def __init__(self, about: About) -> None:
        self.search = TemperatureSearch(about.range.usable_deviation)
        self.rows = self.underflow = self.negligible = self.queries = 0
        self.entropy = self.effective = 0.0

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Softmax of the queries with at least two scores."""
        segments = block.segments
        several = segments.sizes > 1
        inside = segments.spread(several)
        shares = segments.softmax(block.scores)
        logarithms = np.log(np.maximum(shares, np.finfo(np.float32).tiny), dtype=np.float64)
        entropy = -segments.sum(shares * logarithms)[several]
        self.rows += int(inside.sum())
        self.underflow += int(((shares == 0) & inside).sum())
        self.negligible += int(((shares < NEGLIGIBLE) & inside).sum())
        self.queries += int(several.sum())
        self.entropy += float(entropy.sum())
        self.effective += float(np.exp(entropy).sum())
        self.search.update(segments, block.scores)

    def verdict(self) -> Verdict:
        """Near one-hot and near uniform targets warn; both are cured by a temperature."""
        if not self.queries:
            return Verdict("spread", Status.UNKNOWN, "no query has two scores")
        depth = self.rows / self.queries
        effective, negligible = self.effective / self.queries, self.negligible / self.rows
        target, temperature = target_of(depth), self.search.temperature()
        numbers = {
            "candidates_a_query": depth,
            "effective_candidates": effective,
            "entropy_nats": self.entropy / self.queries,
            "share_below_1e-6": negligible,
            "share_underflowed_to_0": self.underflow / self.rows,
            "target_effective_candidates": target,
            "recommended_temperature": temperature,
        }
        finding = (
            f"at temperature 1 on average {effective:.1f} of {depth:.1f} candidates share a query's probability; "
            f"{negligible:.0%} get less than 1e-6, {self.underflow / self.rows:.0%} exactly 0"
        )
        if temperature is None:
            return Verdict("spread", Status.WARN, finding, "no temperature spreads these scores", "", numbers)
        remedy = f"train kl_div with teacher_temperature {temperature:.3g}, which brings it to about {target:.1f}"
        if effective < ONE_HOT or effective > UNIFORM * depth:
            shape = "one-hot: only the top document teaches" if effective < ONE_HOT else "uniform: nothing is taught"
            return Verdict(
                "spread", Status.WARN, finding, f"for kl_div the targets are nearly {shape}", remedy, numbers
            )
        return Verdict("spread", Status.PASS, finding, "", remedy, numbers)
