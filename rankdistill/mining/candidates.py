"""Candidate tables: what each source proposes for each query, with the qrels label, and their artefact."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, manifest, tables
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.mining.source import Progress, Source
from rankdistill.mining.window import ALL_RANKS, Window
from rankdistill.records import Candidate

ARTEFACT = "candidates"


def mine(
    dataset: Dataset,
    split: str,
    sources: Sequence[Source],
    depth: int,
    *,
    window: Window = ALL_RANKS,
    limit_queries: int | None = None,
    progress: Progress = lambda advanced: None,
) -> pa.Table:
    """Retrieve candidates from each source for the queries of a split.

    One row a (query, document, source). `label` is the qrels label, null where the pair is unjudged. Every document
    judged relevant (label > 0) is kept for every source: with its rank and score if the source returned it within
    `depth`, inside the window or not, else with null for both. They do not count towards the window's sample.

    Args:
        dataset: the collection.
        split: whose queries and labels.
        sources: where candidates come from; names must differ.
        depth: how deep each source is asked.
        window: which ranks are kept.
        limit_queries: mine only this many queries; see `sample_queries`.
        progress: called with the number of texts (documents, queries) done; each source does all once.

    Returns:
        `tables.CANDIDATES`, sorted by query_id, source, rank (null last), doc_id.

    Raises:
        ConfigError: no source, two of one name, or a window outside the depth.
        DataError: no such split.
    """
    _check(sources, depth, window)
    qrels = dataset.qrels(split)
    queries = sample_queries(dataset.queries(split), limit_queries)
    rows: list[Candidate] = []
    for source in sources:
        ids, scores = source.retrieve(dataset.contents, list(queries.values()), depth, progress)
        for query_id, query_ids, query_scores in zip(queries, ids, scores, strict=True):
            rows.extend(_candidates(query_id, source.name, query_ids, query_scores, qrels[query_id], window))
    rows.sort(key=lambda row: (row.query_id, row.source, row.rank is None, row.rank, row.doc_id))
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
    split: str,
    sources: Sequence[Source],
    depth: int,
    *,
    window: Window = ALL_RANKS,
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
    _check(sources, depth, window)
    wanted = _describe(dataset, split, sources, depth, window, limit_queries)
    with files.exclusive(out):
        if manifest.is_current(out, wanted):
            return False
        files.remove_temporaries(out)
        path = out / tables.CANDIDATES_FILE
        found = mine(dataset, split, sources, depth, window=window, limit_queries=limit_queries, progress=progress)
        tables.write_parquet(path, found)
        manifest.Manifest(
            artefact=ARTEFACT,
            inputs=wanted.inputs,
            parameters=wanted.parameters,
            versions=manifest.versions_of("bm25s", "PyStemmer", "numpy"),
            command=command,
            outputs={path.name: files.hash_file(path)},
        ).write(out)
    return True


def read(folder: str | Path) -> pa.Table:
    """The candidates in `folder`, as `tables.CANDIDATES`.

    Raises:
        DataError: no finished candidates folder, or a damaged file.
    """
    manifest.expect(Path(folder), ARTEFACT, "mine")
    path = Path(folder) / tables.CANDIDATES_FILE
    tables.check_schema(path, tables.CANDIDATES)
    return pq.read_table(path, columns=tables.CANDIDATES.names).cast(tables.CANDIDATES)


def _candidates(
    query_id: str,
    source: str,
    doc_ids: Sequence[str],
    scores: np.ndarray,
    labels: Mapping[str, int],
    window: Window,
) -> Iterator[Candidate]:
    """One query's rows from one source, in no particular order."""
    ranked = list(enumerate(zip(doc_ids, scores.tolist(), strict=True), start=1))
    relevant = {doc_id for doc_id, label in labels.items() if label > 0}
    chosen = window.choose([rank for rank, (doc_id, _) in ranked if doc_id not in relevant], query_id, source)
    for rank, (doc_id, score) in ranked:
        if rank in chosen or doc_id in relevant:
            yield Candidate(query_id, doc_id, source, rank, score, labels.get(doc_id))
    for doc_id in relevant.difference(doc_ids):
        yield Candidate(query_id, doc_id, source, None, None, labels[doc_id])


def _check(sources: Sequence[Source], depth: int, window: Window) -> None:
    names = [source.name for source in sources]
    if not names or len(set(names)) < len(names):
        raise ConfigError(
            expected="at least one source, each with its own name",
            got=str(names),
            consequence="nothing was mined: rows of two sources could not be told apart",
            remedy="name each source once",
        )
    window.require_within(depth)


def _describe(
    dataset: Dataset, split: str, sources: Sequence[Source], depth: int, window: Window, limit_queries: int | None
) -> manifest.Manifest:
    inputs = {"dataset": dataset.fingerprint, "qrels": dataset.qrels_hash(split)}
    parameters: dict[str, Any] = {
        "split": split,
        "depth": depth,
        "ranks": [window.first, window.last or depth],
        "sample": window.sample,
        "seed": window.seed,
        "limit_queries": limit_queries,
        "sources": {source.name: dict(source.parameters) for source in sources},
    }
    for source in sources:
        inputs |= {f"{source.name}.{name}": content for name, content in source.inputs.items()}
    return manifest.Manifest(ARTEFACT, inputs, parameters)
