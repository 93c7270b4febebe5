"""The same pair scored twice, and the same two texts with different scores under different ids."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from rankdistill.gate.block import PAIR, Block
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Status, Verdict

MOST_KEYS = 4_000_000
"""Content keys held at a time; of a larger store only a part of that size is compared, chosen by the keys' hash."""

TOLERANCE = 0.01
"""Scores of the same texts differ if they lie further apart than this share of the scores' deviation."""


class Duplicates:
    """A pair must have one score; equal texts should have equal scores."""

    def __init__(self, about: About) -> None:
        self.parts = -(-about.range.rows // MOST_KEYS) or 1
        self.slack = TOLERANCE * about.range.deviation
        self.repeated = 0
        self.examples: list[str] = []
        self.keys: list[np.ndarray] = []
        self.scores: list[np.ndarray] = []

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Count repeated pairs and keep content keys."""
        sizes = block.raw.group_by(PAIR).len().filter(pl.col("len") > 1).sort(PAIR)
        self.repeated += int(sizes["len"].sum()) - len(sizes)
        for query_id, doc_id, times in sizes.head(max(0, 3 - len(self.examples))).iter_rows():
            self.examples.append(f"query {query_id}, document {doc_id}: {times} scores")
        if "key" in block.raw.columns:
            finite = block.raw.filter(pl.col("key").is_not_null() & pl.col("score").is_finite())
            hashed = finite.select(pl.col("key").hash(0), "score").filter(pl.col("key") % self.parts == 0)
            self.keys.append(hashed["key"].to_numpy())
            self.scores.append(hashed["score"].to_numpy().astype(np.float32))

    def verdict(self) -> Verdict:
        """A repeated pair fails; different scores for the same texts warn."""
        compared, texts, differing = self._same_texts()
        numbers = {
            "repeated_pairs": self.repeated,
            "keys_compared": compared,
            "texts_under_several_ids": texts,
            "of_these_with_different_scores": differing,
        }
        if self.repeated:
            return Verdict(
                "duplicates",
                Status.FAIL,
                f"{self.repeated:,} scores belong to a pair that has another score",
                "a negative would be drawn twice, with contradicting targets",
                "keep one score a pair: import or score into a new store",
                numbers,
                examples=self.examples,
            )
        if differing:
            return Verdict(
                "duplicates",
                Status.WARN,
                f"{differing:,} of {texts:,} pairs of texts that stand under several ids have different scores",
                "the same texts are taught two targets",
                "score them in one run of one back end, and remove duplicate documents from the collection",
                numbers,
            )
        return Verdict("duplicates", Status.PASS, "each pair has one score", numbers=numbers)

    def _same_texts(self) -> tuple[int, int, int]:
        """(keys compared, keys that several pairs have, of these with different scores)."""
        keys = np.concatenate(self.keys) if self.keys else np.empty(0, np.uint64)
        if not len(keys):
            return 0, 0, 0
        scores = np.concatenate(self.scores)
        order = np.argsort(keys)
        keys, scores = keys[order], scores[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        several = np.diff(np.concatenate([starts, [len(keys)]])) > 1
        gap = np.maximum.reduceat(scores, starts) - np.minimum.reduceat(scores, starts)
        return len(keys), int(several.sum()), int((several & (gap > self.slack)).sum())
