"""What a check is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from rankdistill.gate.block import Block
from rankdistill.gate.outline import Range
from rankdistill.gate.verdict import Verdict


@dataclass(frozen=True)
class About:
    """What a check knows before it reads.

    Args:
        teacher_id: whose scores.
        name: what people call the teacher.
        score_kind: the unit that the scores are said to be in, or `unknown`.
        student: similarity that the advice is for, `cosine` or `dot`.
        range: the span of the finite scores.
        teachers: teacher_id -> name of all teachers of the subject.
        kinds: id or name of every teacher that may have proposed candidates -> what it scores in.
        sampled: ids of the queries on which teachers are compared.
        first_ranks: source -> the best rank of its candidates that are no positives.
        own_names: the names under which the teacher's own ranking may stand among the candidates.
        loss: what will be trained with, by its name in `training.config`; None: nothing is said.
    """

    teacher_id: str
    name: str
    score_kind: str
    student: str
    range: Range
    teachers: Mapping[str, str]
    kinds: Mapping[str, str]
    sampled: pl.Series
    first_ranks: Mapping[str, int]
    own_names: frozenset[str]
    loss: str | None = None


class Check(Protocol):
    """Reads one teacher's scores block by block and then judges; made anew for each teacher."""

    def __init__(self, about: About) -> None: ...

    def update(self, block: Block, peers: Mapping[str, Block]) -> None:
        """Look at the queries of `block`; `peers` are all teachers' blocks of the same queries."""

    def verdict(self) -> Verdict:
        """The judgement, after the last block."""
