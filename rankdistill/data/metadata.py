"""What a document has beside its id, its title and its text: further keys of its line, and those of `metadata`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from rankdistill.data import lines
from rankdistill.data.beir import Dataset
from rankdistill.data.json_lines import parse_object
from rankdistill.data.values import RowError, identifier

METADATA = "metadata"
"""Key of an object whose keys count as the document's own, as in BEIR's folders."""

_OWN = ("_id", "text", METADATA)


class Metadata(NamedTuple):
    """What one document has.

    Args:
        place: `file:line` of it.
        doc_id: the document.
        values: name -> JSON value.
    """

    place: str
    doc_id: str
    values: Mapping[str, Any]


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Name -> value of a document's line; RowError where `metadata` is no object, or has a key of the line too."""
    further = row.get(METADATA)
    found = {name: value for name, value in row.items() if name not in _OWN}
    if further is None:
        return found
    if not isinstance(further, Mapping):
        raise RowError(f"{METADATA} is {further!r:.80}, not an object")
    if twice := sorted((found.keys() | {"_id", "text"}) & further.keys()):
        raise RowError(f"{twice[0]!r} stands beside {METADATA} and in it")
    return {**found, **further}


def read(dataset: Dataset) -> Iterator[Metadata]:
    """The metadata of every document, in file order, streamed from disk.

    Raises:
        RowError: see `metadata_of`; with the line.
    """
    for number, line in lines.chosen(dataset.corpus_path, dataset.document_lines.values()):
        row = parse_object(line)
        place = f"{dataset.corpus_path}:{number}"
        doc_id = identifier(row.get("_id"))
        try:
            yield Metadata(place, doc_id, metadata_of(row))
        except RowError as error:
            raise RowError(f"{place}: document {doc_id!r}: {error}") from error
