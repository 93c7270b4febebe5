"""`push`: an index's vectors into a search engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankdistill.display import Shown
from rankdistill.engines import open_engine
from rankdistill.engines.notes import Note
from rankdistill.engines.pushing import BATCH, PARAMETERS
from rankdistill.engines.pushing import push as write
from rankdistill.engines.registry import shown
from rankdistill.engines.sources import IndexSource, Source, StoreSource
from rankdistill.errors import ConfigError
from rankdistill.indexing import StoredIndex
from rankdistill.indexing.searching import opened
from rankdistill.progress import ProgressLike, reporter_of
from rankdistill.stores.embeddings.reader import EmbeddingStore
from rankdistill.verbs.arguments import Data, Place, collection_of, embedding_store_of, listed, place_of, require_range
from rankdistill.verbs.contract import verb
from rankdistill.verbs.parameters import BuildParameters, build_parameters_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Pushed(Shown):
    """A collection that holds all that was to be pushed.

    Args:
        engine: its name.
        version: of the engine.
        url: where it is, without a password.
        collection: its name there.
        documents: counted in the collection.
        sent: how many of them this call wrote.
        note: what the collection says of itself.
    """

    engine: str
    version: str
    url: str
    collection: str
    documents: int
    sent: int
    note: Note

    def lines(self) -> list[str]:
        """How many documents there are, and how many were sent."""
        kinds = " and ".join(f"{name} ({leg.space.dimension})" for name, leg in self.note.legs.items())
        search = "every score computed" if self.note.exact else "a graph"
        return [
            f"{self.engine} {self.version}, {self.url}, {self.collection}: {self.documents:,} documents, "
            f"{self.sent:,} of them sent now; {kinds}; {search}"
        ]

    def to_polars(self) -> pl.DataFrame:
        """One row."""
        import polars as pl

        told = self.to_json()
        spaces = told.pop("spaces")
        return pl.DataFrame([told | {f"{name}_space": space for name, space in spaces.items()}])

    def to_json(self) -> dict[str, Any]:
        """The fields, and the fingerprints of the spaces."""
        told = {name: getattr(self, name) for name in ("engine", "version", "url", "collection", "documents", "sent")}
        return told | {"exact": self.note.exact, "spaces": self.note.spaces}


@verb
def push(
    index: Place | Sequence[Place] | None = None,
    *,
    to: str,
    url: str,
    collection: str,
    embeddings: EmbeddingStore | Place | None = None,
    data: Data | None = None,
    exact: bool = False,
    parameters: BuildParameters | None = None,
    replace: bool = False,
    batch_size: int = BATCH,
    api_key_env: str | None = None,
    progress: ProgressLike = False,
) -> Pushed:
    """Write the vectors of an index, or of an embedding store, into a search engine.

    It streams, takes up where it stopped, and counts at the end. The space of the vectors is kept in the collection;
    vectors of another are refused.

    Args:
        index: a built index of dense or of sparse vectors; two of the same documents, one of each, give a collection
            with both.
        to: the engine: `qdrant`, `milvus`, `pgvector`, `lancedb`, `opensearch`, `elasticsearch`.
        url: of the engine; docs/engines.md lists the forms.
        collection: its name there (collection, table or index).
        embeddings: store of document vectors, in place of an index.
        data: the collection of documents: whole texts go with the vectors; with `embeddings` its ids too.
        exact: build no graph: every search computes every score.
        parameters: of the graph: `m` and `efConstruction`.
        replace: remove a collection of this name that holds something else.
        batch_size: documents written together.
        api_key_env: environment variable with the key, the password or the token.
        progress: True tells on standard error; or a function that takes the number of documents just done.

    Returns:
        What the collection holds now.

    Raises:
        ConfigError: no such engine, a URL that it does not take, vectors that it cannot hold, or nothing to push.
        DataError: there is no such index, or documents are missing at the end.
        SpaceMismatchError: the collection holds vectors of another space.
        StaleOutputError: the collection holds other documents.
        RemoteError: the engine does not answer, or refuses.
        MissingDependencyError: its client is not installed.
    """
    require_range(1, batch_size=batch_size)
    graph = _graph(parameters, exact)
    source = _source(index, embeddings, data)
    engine = open_engine(url, collection, engine=to, api_key_env=api_key_env)
    try:
        with reporter_of(progress).stage("push", "docs", len(source.ids)) as stage:
            done = write(
                engine,
                url,
                source,
                exact=exact,
                graph=graph,
                replace_collection=replace,
                batch=batch_size,
                progress=stage,
            )
    finally:
        engine.close()
    return Pushed(to, done.version, shown(url), collection, done.documents, done.sent, done.note)


def _source(
    index: Place | Sequence[Place] | None, embeddings: EmbeddingStore | Place | None, data: Data | None
) -> Source:
    dataset = None if data is None else collection_of(data)
    places = listed(index)
    if bool(places) == (embeddings is not None):
        raise ConfigError(
            expected="an index, or an embedding store",
            got="both" if places else "neither",
            consequence="nothing was pushed",
            remedy="give --index INDEX (twice for dense and sparse vectors), or --embeddings STORE",
        )
    if embeddings is not None:
        return StoreSource(embedding_store_of(embeddings), dataset)
    return IndexSource([opened(one if isinstance(one, StoredIndex) else place_of(one)) for one in places], dataset)


def _graph(parameters: Any, exact: bool) -> dict[str, float]:
    found = build_parameters_of(parameters)
    unknown = sorted(set(found) - set(PARAMETERS))
    if unknown or (exact and found):
        raise ConfigError(
            expected=f"parameters of a graph: {', '.join(PARAMETERS)}" if unknown else "no parameters of a graph",
            got=", ".join(unknown or found),
            consequence="nothing was pushed",
            remedy="leave it out" if unknown else "leave them out, or leave --exact out",
        )
    for name, value in found.items():
        if isinstance(value, str) or value != int(value) or not 2 <= value <= 4096:
            raise ConfigError(
                expected=f"{name} as a whole number from 2 to 4096",
                got=repr(value),
                consequence="nothing was pushed",
                remedy="take one between 8 and 64 for m, between 64 and 512 for efConstruction",
            )
    return {name: float(value) for name, value in found.items()}
