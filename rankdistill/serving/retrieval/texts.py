"""The texts of documents: what a re-ranker reads, and the beginning that is shown with a hit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from rankdistill import locations, tables
from rankdistill.data import load
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.documents import SNIPPETS_FILE

SHOWN = 200
"""Characters that are shown with a hit; `rankdistill index` keeps as many unless told otherwise."""


class Texts:
    """Texts by document id, in one Arrow array.

    Args:
        place_of: document id -> place of its text.
        texts: in their order.
        whole: whether they are all of each document, not its beginning.
    """

    def __init__(self, place_of: Mapping[str, int], texts: pa.Array, whole: bool) -> None:
        self._place_of, self._texts, self.whole = place_of, texts, whole

    def of(self, ids: Sequence[str]) -> list[str | None]:
        """The text of each of `ids`; None where there is none."""
        places = [self._place_of.get(doc_id) for doc_id in ids]
        return list(self._texts.take(pa.array(places, pa.int64())).to_pylist())

    def beginnings(self, ids: Sequence[str]) -> list[str | None]:
        """As `of`, `SHOWN` characters at most unless the index was told to keep more."""
        return [text if text is None or not self.whole else text[:SHOWN] for text in self.of(ids)]

    def missing(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that have no text here."""
        return [doc_id for doc_id in ids if doc_id not in self._place_of]


def kept(index: StoredIndex) -> Texts | None:
    """What an index keeps of its documents; None where it keeps nothing.

    They are whole where none is as long as what was kept at most.
    """
    length = int(index.made.parameters.get("snippet_length", 0))
    files = [shard / SNIPPETS_FILE for shard in locations.listing(index.folder, "shard-*")]
    if not length or not all(file.is_file() for file in files):
        return None
    table = pa.concat_tables([tables.read_parquet(file) for file in files])
    texts = pa.concat_arrays([part.cast(pa.large_string()) for part in table.column("snippet").chunks])
    longest = pc.max(pc.utf8_length(texts)).as_py() or 0
    ids = table.column("doc_id").to_pylist()
    shared = index.place_of if ids == index.ids else {doc_id: place for place, doc_id in enumerate(ids)}
    return Texts(shared, texts, longest < length)


def of_collection(path: str | Path) -> Texts:
    """The documents of a collection.

    Raises:
        DataError: there is none, or it is damaged.
    """
    contents = load(path, "lenient").contents
    places = {doc_id: place for place, doc_id in enumerate(contents)}
    return Texts(places, pa.array(contents.values(), pa.large_string()), True)
