"""A few candidates that stand for the whole table: the same table gives the same ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rankdistill import tables
from rankdistill.inference.fidelity import SamplePair
from rankdistill.stores.registering import named_ids
from rankdistill.stores.texts import require_known


def draw(candidates: Path, pairs: int, pairs_a_query: int) -> list[SamplePair]:
    """At most `pairs` candidates of queries spread evenly over the table; of each, the labelled ones come first.

    The same table gives the same pairs. The rest of a query's pairs are spread evenly over its candidates.
    """
    names = sorted(named_ids(candidates)[0])
    chosen = _spread(names, max(1, pairs // pairs_a_query))
    found: dict[str, dict[str, int | None]] = {name: {} for name in chosen}
    with tables.open_parquet(candidates) as source:
        for batch in source.iter_batches(columns=["query_id", "doc_id", "label"]):
            kept = batch.filter(pc.is_in(batch.column(0), value_set=pa.array(chosen, pa.string())))
            for query_id, doc_id, label in zip(*(column.to_pylist() for column in kept.columns), strict=True):
                if label is not None or doc_id not in found[query_id]:
                    found[query_id][doc_id] = label
    sample = []
    for query_id, labels in found.items():
        judged = [doc_id for doc_id in sorted(labels) if labels[doc_id] is not None][:pairs_a_query]
        others = [doc_id for doc_id in sorted(labels) if labels[doc_id] is None]
        wanted = [*judged, *_spread(others, pairs_a_query - len(judged))]
        sample += [SamplePair(query_id, doc_id, labels[doc_id]) for doc_id in wanted]
    return sample


def texts_of(
    sample: Sequence[SamplePair], queries: Mapping[str, str], documents: Mapping[str, str]
) -> list[tuple[str, str]]:
    """(query text, document text) of each pair; raises DataError for an id that the data set lacks."""
    require_known("query_id", {pair.query_id for pair in sample}, queries)
    require_known("doc_id", {pair.doc_id for pair in sample}, documents)
    return [(queries[pair.query_id], documents[pair.doc_id]) for pair in sample]


def _spread(names: list[str], count: int) -> list[str]:
    """At most `count` of `names`, at even distances."""
    if len(names) <= count:
        return names
    return [names[place * len(names) // count] for place in range(count)]
