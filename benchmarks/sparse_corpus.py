"""A collection encoded once for several sparse indexes, and a smaller collection."""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.files import atomic_path
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.space import SparseSpace


class EncodedCorpus:
    """Encodes the documents of a collection once, and keeps them in a file: what an index build takes for a model.

    Args:
        encoder: of the documents.
        path: of the vectors.
    """

    def __init__(self, encoder: SparseTextEncoder, path: Path) -> None:
        self._encoder, self._path = encoder, path

    @property
    def space(self) -> SparseSpace:
        """The encoder's."""
        return self._encoder.space

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's."""
        return self._encoder.fingerprint

    @property
    def vocabulary(self) -> Sequence[str]:
        """The encoder's."""
        return self._encoder.vocabulary

    @property
    def vectors(self) -> Any:
        """Float32[documents, vocabulary], in sparse rows, once they were encoded."""
        from scipy.sparse import csr_array, load_npz

        return csr_array(load_npz(self._path))

    def encode_documents(self, texts: Sequence[str], progress: Callable[[int], None] | None = None) -> Any:
        """Vectors of all documents: the whole collection is one shard."""
        from scipy.sparse import csr_matrix, save_npz

        if not self._path.is_file():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            found = self._encoder.encode_documents(texts, progress)
            with atomic_path(self._path) as temporary, temporary.open("wb") as file:
                save_npz(file, csr_matrix(found))
        return self.vectors


def smaller(dataset: Dataset, splits: Sequence[str], count: int, folder: Path) -> Dataset:
    """`count` of the documents in BEIR layout: those that `splits` judge, and of the others the first by hash."""
    judged = {doc_id for split in splits for labels in dataset.qrels(split).values() for doc_id in labels}
    others = (doc_id for doc_id in dataset.doc_ids if doc_id not in judged)
    kept = judged | set(heapq.nsmallest(max(0, count - len(judged)), others, key=_hash))
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    documents = (
        {"_id": one.doc_id, "title": one.title, "text": one.text} for one in dataset.documents() if one.doc_id in kept
    )
    (folder / "corpus.jsonl").write_text("".join(json.dumps(one) + "\n" for one in documents))
    queries = {query_id: text for split in splits for query_id, text in dataset.queries(split).items()}
    rows = ({"_id": query_id, "text": text} for query_id, text in queries.items())
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split in splits:
        lines = [
            f"{query_id}\t{doc_id}\t{label}\n"
            for query_id, labels in dataset.qrels(split).items()
            for doc_id, label in labels.items()
        ]
        (folder / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return data.load(folder)


def _hash(doc_id: str) -> bytes:
    return hashlib.sha256(doc_id.encode()).digest()
