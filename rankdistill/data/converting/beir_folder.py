"""A BEIR folder as a source: its documents with their metadata, its queries and its judgements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rankdistill import files, locations
from rankdistill.data import lines, metadata
from rankdistill.data.bad_rows import BadRows
from rankdistill.data.beir import Dataset
from rankdistill.data.beir_rows import parse_document
from rankdistill.data.converting.documents import Found
from rankdistill.data.json_lines import parse_object
from rankdistill.data.values import RowError


@dataclass(frozen=True)
class BeirFolder:
    """A collection that was opened.

    Args:
        dataset: it; its bad rows, if it was opened leniently, were left out there.
    """

    dataset: Dataset

    @property
    def encodings(self) -> list[str]:
        """None besides UTF-8."""
        return []

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of all files."""
        folder = self.dataset.path
        found = [self.dataset.corpus_path, lines.find(folder, "queries.jsonl"), folder / "meta.json"]
        found += locations.listing(folder / "qrels", "*.tsv*")
        return files.hash_files(folder, [path for path in found if path is not None and path.is_file()])

    def documents(self, bad: BadRows) -> Iterator[Found]:
        """The documents in the order of the file, with what their lines hold besides."""
        for number, line in lines.chosen(self.dataset.corpus_path, self.dataset.document_lines.values()):
            try:
                kept = metadata.metadata_of(parse_object(line))
            except RowError as error:
                bad.add(self.dataset.corpus_path, number, str(error))
                continue
            kept.pop("title", None)
            yield Found(self.dataset.corpus_path, number, parse_document(line), kept)
