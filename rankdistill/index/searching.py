"""Index folders: loading them, and searching them with text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rankdistill import manifest
from rankdistill.index import registry
from rankdistill.index.base import NOTHING, Ids, Scores, Searcher, Vectors
from rankdistill.index.documents import read_snippets
from rankdistill.index.encoding import QueryEncoder
from rankdistill.index.sharded import ShardedIndex
from rankdistill.space import Space, require_searchable

if TYPE_CHECKING:
    from rankdistill.inference import TextEncoder


class Hit(NamedTuple):
    """A document found; `score` is a cosine or a dot product, as the index's space says."""

    doc_id: str
    score: float


@dataclass(frozen=True)
class StoredIndex:
    """A finished index folder, loaded; a `Searcher`.

    Args:
        folder: where it lies.
        searcher: the index itself, or its shards together.
        made: its manifest.
    """

    folder: Path
    searcher: Searcher
    made: manifest.Manifest

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        return self.searcher.dimension

    @property
    def ids(self) -> list[str]:
        """The document ids in insertion order."""
        return self.searcher.ids

    @property
    def space(self) -> Space:
        """The space of its vectors: a query model must have the same, or be aligned with it."""
        return Space(**self.made.parameters["space"])

    @property
    def model(self) -> str:
        """Reference of the model that it was built with."""
        return str(self.made.parameters["model"])

    @property
    def max_length(self) -> int | None:
        """Tokens a text when it was built; None means the model's own."""
        found: int | None = self.made.parameters["max_length"]
        return found

    @property
    def size(self) -> int:
        """Bytes on disk, without the snippets."""
        return sum((self.folder / name).stat().st_size for name in self.made.outputs if "snippets" not in name)

    def open_query_encoder(self, model: str | None = None, backend: str = "auto") -> TextEncoder:
        """The encoder of queries: the index's own model, or the model or bundle `model`."""
        from rankdistill.bundles import open_query_encoder

        return open_query_encoder(model or self.model, backend, documents=self.space)

    def search(self, vectors: Vectors, k: int) -> tuple[Ids, Scores]:
        """See `Searcher.search`."""
        return self.searcher.search(vectors, k)

    def search_texts(self, queries: Sequence[str], k: int, encoder: QueryEncoder) -> list[list[Hit]]:
        """The best `k` documents for each query, best first.

        Raises:
            SpaceMismatchError: `encoder` embeds into another space.
        """
        require_searchable(self.space, encoder.query_spaces)
        ids, scores = self.search(encoder.encode_queries(queries), k)
        return [
            [Hit(doc_id, float(score)) for doc_id, score in zip(*row, strict=True) if doc_id != NOTHING]
            for row in zip(ids, scores, strict=True)
        ]

    def snippets(self, ids: Sequence[str]) -> dict[str, str]:
        """The beginnings of the documents `ids`, where the index keeps them."""
        shards = sorted(self.folder.glob("shard-*"))
        return {doc_id: text for shard in shards for doc_id, text in read_snippets(shard, ids).items()}


def load(
    path: str | Path,
    mmap: bool = True,
    *,
    gpu: bool = False,
    search_parameters: Mapping[str, float] | None = None,
) -> StoredIndex:
    """Load an index folder.

    Args:
        path: the folder.
        mmap: leave vectors on disk until they are searched, where the back end can.
        gpu: search FAISS indexes on all GPUs; needs faiss-gpu.
        search_parameters: `efSearch`, `nprobe`, ... on top of those that the index was built with.

    Raises:
        DataError: the folder is absent, unfinished or no index.
    """
    folder = Path(path)
    made = manifest.expect(folder, "index", "index")
    space = Space(**made.parameters["space"])
    settings = registry.IndexSettings(
        space.dimension,
        space.similarity,
        made.parameters["factory"],
        {**made.parameters["search_parameters"], **(search_parameters or {})},
    )
    shards: list[Searcher] = [registry.load(shard, settings, mmap, gpu) for shard in sorted(folder.glob("shard-*"))]
    return StoredIndex(folder, shards[0] if len(shards) == 1 else ShardedIndex(shards), made)


def search(
    path: str | Path,
    queries: Sequence[str],
    k: int = 10,
    *,
    model: str | None = None,
    backend: str = "auto",
    search_parameters: Mapping[str, float] | None = None,
) -> list[list[Hit]]:
    """Search the index folder `path` with texts.

    Args:
        path: the folder.
        queries: any number of texts.
        k: documents a query.
        model: of the queries: the index's own, a student aligned with it, or a bundle; the index's own unless given.
        backend: of `TextEncoder`.
        search_parameters: see `load`.

    Raises:
        SpaceMismatchError: `model` embeds into another space than the index's.
    """
    index = load(path, search_parameters=search_parameters)
    return index.search_texts(queries, k, index.open_query_encoder(model, backend))
