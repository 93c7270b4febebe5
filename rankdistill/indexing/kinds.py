"""Kinds of indexes by what is searched: dense, sparse or token vectors, or texts by their words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rankdistill import bundles, space
from rankdistill.errors import ConfigError
from rankdistill.indexing import encoding, registry
from rankdistill.indexing.multi_vector.base import texts_at
from rankdistill.indexing.text.encoder import PlainTexts
from rankdistill.indexing.topk import Positions
from rankdistill.progress import Progress
from rankdistill.space import AnySpace, MultiVectorSpace, Space, SparseSpace, TextSpace


class Documents(Protocol):
    """What building needs of an encoder of any kind."""

    @property
    def space(self) -> Any:
        """The space of what it gives, an `AnySpace`."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that decides what it gives, as JSON values."""
        ...

    def encode_documents(self, texts: Sequence[str], progress: Progress | None = None) -> Any:
        """What the kind's back ends are given; `progress` is called with the texts done since its last call."""
        ...


class Queries(Protocol):
    """What searching needs of an encoder of any kind."""

    @property
    def query_spaces(self) -> Sequence[Any]:
        """The spaces that may be searched: that of the model's own documents, then those that it was aligned with."""
        ...

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        """Everything that decides what it gives, as JSON values."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """What the kind's back ends search for."""
        ...


class Encoder(Documents, Queries, Protocol):
    """A model of both."""


@dataclass(frozen=True)
class Kind:
    """How the texts of one kind of index become what its back ends are given.

    Args:
        name: in manifests and in `registry.BACKENDS`.
        space: class of its spaces.
        open_documents: `(model, backend, max_length)` -> the encoder of documents; the model is None for texts.
        open_queries: `(model, backend, max_length, space of the documents or None)` -> the encoder of queries.
        encode: `(encoder, texts, progress)` -> what `Index.add` takes, for distinct texts of one shard.
        some: `(what encode gives, places)` -> those rows, as often as they are named; None where texts stay texts.
        require: `(space of the documents, spaces of the queries, unaligned)`; raises SpaceMismatchError unless the one
            may be searched with the other. With `unaligned`, only what can be told without trust is checked.
        sharded: whether documents of different shards have scores that can be compared.
        vocabulary: `(encoder of documents)` -> the term of each dimension; empty where dimensions are no terms.
    """

    name: str
    space: Callable[..., AnySpace]
    open_documents: Callable[[Any, str, int | None], Encoder]
    open_queries: Callable[[Any, str, int | None, Any], Encoder]
    encode: Callable[[Any, Sequence[str], Progress], Any]
    require: Callable[[Any, Sequence[Any], bool], None]
    sharded: bool = True
    vocabulary: Callable[[Any], Sequence[str]] = lambda encoder: ()
    some: Callable[[Any, Positions], Any] | None = lambda vectors, places: vectors[places]

    def encode_each(self, encoder: Documents, texts: Sequence[str], progress: Progress) -> Any:
        """What `Index.add` takes, for the texts of one shard: each is encoded once, however often it stands there."""
        if self.some is None:
            return self.encode(encoder, texts, progress)
        distinct, places = encoding.distinct_texts(texts)
        encoded = self.encode(encoder, distinct, progress)
        return self.repeated(encoded, len(distinct), places, progress)

    def rows(self, queries: Any, places: Positions) -> Any:
        """The queries at `places`, of what `encode_queries` gives."""
        return [queries[place] for place in places.tolist()] if self.some is None else self.some(queries, places)

    def repeated(self, encoded: Any, distinct: int, places: Positions, progress: Progress) -> Any:
        """The rows at `places` of `encoded`, which has `distinct` rows."""
        if self.some is None or distinct == len(places):
            return encoded
        progress(len(places) - distinct)
        return self.some(encoded, places)


def of_space(found: AnySpace) -> Kind:
    """The kind of indexes that have spaces like `found`."""
    return next(kind for kind in KINDS.values() if kind.space is type(found))


