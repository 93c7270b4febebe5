"""What the gate looks at: candidates and one or more teachers' scores, as lazy frames that are read piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from rankdistill.data import Dataset
from rankdistill.errors import StoreError
from rankdistill.stores.kinds import UNKNOWN
from rankdistill.stores.reader import ScoreStore

Near = Callable[[str, str], pl.LazyFrame]

_OPTIONAL = {"source": pl.String, "rank": pl.Int32, "label": pl.Int32}


@dataclass(frozen=True)
class Scores:
    """One teacher's scores.

    Args:
        teacher_id: whose.
        name: what people call the teacher.
        score_kind: see `ScoreStore.score_kinds`.
        rows: query_id, doc_id, score, and `key` where there are content keys.
        own_names: the names under which its own ranking may stand among the candidates; see `stores.kinds.own_names`.
        near: (first, last) -> those of `rows` that may be of the query ids from `first` to `last`, read from the files
            that may hold some; None: all of `rows`.
    """

    teacher_id: str
    name: str
    score_kind: str
    rows: pl.LazyFrame
    own_names: frozenset[str]
    near: Near | None = None

    def between(self, first: str, last: str) -> pl.DataFrame:
        """The rows of the query ids from `first` to `last`."""
        rows = self.rows if self.near is None else self.near(first, last)
        return rows.filter(pl.col("query_id").is_between(pl.lit(first), pl.lit(last))).collect()


@dataclass(frozen=True)
class Subject:
    """What is checked.

    Args:
        title: what the report calls it.
        candidates: query_id, doc_id, source, rank, label; one row a source.
        teachers: their scores.
        kinds: id or name of every teacher that may have proposed candidates -> what it scores in.
        labels: query_id, doc_id, label of pairs that the candidates have no label for; None: no others are known.
    """

    title: str
    candidates: pl.LazyFrame
    teachers: Sequence[Scores]
    kinds: Mapping[str, str] = field(default_factory=dict)
    labels: pl.DataFrame | None = None


def of_store(store: ScoreStore, teachers: Sequence[str] = (), dataset: Dataset | None = None) -> Subject:
    """A finished store.

    Args:
        store: the store.
        teachers: ids, names, or starts of these, as `ScoreStore.teacher` takes them; none: all.
        dataset: its qrels label what the candidates left unlabelled.

    Raises:
        StoreError: no such teacher, none at all, or a shard is missing.
    """
    names = store.names
    chosen = list(dict.fromkeys(store.teacher(name) for name in teachers)) or sorted(names, key=lambda one: names[one])
    if not chosen:
        raise StoreError(
            expected=f"a teacher's scores in {store.path}",
            got="none",
            consequence="nothing was checked",
            remedy="score or import into this store first",
        )
    kinds = store.score_kinds()
    return Subject(
        title=str(store.path),
        candidates=_with_all_columns(store.scan_candidates()),
        teachers=[
            Scores(one, names[one], kinds[one], store.scan(one), store.own_names(one), store.near(one))
            for one in chosen
        ],
        kinds=kinds,
        labels=_labels(dataset) if dataset is not None else None,
    )


def of_frames(
    title: str,
    candidates: pl.DataFrame | pl.LazyFrame,
    scores: pl.DataFrame | pl.LazyFrame,
    teacher_id: str,
    kinds: Mapping[str, str],
    own_names: Collection[str] = (),
    name: str | None = None,
    near: Near | None = None,
) -> Subject:
    """One teacher's scores as training reads them.

    Args:
        title: what the report calls them.
        candidates: query_id, doc_id, label, and perhaps source and rank.
        scores: query_id, doc_id, score.
        teacher_id: whose.
        kinds: id or name of a teacher -> what it scores in.
        own_names: the names under which its own ranking may stand among the candidates, besides its id.
        name: what it is shown as; its id unless given.
        near: see `Scores`.
    """
    kind = kinds.get(teacher_id, UNKNOWN)
    teacher = Scores(teacher_id, name or teacher_id, kind, scores.lazy(), frozenset({teacher_id, *own_names}), near)
    return Subject(title, _with_all_columns(candidates.lazy()), [teacher], kinds)


def _with_all_columns(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """The candidates with null columns for what they do not tell."""
    known = candidates.collect_schema().names()
    absent = [pl.lit(None, kind).alias(name) for name, kind in _OPTIONAL.items() if name not in known]
    return candidates.with_columns(absent).select("query_id", "doc_id", *_OPTIONAL)


def _labels(dataset: Dataset) -> pl.DataFrame:
    rows = [
        (query_id, doc_id, label)
        for split in dataset.splits
        for query_id, labels in dataset.qrels(split).items()
        for doc_id, label in labels.items()
    ]
    schema = {"query_id": pl.String, "doc_id": pl.String, "label": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row").group_by("query_id", "doc_id").agg(pl.col("label").max())
