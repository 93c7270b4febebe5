"""Retrieval data sets on the Hugging Face hub, in the layouts of BeIR/* and mteb/*, as collections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rankdistill._extras import require
from rankdistill.data import catalogue_rows
from rankdistill.data.beir_rows import QRELS_HEADER
from rankdistill.data.merging import merge
from rankdistill.data.writer import Collection
from rankdistill.errors import DataError

Rows = Iterable[Mapping[str, Any]]


IDS = {"_id", "id", *QRELS_HEADER[:2]}
"""Columns of ids."""


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
    qrels = _load(datasets, name, own) if own else _load(datasets, f"{name}-qrels")
    return Tables(_load(datasets, name, "corpus"), _load(datasets, name, "queries"), qrels)


def _load(datasets: Any, *names: str) -> Any:
    """The tables of one configuration; ids of CSV files as they are written, not as the numbers that they look like."""
    found = datasets.load_dataset(*names)
    as_numbers = {
        column
        for table in found.values()
        if getattr(table.info, "builder_name", None) == "csv"
        for column in IDS & set(table.column_names)
        if "string" not in str(table.features[column].dtype)
    }
    if not as_numbers:
        return found
    return datasets.load_dataset(*names, converters=dict.fromkeys(sorted(as_numbers), str), keep_default_na=False)


def convert(tables: Tables) -> Collection:
    """The collection in `tables`; the splits are those of the qrels.

    Rows have `_id` or `id`, `text` and perhaps `title`; qrels rows `query-id`, `corpus-id` and `score`.

    Raises:
        DataError: a column is missing, an id or a label is unfit (a fraction, say), one id has two texts, or one pair
            two labels.
    """
    documents = (
        row
        for name, rows in tables.corpus.items()
        for row in catalogue_rows.documents(_with_id(rows), f"corpus {name}")
    )
    queries = (
        row
        for name, rows in tables.queries.items()
        for row in catalogue_rows.queries(_with_id(rows), f"queries {name}")
    )
    qrels = {name: catalogue_rows.judgements(_judged(rows), f"qrels {name}") for name, rows in tables.qrels.items()}
    return Collection(merge(documents), merge(queries), qrels)


def _judged(rows: Rows) -> Iterator[tuple[Any, Any, Any]]:
    for row in rows:
        query_id, doc_id, label = (_column(row, name) for name in QRELS_HEADER)
        yield query_id, doc_id, label


def _with_id(rows: Rows) -> Iterator[Mapping[str, Any]]:
    """The rows with their id in `id`, and a text."""
    for row in rows:
        _column(row, "text")
        yield {**row, "id": row["_id"] if "_id" in row else _column(row, "id")}


def _column(row: Mapping[str, Any], name: str) -> Any:
    if name not in row:
        raise DataError(
            expected=f"the column {name!r}, as BeIR/* and mteb/* data sets have it",
            got=f"the columns {sorted(row)}",
            consequence="nothing was written",
            remedy="export the data set as a BEIR folder yourself",
        )
    return row[name]
