"""What a run reads: one teacher's scores of the candidates of training queries, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import polars as pl

from rankdistill import models
from rankdistill.data import Dataset
from rankdistill.data.beir import UNJUDGED
from rankdistill.data.identical_ids import without_own
from rankdistill.ensembles import ranges
from rankdistill.errors import DataError
from rankdistill.sessions.reading import rewrites_of
from rankdistill.stores.embeddings.identity import alike_hash
from rankdistill.stores.reader import ScoreStore

PART_ROWS = 100_000
"""Scores that are joined with their candidates together."""


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


class Part(NamedTuple):
    """What is read of a range of whole queries; ranges come in the order of their queries.

    Args:
        scores: query_id, doc_id, score.
        candidates: query_id, doc_id, source, label.
    """

    scores: pl.DataFrame
    candidates: pl.DataFrame


@dataclass(frozen=True)
class Inputs:
    """One teacher's scores and the candidates to train on, read range by range wherever they are needed.

    Args:
        teacher_id: whose scores.
        scan_scores: query_id, doc_id, score.
        scan_candidates: query_id, doc_id, source, label; a row may stand there twice.
        held_out_queries: queries in the store that were left out, because another split judges them.
        queries_not_in_data: those that are trained on, but stand in no split and no text of the data: whether one of
            its splits should hold them out cannot be told.
        kept: a table of pairs, which may have more -> without what is left out.
        spans: the row groups of the scores, where these lie in a store's files; None: both tables are in memory.
        near: (first, last) -> scores that may be of the query ids from `first` to `last`, read from the files that may
            hold some; None where `spans` is.
    """

    teacher_id: str
    scan_scores: pl.LazyFrame
    scan_candidates: pl.LazyFrame
    held_out_queries: int
    queries_not_in_data: int
    kept: Callable[[pl.DataFrame], pl.DataFrame]
    spans: Sequence[ranges.Span] | None = None
    near: Callable[[str, str], pl.LazyFrame] | None = None

    @property
    def scores(self) -> pl.DataFrame:
        """All scores, in memory."""
        return self.scan_scores.collect()

    @property
    def candidates(self) -> pl.DataFrame:
        """All candidates, in memory; each row once."""
        return self.scan_candidates.collect().unique(maintain_order=True)

    @property
    def sources(self) -> list[str]:
        """The names of the candidates' sources, sorted."""
        return sorted(self.scan_candidates.select(pl.col("source").unique()).collect(engine="streaming")["source"])

    def parts(self) -> Iterator[Part]:
        """All of them, `PART_ROWS` scores together or, where that is more, a query's; in memory there is one part.

        Raises:
            StoreError: a pair has two scores, or a score is not finite; told here only of scores in files.
        """
        if self.spans is None:
            yield Part(self.scores, self.scan_candidates.collect())
            return
        cursor = ranges.Cursor(self.teacher_id, self.spans)
        for low, below in self._ranges():
            scores = cursor.take(below).with_columns(pl.col("score").cast(pl.Float32))
            yield Part(self.kept(scores), self._candidates(low, below))

    def candidate_parts(self) -> Iterator[pl.DataFrame]:
        """The candidates of `parts`, without reading the scores."""
        if self.spans is None:
            yield self.scan_candidates.collect()
            return
        for low, below in self._ranges():
            yield self._candidates(low, below)

    def _ranges(self) -> Iterator[tuple[str | None, str | None]]:
        low = None
        for below in ranges.cuts([self.spans or ()], PART_ROWS):
            yield low, below
            low = below

    def _candidates(self, low: str | None, below: str | None) -> pl.DataFrame:
        """Those of queries from `low` (inclusive) to `below` (exclusive), each row once."""
        inside = [] if low is None else [pl.col("query_id") >= low]
        inside += [] if below is None else [pl.col("query_id") < below]
        return (self.scan_candidates.filter(*inside) if inside else self.scan_candidates).collect().unique()

    def hashes(self) -> dict[str, str]:
        """Content hashes, whatever the order of the rows in the store."""
        scores, candidates = hashlib.sha256(), hashlib.sha256()
        for part in self.parts():
            _hash_table(scores, part.scores, ["query_id", "doc_id", "score"])
            _hash_table(candidates, part.candidates, ["query_id", "doc_id", "source", "label"])
        return {"scores": scores.hexdigest(), "candidates": candidates.hexdigest()}


