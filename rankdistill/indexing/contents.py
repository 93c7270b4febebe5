"""What the documents of an index say, as one hash: other texts under the same ids are other documents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import files, integrity, locations, plain_json
from rankdistill.errors import DataError
from rankdistill.indexing.documents import CONTENTS_FILE
from rankdistill.records import Document

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.indexing.searching import StoredIndex

_BYTES = 16


class Contents:
    """Gathers documents, in whatever order."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, doc_id: str, text: str) -> None:
        """Take a document."""
        said = f"{len(doc_id)}\0{doc_id}{text}".encode("utf-8", "surrogatepass")
        self._sum += int.from_bytes(blake2b(said, digest_size=_BYTES).digest(), "big")

    def passing(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The same documents, each taken as it passes."""
        for document in documents:
            self.add(document.doc_id, document.contents)
            yield document

    @property
    def hash(self) -> str:
        """32 hex digits: the sum of the documents' hashes."""
        return f"{self._sum % 2 ** (8 * _BYTES):0{2 * _BYTES}x}"

    def write(self, folder: Path) -> Path:
        """Keep the hash beside an index; the file."""
        path = folder / CONTENTS_FILE
        files.write_text(path, json.dumps({"hash": self.hash}) + "\n")
        return path


def contents_of(documents: Iterable[tuple[str, str]]) -> str:
    """The hash of documents as (id, text)."""
    gathered = Contents()
    for doc_id, text in documents:
        gathered.add(doc_id, text)
    return gathered.hash


def read(folder: Path) -> str | None:
    """The hash that an index keeps; None where an earlier version built it."""
    path = folder / CONTENTS_FILE
    if not locations.is_file(path):
        return None
    found = plain_json.loads(integrity.read_text(path))
    return str(found["hash"])


def require_of(index: StoredIndex, dataset: Dataset, consequence: str) -> None:
    """Raise DataError where a collection's documents say something else than the index's, whose ids are the same.

    Args:
        index: built.
        dataset: the collection. Its texts are read only where it is not, as a whole, what the index was built from.
        consequence: of the error.
    """
    if dataset.on_disk != index.made.inputs.get("data"):
        require_texts(
            index, ((one.doc_id, one.contents) for one in dataset.documents()), str(dataset.path), consequence
        )


def require_texts(index: StoredIndex, documents: Iterable[tuple[str, str]], place: str, consequence: str) -> None:
    """As `require_of`, of documents as (id, text) that are called `place`."""
    built = read(index.folder)
    if built is not None and built != contents_of(documents):
        raise DataError(
            expected=f"an index of the documents of {place}",
            got=f"{index.folder}, which has the same ids and was built from other texts",
            consequence=consequence,
            remedy="build the index from this data (rankdistill index), or give the data that it was built from",
        )
