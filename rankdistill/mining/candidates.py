"""Candidate tables: what each source proposes for each query, with the qrels label, and their artefact."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cached_property
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from rankdistill import manifest, tables
from rankdistill.data import Dataset
from rankdistill.data.beir import LEFT_OUT, UNJUDGED
from rankdistill.display import Shown
from rankdistill.errors import ConfigError, DataError
from rankdistill.fusion import Fusion
from rankdistill.making import making
from rankdistill.mining.choosing import Choice, Ranked, lists_of_query
from rankdistill.mining.source import Hits, Source
from rankdistill.mining.window import ALL_RANKS, Window
from rankdistill.progress import Progress
from rankdistill.records import Candidate

if TYPE_CHECKING:
    import polars as pl

ARTEFACT = "candidates"


def mine(
    dataset: Dataset,
    split: str | None,
    sources: Sequence[Source],
    depth: int,
    *,
    window: Window = ALL_RANKS,
    windows: Mapping[str, Window] = MappingProxyType({}),
    fusion: Fusion | None = None,
    limit_queries: int | None = None,
    progress: Progress = lambda advanced: None,
) -> pa.Table:
    """Retrieve candidates from each source for the queries of a split.

    One row a (query, document, source). `label` is the qrels label, null where the pair is unjudged. Every document
    judged relevant (label > 0) is kept for every source: with its rank and score if the source returned it within
    `depth`, inside the window or not, else with null for both. They do not count towards the window's sample. A
    relevant document that the corpus lacks has no text and makes no row (`Dataset.dangling`); the document that has the
    query's own id makes none where the data set leaves it out (`rankdistill.data.identical_ids`), and lists keep their
    depth.

    With `fusion`, the lists are fused into one more source, `fused`; its window alone chooses the documents, and the
    other sources' rows say where each of them stood there.

    Args:
        dataset: the collection.
        split: whose queries and labels; `unjudged`: the queries that no split judges, all without labels; None:
            `train`, or `unjudged` where the collection has no judgements at all.
        sources: where candidates come from; names must differ.
        depth: how deep each source is asked.
        window: which ranks are kept.
        windows: source -> its own window, instead of `window`.
        fusion: how the sources' lists become one; None: they do not.
        limit_queries: mine only this many queries; see `sample_queries`.
        progress: called with the number of texts (documents, queries) done; each source does all once.

    Returns:
        `tables.CANDIDATES`, sorted by query_id, source, rank (null last), doc_id.

    Raises:
        ConfigError: no source, two of one name, a window outside the depth or of no source, or weights of the fusion
            that do not fit the sources.
        DataError: no such split, or no query that is not judged.
    """
    split = split or dataset.default_split
    choice = Choice(window, windows, fusion)
    choice.require([source.name for source in sources], depth)
    queries = sample_queries(dataset.to_mine(split), limit_queries)
    qrels = {} if split == UNJUDGED else dataset.qrels(split)
    found: dict[str, Hits] = {}
    own = dataset.own_documents & queries.keys()
    for source in sources:
        # One deeper where a document may have to go, so that each list keeps its depth.
        hits = source.retrieve(dataset.contents, list(queries.values()), depth + bool(own), progress)
        found[source.name] = _without_own(list(queries), hits, own, depth)
    ids, rows, parts = list(queries), list[Candidate](), [tables.CANDIDATES.empty_table()]
    # Queries in the order of the table, so that rows need no more than their columns once they are many.
    for place in sorted(range(len(ids)), key=ids.__getitem__):
        query_id, lists = ids[place], lists_of_query(found, fusion, depth, place)
        labels = {
            doc_id: label
            for doc_id, label in qrels.get(query_id, {}).items()
            if doc_id in dataset.document_lines and not (doc_id == query_id and query_id in own)
        }
        kept = choice.choose(query_id, lists, labels)
        of_query: list[Candidate] = []
        for name, hits_of_query in lists.items():
            of_query.extend(_candidates(query_id, name, hits_of_query, labels, kept[name]))
        rows += sorted(of_query, key=lambda row: (row.source, row.rank is None, row.rank, row.doc_id))
        if len(rows) >= tables.ROW_GROUP:
            parts.append(_table(rows))
            rows = []
    return pa.concat_tables([*parts, _table(rows)]).combine_chunks()


def _table(rows: Sequence[Candidate]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[] for _ in tables.CANDIDATES]
    return pa.table(dict(zip(tables.CANDIDATES.names, map(list, columns), strict=True)), schema=tables.CANDIDATES)


def sample_queries(queries: Mapping[str, str], limit: int | None) -> dict[str, str]:
    """The `limit` queries whose ids have the smallest SHA-256, in the given order; all if `limit` is None.

    A smaller limit gives a subset of a larger one's.

    Raises:
        ConfigError: a limit below 1.
    """
    if limit is not None and limit < 1:
        raise ConfigError(
            expected="at least 1 query", got=str(limit), consequence="nothing was mined", remedy="raise the limit"
        )
    if limit is None or limit >= len(queries):
        return dict(queries)
    chosen = set(sorted(queries, key=lambda query_id: hashlib.sha256(query_id.encode()).digest())[:limit])
    return {query_id: text for query_id, text in queries.items() if query_id in chosen}


def build(
    out: Path,
    dataset: Dataset,
    split: str | None,
    sources: Sequence[Source],
    depth: int,
    *,
    window: Window = ALL_RANKS,
    windows: Mapping[str, Window] = MappingProxyType({}),
    fusion: Fusion | None = None,
    limit_queries: int | None = None,
    command: str = "",
    progress: Progress = lambda advanced: None,
) -> bool:
    """Mine into the folder `out` (artefact `candidates`); False if it already holds exactly this.

    The arguments are those of `mine`; `command` goes into the manifest.

    Raises:
        StaleOutputError: `out` holds candidates of other inputs or parameters.
        OutputError, ConfigError, DataError: see `mine` and `rankdistill.files`.
    """
    split = split or dataset.default_split
    choice = Choice(window, windows, fusion)
    choice.require([source.name for source in sources], depth)
    wanted = _describe(dataset, split, sources, depth, choice, limit_queries, command)
    with making(out, wanted) as made:
        if made.current:
            return False
        path = out / tables.CANDIDATES_FILE
        found = mine(
            dataset,
            split,
            sources,
            depth,
            window=window,
            windows=windows,
            fusion=fusion,
            limit_queries=limit_queries,
            progress=progress,
        )
        tables.write_parquet(path, found)
        made.wrote([path])
    return True


class Candidates(Shown):
    """Finished candidates, read only; they print as a count for each source.

    Args:
        path: their folder.
        asked: how many queries were asked; those that have candidates unless given.

    Raises:
        DataError: no finished candidates folder.
    """

    def __init__(self, path: str | PathLike[str], asked: int | None = None) -> None:
        self.path = Path(path)
        self.manifest = manifest.expect(self.path, ARTEFACT, "mine")
        self._asked = asked

    def __fspath__(self) -> str:
        return str(self.path)

    def __len__(self) -> int:
        """How many rows there are, one a (query, document, source)."""
        return self.table.num_rows

    def __repr__(self) -> str:
        return f"Candidates({str(self.path)!r}: {len(self):,} candidates of {self.queries:,} queries)"

    @cached_property
    def table(self) -> pa.Table:
        """The rows, as `tables.CANDIDATES`."""
        return read(self.path)

    @property
    def queries(self) -> int:
        """How many queries were asked."""
        return self._asked if self._asked is not None else len(pc.unique(self.table["query_id"]))

    def to_polars(self) -> pl.DataFrame:
        """The rows: query_id, doc_id, source, rank, source_score, label."""
        import polars as pl

        found = pl.from_arrow(self.table)
        assert isinstance(found, pl.DataFrame)
        return found

    @cached_property
    def sources(self) -> list[dict[str, Any]]:
        """For each source: rows, judged positives, those of them that it did not retrieve, and queries with a list."""
        import polars as pl

        counts = (
            self.to_polars()
            .group_by("source")
            .agg(
                rows=pl.len(),
                positives=(pl.col("label") > 0).sum(),
                unretrieved=pl.col("rank").is_null().sum(),
                answered=pl.col("query_id").filter(pl.col("rank").is_not_null()).n_unique(),
            )
        )
        return counts.sort("source").to_dicts()

    def lines(self) -> list[str]:
        """A count for each source."""
        return [
            f"{one['source']}: {one['rows']:,} candidates of {self.queries:,} queries; "
            f"{one['positives']:,} judged relevant, {one['unretrieved']:,} of them not retrieved"
            for one in self.sources
        ]

    def shortcomings(self) -> Iterator[str]:
        """What gave nothing for some queries, or nothing but judged positives."""
        for one in self.sources:
            if one["answered"] < self.queries:
                yield (
                    f"{one['source']} gave nothing for {self.queries - one['answered']:,} of {self.queries:,} queries: "
                    "none of their words is in the collection, or their lists end before these ranks"
                )
            if one["rows"] == one["positives"]:
                yield (
                    f"{one['source']} gave no negative: its lists end before these ranks, or hold relevant documents "
                    "alone"
                )

    def to_json(self) -> dict[str, Any]:
        """Folder, queries and the counts of each source."""
        return {"candidates": str(self.path), "queries": self.queries, "sources": self.sources}


def read(folder: str | Path) -> pa.Table:
    """The candidates in `folder`, as `tables.CANDIDATES`.

    Raises:
        DataError: no finished candidates folder, or a damaged file.
    """
    manifest.expect(Path(folder), ARTEFACT, "mine")
    path = Path(folder) / tables.CANDIDATES_FILE
    tables.check_schema(path, tables.CANDIDATES)
    try:
        return tables.read_parquet(path, columns=tables.CANDIDATES.names).cast(tables.CANDIDATES)
    except (pa.ArrowInvalid, ValueError) as error:  # a whole number too large for its column, a null where none may be
        raise DataError(
            expected=f"candidates whose values fit {', '.join(tables.CANDIDATES.names)}",
            got=f"{path}: {error}",
            consequence="nothing was read",
            remedy="mine them again",
        ) from error


def _without_own(query_ids: Sequence[str], hits: Hits, own: Set[str], depth: int) -> Hits:
    """The first `depth` of each list, without the document of the query's own id for queries of `own`."""
    if not own:
        return hits
    ids, scores = [], []
    for query_id, found, values in zip(query_ids, *hits, strict=True):
        kept = [place for place, doc_id in enumerate(found) if doc_id != query_id or query_id not in own][:depth]
        ids.append([found[place] for place in kept])
        scores.append(values[kept])
    return ids, scores