def read(
    dataset: Dataset,
    store: ScoreSource,
    split: str,
    teacher_id: str | None,
    texts: Mapping[str, str] | None = None,
    with_text: bool = False,
) -> Inputs:
    """Read what `split` may train on; a query that only other splits judge is held out: it would leak the test.

    Where `split` is `unjudged`, all that any split judges is held out. So is a query that says the same as one of
    those, or in conversations as a rewrite of one, whatever its id and its case or punctuation. The document that has
    the query's own id is no negative where the data set leaves it out of rankings.

    Args:
        dataset: whose splits say what is held out.
        store: what is read.
        split: that is trained on.
        teacher_id: whose scores; None: the only teacher's.
        texts: query id -> text of the store's queries, where they are at hand.
        with_text: leave out queries that `texts` lacks too: of conversations it has those that may be read.

    Raises:
        DataError: no such split, or all of the store's queries are held out.
        StoreError: the teacher must be named, or is not in the store.
    """
    teacher, own = store.teacher(teacher_id), dataset.own_documents
    spans: Sequence[ranges.Span] | None = None
    if isinstance(store, ScoreStore):
        scores = store.scan(teacher).select("query_id", "doc_id", "score")
        candidates, spans = store.scan_candidates(), ranges.spans(store.shards(teacher))
        in_files = store.near(teacher)
    else:
        scores, candidates = store.scores(teacher).lazy(), store.candidates().lazy()
    given = set(candidates.select(pl.col("query_id").unique()).collect(engine="streaming")["query_id"])
    said = store.query_texts() if texts is None else texts
    held_out = _held_out(dataset, split, given, said)
    if given and given <= held_out:
        raise _all_held_out(dataset, split, given)
    held_out |= given - said.keys() if with_text else set()
    others = pl.Series("query_id", sorted(held_out & given), dtype=pl.String)
    kept = ~pl.col("query_id").is_in(others.implode()) if len(others) else pl.lit(True)

    def of_frame(pairs: pl.DataFrame) -> pl.DataFrame:
        return without_own(pairs, own).filter(kept)

    def near(first: str, last: str) -> pl.LazyFrame:
        return without_own(in_files(first, last).select("query_id", "doc_id", "score"), own).filter(kept)

    return Inputs(
        teacher,
        without_own(scores, own).filter(kept),
        without_own(candidates, own).filter(kept),
        len(given & held_out),
        len(given - held_out - dataset.query_texts.keys()),
        of_frame,
        spans,
        None if spans is None else near,
    )


def _all_held_out(dataset: Dataset, split: str, given: AbstractSet[str]) -> DataError:
    by = [other for other in dataset.splits if other != split and not given.isdisjoint(dataset.qrels(other))]
    judges = f"{' and '.join(by)} judge{'s' if len(by) == 1 else ''}" if by else "other splits judge"
    return DataError(
        expected=f"queries in the store that the split {split!r} may train on",
        got=f"all {len(given):,} are held out: {judges} them, or queries that say the same, and {split!r} does not",
        consequence="nothing was trained",
        remedy="name the split that they are of (split, --split), or score candidates of other queries",
    )


def _held_out(dataset: Dataset, split: str, given: set[str], texts: Mapping[str, str]) -> set[str]:
    """The queries that other splits alone judge, and those of `given` (ids in `texts`) that say the same as one."""
    others = {query_id for other in dataset.splits if other != split for query_id in dataset.qrels(other)}
    found = others if split == UNJUDGED else others - dataset.qrels(split).keys()
    said = {alike_hash(dataset.query_texts[query_id]) for query_id in found if query_id in dataset.query_texts}
    said |= set(map(alike_hash, rewrites_of(dataset.path, found)))
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


def _hash_table(digest: hashlib._Hash, table: pl.DataFrame, columns: list[str]) -> None:
    for part in table.select(columns).sort(columns).iter_slices(100_000):
        digest.update(part.write_csv(include_header=False).encode())