def of_model(model: str | None, factory: str) -> Kind:
    """The kind of index that the back end `factory` builds with `model`.

    A bundle is dense, and so is a FAISS factory string. A masked language model without modules of its own counts as
    sparse (SPLADE) where the back end does not decide.

    Raises:
        ConfigError: a back end that needs a model has none, or one that needs none has one.
        ModelReferenceError: there is no such model.
    """
    possible = registry.kinds_of(factory)
    if (model is None) != (possible == [TEXT.name]):
        raise ConfigError(
            expected=f"no model for the back end {factory!r}, which compares words"
            if model is not None
            else f"a model for the back end {factory!r}",
            got=repr(model) if model is not None else "none",
            consequence="nothing was run",
            remedy="leave the model out, or name another back end" if model is not None else "give a model",
        )
    if model is None or len(possible) == 1:
        return KINDS[possible[0]]
    found = _kind_of_model(model)
    return KINDS[found if found in possible else possible[0]]


def _kind_of_model(model: str) -> str:
    from rankdistill import models
    from rankdistill.inference.loading import kind_of

    if bundles.is_bundle(model):
        return DENSE.name
    found = kind_of(models.resolve(model).path)
    return found if found in (SPARSE.name, MULTI_VECTOR.name) else DENSE.name


def _require_dense(documents: Space, queries: Sequence[Space], unaligned: bool) -> None:
    if unaligned:
        space.require_dimension(documents, queries[0])
    else:
        space.require_searchable(documents, queries)


def _open_sparse_documents(model: str, backend: str, max_length: int | None) -> Encoder:
    from rankdistill.inference.sparse_encoder import SparseTextEncoder

    return SparseTextEncoder(model, backend, max_length)


def _open_sparse_queries(model: str, backend: str, max_length: int | None, documents: SparseSpace | None) -> Encoder:
    """The model of the documents itself cuts queries at their length, unless `max_length` is given."""
    from rankdistill import models
    from rankdistill.inference.sparse_encoder import SparseTextEncoder

    if max_length is None and documents is not None:
        is_their_tower = models.resolve(model).weights_hash == documents.document_tower
        max_length = documents.max_length if is_their_tower else None
    return SparseTextEncoder(model, backend, max_length)


def _open_multi_vector_documents(model: str, backend: str, max_length: int | None) -> Encoder:
    from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder

    return MultiVectorTextEncoder(model, backend, max_length)


def _open_multi_vector_queries(
    model: str, backend: str, max_length: int | None, documents: MultiVectorSpace | None
) -> Encoder:
    """The length is that of documents, which the space of the queries' model must name too."""
    if max_length is None and documents is not None:
        max_length = documents.max_length
    return _open_multi_vector_documents(model, backend, max_length)


def _encode_at_once(encoder: Documents, texts: Sequence[str], progress: Progress) -> Any:
    return encoder.encode_documents(texts, progress)


def _require_sparse(documents: SparseSpace, queries: Sequence[SparseSpace], unaligned: bool) -> None:
    space.require_terms(documents, queries, unaligned)


def _require_multi_vector(documents: MultiVectorSpace, queries: Sequence[MultiVectorSpace], unaligned: bool) -> None:
    space.require_token_vectors(documents, queries[0], unaligned)


def _require_nothing(documents: TextSpace, queries: Sequence[TextSpace], unaligned: bool) -> None:
    """All texts have words."""


def _texts(*settings: object) -> PlainTexts:
    return PlainTexts()


DENSE = Kind("dense", Space, bundles.open_document_encoder, bundles.open_query_encoder, encoding.encode, _require_dense)
SPARSE = Kind(
    "sparse",
    SparseSpace,
    _open_sparse_documents,
    _open_sparse_queries,
    _encode_at_once,
    _require_sparse,
    vocabulary=lambda encoder: encoder.vocabulary,
)
MULTI_VECTOR = Kind(
    "multi_vector",
    MultiVectorSpace,
    _open_multi_vector_documents,
    _open_multi_vector_queries,
    _encode_at_once,
    _require_multi_vector,
    some=texts_at,
)
TEXT = Kind("text", TextSpace, _texts, _texts, _encode_at_once, _require_nothing, sharded=False, some=None)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (DENSE, SPARSE, MULTI_VECTOR, TEXT)}
"""Add a kind here, its back ends in `registry.BACKENDS`."""