def _candidates(
    query_id: str, source: str, hits: Ranked, labels: Mapping[str, int], kept: Set[str]
) -> Iterator[Candidate]:
    """One query's rows from one source, in no particular order."""
    for rank, (doc_id, score) in enumerate(hits, start=1):
        if doc_id in kept:
            yield Candidate(query_id, doc_id, source, rank, score, labels.get(doc_id))
    for doc_id in {doc_id for doc_id, label in labels.items() if label > 0}.difference(doc_id for doc_id, _ in hits):
        yield Candidate(query_id, doc_id, source, None, None, labels[doc_id])


def _describe(
    dataset: Dataset,
    split: str,
    sources: Sequence[Source],
    depth: int,
    choice: Choice,
    limit_queries: int | None,
    command: str,
) -> manifest.Manifest:
    if split == UNJUDGED:
        named = {"queries": manifest.digest(sorted(dataset.to_mine(split)))}
    else:
        named = {"qrels": dataset.qrels_hash(split)}
    inputs = {"dataset": dataset.fingerprint, **named}
    parameters: dict[str, Any] = {
        "split": split,
        "depth": depth,
        **choice.parameters(depth),
        "limit_queries": limit_queries,
        "sources": {source.name: dict(source.parameters) for source in sources},
    }
    if left_out := dataset.left_out(split):
        parameters[LEFT_OUT] = left_out
    for source in sources:
        inputs |= {f"{source.name}.{name}": content for name, content in source.inputs.items()}
    versions = manifest.versions_of("bm25s", "PyStemmer", "numpy")
    return manifest.Manifest(ARTEFACT, inputs, parameters, versions, command)
