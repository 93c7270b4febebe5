"""The fingerprint of an embedding space: which vectors may be compared with which."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from rankdistill import files, integrity, plain_json
from rankdistill.errors import DataError, SpaceMismatchError
from rankdistill.manifest import digest

FILE_NAME = "space.json"
"""In the folder of a model whose query vectors live in the space of another model's documents."""


class _Compared:
    """What the two kinds of spaces share."""

    @property
    def fingerprint(self) -> str:
        """Hash of all fields, hex."""
        return digest(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The fields, as JSON values."""
        return {part.name: getattr(self, part.name) for part in fields(self)}  # type: ignore[arg-type]

    def differences(self, other: Self) -> dict[str, tuple[Any, Any]]:
        """Field -> its values here and in `other`, where they differ."""
        theirs = other.to_json()
        return {name: (value, theirs[name]) for name, value in self.to_json().items() if value != theirs[name]}


@dataclass(frozen=True)
class Space(_Compared):
    """An embedding space as its document tower defines it.

    Args:
        dimension: length of a vector.
        normalised: whether document vectors have unit length.
        similarity: `cosine` or `dot`.
        prompts: prompt name -> text, as the model carries them.
        document_tower: hash of the weights of the model that embeds documents.
        max_length: tokens of a document at most; None where the model has no maximum.
    """

    dimension: int
    normalised: bool
    similarity: str
    prompts: Mapping[str, str] = field(default_factory=dict)
    document_tower: str = ""
    max_length: int | None = None


@dataclass(frozen=True)
class SparseSpace(_Compared):
    """The space of a sparse encoder's vectors: one weight a term of its vocabulary.

    Args:
        dimension: terms in the vocabulary.
        vocabulary: hash of the terms in their order.
        similarity: `cosine` (the vectors have unit length) or `dot`.
        prompts: prompt name -> text, as the model carries them.
        document_tower: hash of the weights of the model that encodes documents.
        max_length: tokens of a document at most; None where the model has no maximum.
    """

    dimension: int
    vocabulary: str
    similarity: str
    prompts: Mapping[str, str] = field(default_factory=dict)
    document_tower: str = ""
    max_length: int | None = None


@dataclass(frozen=True)
class MultiVectorSpace(_Compared):
    """The space of a late-interaction encoder's vectors: one a token, compared by MaxSim.

    Args:
        dimension: length of a token's vector.
        similarity: `maxsim`, or `meanmaxsim` (divided by the number of query tokens).
        prompts: prompt name -> text, as the model carries them.
        document_tower: hash of the weights of the model that encodes documents.
        max_length: tokens of a document at most; None where the model has no maximum.
    """

    dimension: int
    similarity: str
    prompts: Mapping[str, str] = field(default_factory=dict)
    document_tower: str = ""
    max_length: int | None = None


@dataclass(frozen=True)
class TextSpace(_Compared):
    """No vectors: texts are compared by their words, as BM25 does."""

    dimension: int = 0
    similarity: str = "bm25"


AnySpace: TypeAlias = Space | SparseSpace | MultiVectorSpace | TextSpace
"""What an index may be of."""


Vectors = TypeVar("Vectors", Space, SparseSpace)


def write(folder: Path, space: Space | SparseSpace) -> None:
    """Write `space.json` into `folder`: the fields of `space` and their fingerprint."""
    content = space.to_json() | {"fingerprint": space.fingerprint}
    files.write_text(folder / FILE_NAME, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def read(folder: Path) -> Space | None:
    """The space of a dense model in the `space.json` of `folder`; None where there is no such file.

    Raises:
        DataError: the file holds no such space.
        SpaceMismatchError: it was edited: its fields do not have its fingerprint.
    """
    return _read(folder, Space)


def read_sparse(folder: Path) -> SparseSpace | None:
    """The same of a sparse model, whose queries live in the space of another model's documents."""
    return _read(folder, SparseSpace)


def _read(folder: Path, kind: type[Vectors]) -> Vectors | None:
    """The space of that kind in `folder`.

    Raises:
        DataError: the file holds no space.
        SpaceMismatchError: it was edited: its fields do not have its fingerprint.
    """
    path = folder / FILE_NAME
    if not integrity.is_there(path):
        return None
    try:
        content = plain_json.loads(integrity.read_text(path, "utf-8-sig"))
        fingerprint = content.pop("fingerprint")
        found = kind(**content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            expected=f"the fields {', '.join(part.name for part in fields(kind))} and their fingerprint",
            got=f"{path}: {error}",
            consequence="the space of these vectors is unknown, so nothing was run",
            remedy="copy the file anew from where the model was made, or make the model again",
        ) from error
    if found.fingerprint != fingerprint:
        raise SpaceMismatchError(
            expected=f"{path} as it was written, with the fingerprint {str(fingerprint)[:12]}",
            got=f"fields with the fingerprint {found.fingerprint[:12]}: the file was edited",
            consequence="the vectors may belong to another space, so nothing was run",
            remedy="copy the file anew from where the model was made, or make the model again",
        )
    return found


def require_searchable(index: Space, query_spaces: Sequence[Space]) -> None:
    """Raise SpaceMismatchError unless query vectors that live in `query_spaces` may search an index of space `index`.

    Args:
        index: of the documents.
        query_spaces: the query model's own space, then those of other document towers that it was aligned with. Their
            `max_length` may be another one: it cuts documents, and queries are no documents of theirs.
    """
    own, *aligned = query_spaces
    if own == index or any(replace(space, max_length=index.max_length) == index for space in aligned):
        return
    meant = own if not aligned or own.document_tower == index.document_tower else aligned[0]
    differing = index.differences(meant).items()
    raise SpaceMismatchError(
        expected="a query model of the index's own space",
        got="; ".join(f"{name}: documents {ours!r}, query model {theirs!r}" for name, (ours, theirs) in differing),
        consequence="scores between the two spaces mean nothing, so nothing was searched",
        remedy="search with the model of the documents or a student aligned with it, or build the index again",
    )


def require_dimension(index: Space, query: Space) -> None:
    """Raise SpaceMismatchError unless vectors of the two spaces are of one length: all that can be told of models that
    are not known to be aligned.
    """
    if index.dimension != query.dimension:
        raise SpaceMismatchError(
            expected=f"query vectors of length {index.dimension}, as the documents'",
            got=f"length {query.dimension}",
            consequence="they cannot be compared, so nothing was run",
            remedy="give a query model with the output dimension of the document model",
        )


def require_terms(index: SparseSpace, query_spaces: Sequence[SparseSpace], unaligned: bool = False) -> None:
    """Raise SpaceMismatchError unless sparse query vectors in `query_spaces` may search an index of space `index`.

    Args:
        index: of the documents.
        query_spaces: the query model's own space, then those of other document towers that it was trained against,
            whose `max_length` may be another one.
        unaligned: trust that the two models belong together, which nothing says; only the vocabulary is compared.
    """
    query, *aligned = query_spaces
    if any(replace(space, max_length=index.max_length) == index for space in aligned):
        return
    differing = index.differences(query)
    if index.vocabulary == query.vocabulary and index.dimension == query.dimension and (unaligned or not differing):
        return
    other_terms = "vocabulary" in differing or "dimension" in differing
    raise SpaceMismatchError(
        expected="a query model with the index's vocabulary"
        if other_terms
        else "the model that the index was built with",
        got="; ".join(
            f"{name}: documents {ours!r}, query model {theirs!r}" for name, (ours, theirs) in differing.items()
        ),
        consequence="a weight would count for another term, so nothing was searched"
        if other_terms
        else "weights of models that were not trained together mean nothing, so nothing was searched",
        remedy="search with the model that the index was built with, or build the index again",
    )


def require_token_vectors(index: MultiVectorSpace, query: MultiVectorSpace, unaligned: bool = False) -> None:
    """Raise SpaceMismatchError unless token vectors of queries in `query` may search an index of space `index`.

    Args:
        index: of the documents.
        query: of the query model.
        unaligned: trust that the two models belong together, which nothing says; only the dimension is compared.
    """
    differing = index.differences(query)
    if index.dimension == query.dimension and (unaligned or not differing):
        return
    raise SpaceMismatchError(
        expected="the multi-vector model that the index was built with",
        got="; ".join(
            f"{name}: documents {ours!r}, query model {theirs!r}" for name, (ours, theirs) in differing.items()
        ),
        consequence="scores between the two spaces mean nothing, so nothing was searched",
        remedy="search with the model that the index was built with, or build the index again",
    )
