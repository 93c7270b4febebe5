"""How good a system is by where in a conversation a question stands, and what its queries cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from pydantic import Field

from rankdistill.display import Table
from rankdistill.evaluation.indexed import IndexedRetriever
from rankdistill.evaluation.measures import CONVERSATIONAL, EVERY_TITLE
from rankdistill.evaluation.systems import Record
from rankdistill.manifest import digest

DEEPEST = 10
"""Depths from here on are one group."""

DEPTH, TOPIC = "depth", "topic"
SHIFT, SAME = "shift", "same"
TRAINED = "as the model was trained"

SHOWN = ("ndcg_at_3", "mrr", "recall_at_100")


@dataclass(frozen=True)
class Turns:
    """What is known of the questions of a split.

    Args:
        reads: what of a turn the system reads: a format, a rewrite, or in words.
        texts: hash of what it reads.
        depths: turn_id -> number of the question in its conversation, from 1.
        shifts: turn_id -> whether it is about something else than the question before, where that is known.
        trained: whether nobody named a format, and the model was trained to read this one.
    """

    reads: str
    texts: str
    depths: Mapping[str, int]
    shifts: Mapping[str, bool]
    trained: bool = False

    @property
    def decisive(self) -> dict[str, Any]:
        """What decides the result, for the manifest."""
        known = {"depths": digest(dict(self.depths)), "shifts": digest(dict(self.shifts))}
        return {"reads": TRAINED if self.trained else self.reads, "texts": self.texts} | known

    @property
    def told(self) -> str:
        """What is read, and whether it is what the model was trained to read."""
        return f"{self.reads}, {TRAINED}" if self.trained else self.reads


class Group(Record):
    """Questions that have something in common.

    Args:
        by: `depth` or `topic`.
        group: the depth, `10+` for all from there on; or `shift` and `same`.
        queries: how many.
        measures: measure -> mean.
    """

    by: str
    group: str
    queries: int
    measures: dict[str, float]


class ByTurn(Record):
    """A system's measures by turn, and of a sparse one what its queries cost.

    Args:
        reads: what of a turn the system reads.
        groups: by depth, then by topic where that is known.
        query_terms: mean active terms of a query; None of a system that has no term weights.
        flops: products that the dot product of a random query and a random document takes; None where the index does
            not tell. See `rankdistill.evaluation.sparsity`.
    """

    reads: str
    groups: list[Group] = Field(default_factory=list)
    query_terms: float | None = None
    flops: float | None = None

    def table(self) -> Table:
        """A group a row."""
        header = ["", "questions", *(EVERY_TITLE[name] for name in SHOWN)]
        rows = [
            [f"{one.by} {one.group}", str(one.queries), *(f"{one.measures[name]:.4f}" for name in SHOWN)]
            for one in self.groups
        ]
        return Table(f"by turn; reads: {self.reads}", header, rows)

    def lines(self) -> list[str]:
        """What sparse queries cost."""
        if self.query_terms is None:
            return []
        flops = "" if self.flops is None else f", {self.flops:.3g} FLOPS"
        return [f"{self.query_terms:.1f} terms a query{flops}"]


def by_turn(turns: Turns, per_query: pl.DataFrame, ranker: object, queries: Mapping[str, str]) -> ByTurn:
    """The report of one evaluation.

    Args:
        turns: what is known of the questions.
        per_query: query_id and a column a measure.
        ranker: the system; a sparse one tells what its queries cost.
        queries: turn_id -> what it reads.
    """
    depths = {turn: _depth(depth) for turn, depth in turns.depths.items()}
    order = [*map(str, range(1, DEEPEST)), f"{DEEPEST}+"]
    topics = {turn: SHIFT if shifted else SAME for turn, shifted in turns.shifts.items()}
    groups = [*_groups(DEPTH, depths, order, per_query), *_groups(TOPIC, topics, [SAME, SHIFT], per_query)]
    terms, flops = _sparsity(ranker, list(queries.values()))
    return ByTurn(reads=turns.told, groups=groups, query_terms=terms, flops=flops)


def _depth(depth: int) -> str:
    return str(depth) if depth < DEEPEST else f"{DEEPEST}+"


def _groups(by: str, of_turn: Mapping[str, str], order: Sequence[str], per_query: pl.DataFrame) -> list[Group]:
    names = [name for name in per_query.columns if name != "query_id"]
    known = pl.DataFrame(
        {"query_id": list(of_turn), "group": list(of_turn.values())},
        schema={"query_id": pl.String, "group": pl.String},
    )
    rows = per_query.join(known, on="query_id")
    found = []
    for group in order:
        some = rows.filter(pl.col("group") == group)
        if some.height:
            means = {name: float(some[name].to_numpy().mean()) for name in names}
            found.append(Group(by=by, group=group, queries=some.height, measures=means))
    return found


def _sparsity(ranker: object, texts: Sequence[str]) -> tuple[float | None, float | None]:
    """Terms a query, and FLOPS, of a sparse system; None where it has none, or its index does not tell."""
    if not isinstance(ranker, IndexedRetriever) or ranker.index.kind.name != "sparse":
        return None, None
    queries = ranker.encode(texts)
    terms = float(np.diff(queries.indptr).mean())
    blocks = getattr(ranker.index.searcher, "blocks", None)
    if blocks is None:
        return terms, None
    counts, documents = np.zeros(queries.shape[1]), 0
    for block in blocks(0, 4096):
        counts += np.bincount(block.indices, minlength=block.shape[1])
        documents += block.shape[0]
    shares = np.bincount(queries.indices, minlength=queries.shape[1]) / queries.shape[0]
    return terms, float(shares @ counts / max(documents, 1))


__all__ = ["CONVERSATIONAL", "ByTurn", "Group", "Turns", "by_turn"]
