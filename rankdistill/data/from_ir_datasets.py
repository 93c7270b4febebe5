"""Collections of the ir_datasets catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rankdistill._extras import require
from rankdistill.data import catalogue_rows
from rankdistill.data.merging import merge
from rankdistill.data.writer import Collection
from rankdistill.errors import DataError

_SPLIT_NAMES = {"train", "dev", "test", "validation", "valid", "eval"}


def download(name: str) -> dict[str, Any]:
    """Split -> ir_datasets data set with judgements: `name` itself, and its direct children.

    Raises:
        DataError: nothing of that name has queries and judgements, or its children have different corpora.
    """
    catalogue = require("ir_datasets", "fetching from the ir_datasets catalogue")
    found = {}
    for known in [name, *sorted(catalogue.registry)]:
        parent, _, last = known.rpartition("/")
        if known == name or parent == name:
            dataset = catalogue.load(known)
            if dataset.has_qrels() and dataset.has_queries():
                found[last if parent == name or last in _SPLIT_NAMES else "test"] = dataset
    corpora = sorted({dataset.docs_namespace() for dataset in found.values()})
    if len(corpora) != 1:
        raise DataError(
            expected="an ir_datasets name with queries and judgements, or the parent of such names over one corpus",
            got=f"{name!r}: {f'corpora {corpora}' if corpora else 'no queries and judgements'}",
            consequence="nothing was written",
            remedy="see the catalogue at https://ir-datasets.com",
        )
    return found


def convert(splits: Mapping[str, Any]) -> Collection:
    """The collection of all `splits`, which share one corpus: the first one's documents are taken.

    Raises:
        DataError: an id or a label is unfit, a pair has two labels, or two splits hold different texts under one
            query id.
    """
    first = next(iter(splits.values()))
    queries = (row for name, dataset in splits.items() for row in catalogue_rows.queries(_queries(dataset), name))
    return Collection(
        catalogue_rows.documents(map(_document, first.docs_iter()), "corpus"),
        merge(queries),
        {name: catalogue_rows.judgements(_judged(dataset), f"qrels {name}") for name, dataset in splits.items()},
    )


def _queries(dataset: Any) -> Iterator[dict[str, Any]]:
    return ({"id": query.query_id, "text": query.default_text()} for query in dataset.queries_iter())


def _document(row: Any) -> dict[str, Any]:
    """A document with title and text where the source has these two, else with all its text."""
    fields = row._asdict()
    if "title" in fields and "text" in fields:
        return {"id": row.doc_id, "title": fields["title"], "text": fields["text"]}
    return {"id": row.doc_id, "text": row.default_text()}


def _judged(dataset: Any) -> Iterator[tuple[Any, Any, Any]]:
    return ((qrel.query_id, qrel.doc_id, qrel.relevance) for qrel in dataset.qrels_iter())
