"""What a run knows to be no negative: kept out of the negatives that are drawn, and out of in-batch denominators."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from rankdistill.data import Dataset
from rankdistill.data.positives import Positives, gather, hashes

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

    def hashes(self, in_batch: bool, declared: bool) -> dict[str, str]:
        """Name -> content hash of what decides the student here; empty where the candidate table says it all.

        Args:
            in_batch: whether the loss compares queries with the documents of other rows.
            declared: whether a query without a label gets a positive.
        """
        found = {"known_positives": self.positives.content_hash} if in_batch else {}
        unlabelled = pl.col("label").fill_null(0) <= 0
        silent = self.candidates.join(self.pairs, on=PAIR, how="semi").filter(unlabelled)
        if declared:
            of_unlabelled = ~(pl.col("label").fill_null(0) > 0).any().over("query_id")
            twice = pl.struct("query_id", "document_text").is_duplicated()
            silent = pl.concat([silent, self.candidates.filter(of_unlabelled & twice)]).unique(PAIR)
        if silent.height:
            table = silent.select(PAIR).sort(PAIR).write_csv(include_header=False)
            found["no_negatives"] = hashlib.sha256(table.encode()).hexdigest()
        return found


def read(
    dataset: Dataset, candidates: pl.DataFrame, query_texts: Mapping[str, str], document_texts: Mapping[str, str]
) -> KnownPositives:
    """What the data set and the candidates' own labels know about `candidates` (query_id, doc_id, label).

    Ids without a text are left out: they cannot be trained on.
    """
    pairs = candidates.group_by(PAIR).agg(pl.col("label").max()).sort(PAIR)
    queries, documents = (
        {one: texts[one] for one in pairs[name].unique().sort() if one in texts}
        for name, texts in zip(PAIR, (query_texts, document_texts), strict=True)
    )
    labelled = pairs.filter(pl.col("label") > 0).select(PAIR).iter_rows()
    positives = gather(dataset, queries, document_texts, labelled)
    for name, column, texts in zip(PAIR, ("query_text", "document_text"), (queries, documents), strict=True):
        pairs = pairs.join(
            pl.DataFrame(
                {name: list(texts), column: hashes(texts.values())}, schema={name: pl.String, column: pl.UInt64}
            ),
            on=name,
        )
    return KnownPositives(positives, pairs.sort(PAIR))
