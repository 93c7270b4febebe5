"""What a run reads: one teacher's scores of the candidates of training queries, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from rankdistill import models
from rankdistill.data import Dataset
from rankdistill.data.beir import UNJUDGED
from rankdistill.data.identical_ids import without_own
from rankdistill.stores.embeddings.identity import alike_hash


class ScoreSource(Protocol):
    """What training reads of a score store."""

    @property
    def teacher_ids(self) -> Sequence[str]:
        """The teachers with scores."""

    @property
    def names(self) -> Mapping[str, str]:
        """Teacher id -> what it is shown as, where that is another name."""

    def teacher(self, name: str | None = None) -> str:
        """The id of the teacher that `name` stands for, StoreError if there is none; None: the only one."""

    def scores(self, teacher_id: str | None = None) -> pl.DataFrame:
        """query_id, doc_id, score of one teacher."""

    def score_kinds(self) -> Mapping[str, str]:
        """Teacher id -> what it scores in; see `stores.kinds.score_kind_of`."""

    def own_names(self, teacher_id: str) -> Collection[str]:
        """The names under which the teacher's own ranking may stand among the candidates; see `stores.kinds`."""

    def derivation(self, teacher_id: str | None = None) -> Mapping[str, Any]:
        """What the scores were made from, where they are not as a teacher gave them; goes into the manifest."""

    def candidates(self) -> pl.DataFrame:
        """query_id, doc_id, source, label, one row a source."""

    def query_texts(self) -> Mapping[str, str]:
        """Query id -> the text that was scored."""

    def document_texts(self) -> Mapping[str, str]:
        """Document id -> the text that was scored."""


@dataclass(frozen=True)
class Inputs:
    """One teacher's scores and the candidates to train on.

    Args:
        teacher_id: whose scores.
        scores: query_id, doc_id, score.
        candidates: query_id, doc_id, source, label.
        held_out_queries: queries in the store that were left out, because another split judges them.
        queries_not_in_data: those that are trained on, but stand in no split and no text of the data: whether one of
            its splits should hold them out cannot be told.
    """

    teacher_id: str
    scores: pl.DataFrame
    candidates: pl.DataFrame
    held_out_queries: int
    queries_not_in_data: int

    def hashes(self) -> dict[str, str]:
        """Content hashes, whatever the order of the rows in the store."""
        return {
            "scores": _hash_table(self.scores, ["query_id", "doc_id", "score"]),
            "candidates": _hash_table(self.candidates, ["query_id", "doc_id", "source", "label"]),
        }


def read(dataset: Dataset, store: ScoreSource, split: str, teacher_id: str | None) -> Inputs:
    """Read what `split` may train on; a query that only other splits judge is held out: it would leak the test.

    Where `split` is `unjudged`, all that any split judges is held out. So is a query that says the same as one of
    those, whatever its id and its case or punctuation. The document that has the query's own id is no negative where
    the data set leaves it out of rankings.

    Raises:
        DataError: no such split.
        StoreError: the teacher must be named, or is not in the store.
    """
    teacher = store.teacher(teacher_id)
    own = dataset.own_documents
    candidates, scores = without_own(store.candidates(), own), without_own(store.scores(teacher), own)
    given = set(candidates["query_id"].unique())
    held_out = _held_out(dataset, split, given, store.query_texts())
    kept = ~pl.col("query_id").is_in(pl.Series("query_id", sorted(held_out), dtype=pl.String).implode())
    foreign = len(given - held_out - dataset.query_texts.keys())
    return Inputs(teacher, scores.filter(kept), candidates.filter(kept), len(given & held_out), foreign)


def _held_out(dataset: Dataset, split: str, given: set[str], texts: Mapping[str, str]) -> set[str]:
    """The queries that other splits alone judge, and those of `given` (ids in `texts`) that say the same as one."""
    others = {query_id for other in dataset.splits if other != split for query_id in dataset.qrels(other)}
    found = others if split == UNJUDGED else others - dataset.qrels(split).keys()
    said = {alike_hash(dataset.query_texts[query_id]) for query_id in found if query_id in dataset.query_texts}
    return found | {query_id for query_id in given - found if query_id in texts and alike_hash(texts[query_id]) in said}


def hashes(dataset: Dataset, inputs: Inputs, student: str, dev_split: str | None, counted: bool) -> dict[str, str]:
    """Name -> content hash of all that a run reads; `counted`: the terms of the collection are."""
    found = {"student": models.resolve(student).weights_hash} | inputs.hashes()
    if counted:
        found |= {"documents": dataset.fingerprint}
    if dev_split is not None:
        found |= {"dev_texts": dataset.fingerprint, "dev_qrels": dataset.qrels_hash(dev_split)}
        if left_out := dataset.left_out(dev_split):
            found |= {"dev_own_documents": str(left_out)}
    return found


def _hash_table(table: pl.DataFrame, columns: list[str]) -> str:
    digest = hashlib.sha256()
    for part in table.select(columns).sort(columns).iter_slices(100_000):
        digest.update(part.write_csv(include_header=False).encode())
    return digest.hexdigest()
