"""NaN, infinite and absent scores."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from rankdistill.gate.block import Block
from rankdistill.gate.check import About
from rankdistill.gate.verdict import Status, Verdict

SHOWN = 3


class Finite:
    """Every score must be a finite number; one that is not makes the loss NaN, or is trained on silently."""

    def __init__(self, about: About) -> None:
        self.rows = self.absent = self.nan = self.infinite = 0
        self.examples: list[str] = []

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Count."""
        score = block.raw["score"].cast(pl.Float64)
        self.rows += len(score)
        self.absent += score.null_count()
        self.nan += int(score.is_nan().sum())
        self.infinite += int(score.is_infinite().sum())
        if len(self.examples) < SHOWN:
            bad = block.raw.filter(~score.is_finite().fill_null(False)).head(SHOWN - len(self.examples))
            for query_id, doc_id, value in bad.select("query_id", "doc_id", "score").iter_rows():
                self.examples.append(f"query {query_id}, document {doc_id}: {value}")

    def verdict(self) -> Verdict:
        """Any such score fails; so does a teacher without scores."""
        numbers = {"scores": self.rows, "null": self.absent, "nan": self.nan, "infinite": self.infinite}
        if not self.rows:
            return Verdict(
                "finite",
                Status.FAIL,
                "there is no score",
                "there is nothing to train on",
                "score the candidates with `rankdistill score`",
                numbers,
            )
        if bad := self.absent + self.nan + self.infinite:
            return Verdict(
                "finite",
                Status.FAIL,
                f"{bad:,} of {self.rows:,} scores are no finite numbers "
                f"({self.nan:,} NaN, {self.infinite:,} infinite, {self.absent:,} null)",
                "the loss becomes NaN, or trains on them without a word",
                "score these pairs again, in float32",
                numbers,
                examples=self.examples,
            )
        return Verdict("finite", Status.PASS, f"all {self.rows:,} scores are finite", numbers=numbers)
