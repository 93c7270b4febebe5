"""What a run knows to be no negative: kept out of the negatives that are drawn, and out of in-batch denominators."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from rankdistill.data import Dataset
from rankdistill.data.positives import Positives, gather, hashes
from rankdistill.data.text_store import Texts

PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class KnownPositives:
    """The labels of every split on the candidates of a run, whatever the candidate table says about them.

    Args:
        positives: by text.
        candidates: query_id, doc_id, label (the highest of a pair), query_text and document_text (hashes).
    """

    positives: Positives
    candidates: pl.DataFrame

    @cached_property
    def pairs(self) -> pl.DataFrame:
        """query_id, doc_id of the candidates that are no negatives of their query."""
        columns = [self.candidates[name].to_numpy() for name in ("query_text", "document_text")]
        return self.candidates.filter(pl.Series(self.positives.include(*columns), dtype=pl.Boolean)).select(PAIR)

    @cached_property
    def texts(self) -> pl.DataFrame:
        """doc_id, document_text of the candidates."""
        return self.candidates.select("doc_id", "document_text").unique("doc_id")

    def silent(self, declared: bool) -> pl.DataFrame:
        """query_id, doc_id of the candidates that are no negatives though their own table does not say so.

        Args:
            declared: whether a query without a label gets a positive; its documents of one text count then.
        """
        unlabelled = pl.col("label").fill_null(0) <= 0
        silent = self.candidates.join(self.pairs, on=PAIR, how="semi").filter(unlabelled)
        if declared:
            of_unlabelled = ~(pl.col("label").fill_null(0) > 0).any().over("query_id")
            twice = pl.struct("query_id", "document_text").is_duplicated()
            silent = pl.concat([silent, self.candidates.filter(of_unlabelled & twice)]).unique(PAIR)
        return silent.select(PAIR).sort(PAIR)

    def hashes(self, in_batch: bool, declared: bool) -> dict[str, str]:
        """As `Knowledge.hashes`, of these candidates."""
        return _hashes(self.positives, [self.silent(declared)], in_batch)


class Knowledge:
    """What the labels of every split, and the texts, say of the candidates of a run, asked range by range.

    Args:
        positives: by text.
        queries: query id -> text.
        documents: document id -> text.
    """

    def __init__(self, positives: Positives, queries: Mapping[str, str], documents: Mapping[str, str]) -> None:
        self.positives = positives
        self._hashes = {"query_id": _TextHashes(queries), "doc_id": _TextHashes(documents)}

    def of(self, candidates: pl.DataFrame) -> KnownPositives:
        """What is known of `candidates` (query_id, doc_id, label); ids without a text are left out."""
        pairs = candidates.group_by(PAIR).agg(pl.col("label").max())
        for name, column in zip(PAIR, ("query_text", "document_text"), strict=True):
            pairs = pairs.join(self._hashes[name].of(pairs[name].unique(), column), on=name)
        return KnownPositives(self.positives, pairs.sort(PAIR))

    def hashes(self, parts: Iterable[pl.DataFrame], in_batch: bool, declared: bool) -> dict[str, str]:
        """Name -> content hash of what decides the student here; empty where the candidate table says it all.

        Args:
            parts: of the candidates, by rising queries.
            in_batch: whether the loss compares queries with the documents of other rows.
            declared: whether a query without a label gets a positive.
        """
        return _hashes(self.positives, (self.of(part).silent(declared) for part in parts), in_batch)


def _hashes(positives: Positives, silent: Iterable[pl.DataFrame], in_batch: bool) -> dict[str, str]:
    found = {"known_positives": positives.content_hash} if in_batch else {}
    digest, pairs = hashlib.sha256(), 0
    for part in silent:
        pairs += part.height
        digest.update(part.write_csv(include_header=False).encode())
    return found | ({"no_negatives": digest.hexdigest()} if pairs else {})


class _TextHashes:
    """The hashes of texts by id; those of a `Texts` are made once, 8 bytes each."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._all: NDArray[np.uint64] | None = None

    def of(self, ids: pl.Series, column: str) -> pl.DataFrame:
        """`ids` and, as `column`, the hashes of their texts, of those that have one."""
        known = [one for one in ids if one in self._texts]
        if isinstance(self._texts, Texts):
            if self._all is None:
                self._all = hashes(self._texts.values())
            found = self._all[np.array(self._texts.places(known), np.int64)]
        else:
            found = hashes(self._texts[one] for one in known)
        return pl.DataFrame({ids.name: known, column: found}, schema={ids.name: pl.String, column: pl.UInt64})


@dataclass(frozen=True)
class _Chosen(Mapping[str, str]):
    """Some of the texts, which are not copied."""

    ids: list[str]
    texts: Mapping[str, str]

    def __getitem__(self, one: str) -> str:
        return self.texts[one]

    def __iter__(self) -> Iterator[str]:
        return iter(self.ids)

    def __len__(self) -> int:
        return len(self.ids)


def gathered(
    dataset: Dataset,
    candidates: Iterable[pl.DataFrame],
    query_texts: Mapping[str, str],
    document_texts: Mapping[str, str],
) -> Knowledge:
    """What the data set and the candidates' own labels know.

    Args:
        dataset: whose splits are read, all of them.
        candidates: the candidates in parts: query_id, doc_id, label.
        query_texts: query id -> text.
        document_texts: document id -> text.
    """
    ids = [pl.Series("query_id", [], pl.String)]
    labelled: list[pl.DataFrame] = []
    for part in candidates:
        ids.append(part["query_id"].unique())
        labelled.append(part.filter(pl.col("label") > 0).select(PAIR).unique())
    asked = _Chosen([one for one in pl.concat(ids).unique() if one in query_texts], query_texts)
    pairs = (row for part in labelled for row in part.iter_rows())
    return Knowledge(gather(dataset, asked, document_texts, pairs), query_texts, document_texts)


def read(
    dataset: Dataset, candidates: pl.DataFrame, query_texts: Mapping[str, str], document_texts: Mapping[str, str]
) -> KnownPositives:
    """What the data set and the candidates' own labels know about `candidates` (query_id, doc_id, label).

    Ids without a text are left out: they cannot be trained on.
    """
    return gathered(dataset, [candidates], query_texts, document_texts).of(candidates)
