"""A collection encoded once, for several sparse indexes and for its model as a teacher.

The verb `index` encodes a collection for each index; here it is done once, which saves hours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import rankdistill
from rankdistill.data import Dataset
from rankdistill.files import atomic_path
from rankdistill.indexing import build
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.manifest import digest
from rankdistill.space import SparseSpace
from rankdistill.teachers.base import ScoreKind, teacher_id
from rankdistill.teachers.distinct import distinct


class EncodedCorpus:
    """Encodes the documents of a collection once, and keeps them in a file: what an index build takes for a model.

    Args:
        model: reference of a sparse encoder.
        path: of the vectors; `{model}` in it stands for the model's fingerprint.
    """

    def __init__(self, model: str, path: Path) -> None:
        self.encoder = SparseTextEncoder(model)
        self._model = model
        self._path = path.with_name(path.name.format(model=digest(self.encoder.fingerprint)[:12]))

    @property
    def space(self) -> SparseSpace:
        """The encoder's."""
        return self.encoder.space

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """The encoder's."""
        return self.encoder.fingerprint

    @property
    def vocabulary(self) -> Sequence[str]:
        """The encoder's."""
        return self.encoder.vocabulary

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
            found = self.encoder.encode_documents(texts, progress)
            with atomic_path(self._path) as temporary, temporary.open("wb") as file:
                save_npz(file, csr_matrix(found))
        return self.vectors

    def index(self, dataset: Dataset, out: Path, factory: str, snippets: int = 200) -> Any:
        """What `rankdistill.index` makes of the collection, from these vectors."""
        build(dataset, self._model, out, factory, encoder=self, snippet_length=snippets)
        return rankdistill.open(out)


class OwnScores:
    """The sparse model as a teacher of pairs whose documents are encoded already.

    Args:
        corpus: once it was encoded.
        contents: the texts of its documents, in order.
    """

    score_kind: ScoreKind = "dot"

    def __init__(self, corpus: EncodedCorpus, contents: Iterable[str]) -> None:
        self._corpus, self._rows = corpus, {text: row for row, text in enumerate(contents)}

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """That of the model as a teacher."""
        return {"kind": "sparse", **self._corpus.fingerprint}

    @property
    def teacher_id(self) -> str:
        """`sparse-<12 hex digits>`."""
        return teacher_id("sparse", self.fingerprint)

    def score(self, pairs: Sequence[tuple[str, str]], progress: Callable[[int], None] | None = None) -> np.ndarray:
        """Dot products, float32[n]."""
        queries, places = distinct([query for query, _ in pairs])
        documents = self._corpus.vectors[[self._rows[document] for _, document in pairs]]
        found = self._corpus.encoder.encode_queries(queries)[places].multiply(documents).sum(axis=1)
        if progress is not None:
            progress(len(pairs))
        return np.asarray(found, np.float32)
