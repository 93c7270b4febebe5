"""Retrieval data sets on the Hugging Face hub, in the layouts of BeIR/* and mteb/*, as collections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from rankdistill._extras import require
from rankdistill.data.beir_rows import QRELS_HEADER
from rankdistill.data.merging import merge
from rankdistill.data.writer import Collection
from rankdistill.errors import DataError
from rankdistill.records import Document, Query

Rows = Iterable[Mapping[str, Any]]


class Tables(NamedTuple):
    """The tables of a hub data set, each split name -> rows."""

    corpus: Mapping[str, Rows]
    queries: Mapping[str, Rows]
    qrels: Mapping[str, Rows]


def download(name: str) -> Tables:
    """The configurations `corpus`, `queries` and `default` (or `qrels`) of `name`; else the qrels of `name`-qrels."""
    datasets = require("datasets", "fetching a data set from the hub")
    configurations = datasets.get_dataset_config_names(name)
    own = next((held for held in ("default", "qrels") if held in configurations), None)
    qrels = datasets.load_dataset(name, own) if own else datasets.load_dataset(f"{name}-qrels")
    return Tables(datasets.load_dataset(name, "corpus"), datasets.load_dataset(name, "queries"), qrels)


def convert(tables: Tables) -> Collection:
    """The collection in `tables`; the splits are those of the qrels.

    Rows have `_id` or `id`, `text` and perhaps `title`; qrels rows `query-id`, `corpus-id` and `score`.

    Raises:
        DataError: a column is missing, or one id has two texts.
    """
    documents = (
        Document(_identity(row), row.get("title") or "", _column(row, "text"))
        for rows in tables.corpus.values()
        for row in rows
    )
    queries = (Query(_identity(row), _column(row, "text")) for rows in tables.queries.values() for row in rows)
    return Collection(merge(documents), merge(queries), {name: _judged(rows) for name, rows in tables.qrels.items()})


def _judged(rows: Rows) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for row in rows:
        query_id, doc_id, label = (_column(row, name) for name in QRELS_HEADER)
        judged.setdefault(str(query_id), {})[str(doc_id)] = int(label)
    return judged


def _identity(row: Mapping[str, Any]) -> str:
    return str(row["_id"] if "_id" in row else _column(row, "id"))


def _column(row: Mapping[str, Any], name: str) -> Any:
    if name not in row:
        raise DataError(
            expected=f"the column {name!r}, as BeIR/* and mteb/* data sets have it",
            got=f"the columns {sorted(row)}",
            consequence="nothing was written",
            remedy="export the data set as a BEIR folder yourself",
        )
    return row[name]
