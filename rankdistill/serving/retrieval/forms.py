"""What the indexes of each kind are asked for: one query of a batch, many as one, and a vector that came as JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankdistill.inference.token_vectors import of_texts
from rankdistill.serving.refusals import BadRequestError, OtherSpaceError


@dataclass(frozen=True)
class Form:
    """How queries of one kind of index look.

    Args:
        rows: what `ServedModel.encode` gives -> one entry a text.
        stack: `(entries, dimension)` -> what `StoredIndex.search` takes.
        parse: `(value of JSON, dimension, vocabulary)` -> one entry; raises Refusal.
    """

    rows: Callable[[Any], Sequence[Any]]
    stack: Callable[[Sequence[Any], int], Any]
    parse: Callable[[Any, int, Sequence[str]], Any]


def _numbers(value: Any, shape: str) -> Any:
    """float32 array of a list; raises BadRequestError unless it holds finite numbers alone."""
    try:
        found = np.asarray("truths") if _has_truth(value) else np.asarray(value)
    except ValueError:
        found = np.asarray("lists of different lengths")
    with np.errstate(over="ignore"):
        finite = found.dtype.kind in "iuf" and bool(np.isfinite(found.astype(np.float32)).all())
    if not finite or found.size == 0:
        raise BadRequestError(
            expected=f"a query vector: {shape} of finite numbers, within float32",
            got="no number" if found.size == 0 else "something else, or NaN or infinity, among them",
            consequence="nothing was searched",
            remedy="send the vector as the model gave it",
        )
    return found.astype(np.float32)


def _has_truth(value: Any) -> bool:
    """Whether `true` or `false` stands in a list, or in one of its lists: numpy takes them for 1 and 0."""
    kinds = set(map(type, value)) if isinstance(value, list) else set()
    return bool in kinds or (list in kinds and any(map(_has_truth, value)))


def _require_length(found: int, dimension: int) -> None:
    if found != dimension:
        raise OtherSpaceError(
            expected=f"a vector of the index's space, of length {dimension}",
            got=f"length {found}",
            consequence="it is of another model's space, so nothing was searched",
            remedy="send a vector of the model that this index is searched with (see /info), or the text as `query`",
        )


def _dense(value: Any, dimension: int, vocabulary: Sequence[str]) -> Any:
    vector = _numbers(value, f"a list of {dimension}") if isinstance(value, list | np.ndarray) else _numbers([], "list")
    if vector.ndim != 1:
        raise _other_form("a list of numbers", "lists within a list")
    _require_length(len(vector), dimension)
    return vector[None]


def _tokens(value: Any, dimension: int, vocabulary: Sequence[str]) -> Any:
    vectors = _numbers(value, "a list of lists") if isinstance(value, list | np.ndarray) else _numbers([], "lists")
    if vectors.ndim != 2:
        raise _other_form("a list for each token of the query", "a list of numbers")
    _require_length(vectors.shape[1], dimension)
    return vectors


def _terms(value: Any, dimension: int, vocabulary: Sequence[str]) -> Any:
    """`{term: weight}`, or what `/embed_sparse` gives for a text: `[{index, value}]`."""
    from scipy.sparse import csr_array

    if isinstance(value, Mapping):
        places = {term: place for place, term in enumerate(vocabulary)}
        if unknown := [term for term in value if term not in places]:
            raise OtherSpaceError(
                expected="terms of the model's vocabulary" if places else "a served model, whose vocabulary has terms",
                got=", ".join(map(repr, unknown[:5])) + (", ..." if len(unknown) > 5 else ""),
                consequence="they are of another model's space, so nothing was searched",
                remedy="send the terms as `/embed_sparse` names them, or the text as `query`",
            )
        columns, weights = [places[term] for term in value], list(value.values())
    elif isinstance(value, list) and all(isinstance(one, Mapping) and {*one} == {"index", "value"} for one in value):
        columns, weights = [one["index"] for one in value], [one["value"] for one in value]
    else:
        raise _other_form("an object term -> weight, or a list of {index, value}", type(value).__name__)
    wrong = [one for one in columns if isinstance(one, bool) or not isinstance(one, int) or one < 0]
    if wrong or len(set(columns)) != len(columns):
        raise _other_form("indices that are whole numbers, each once", repr(wrong[0]) if wrong else "one twice")
    if columns and max(columns) >= dimension:
        _require_length(max(columns) + 1, dimension)
    found = _numbers(weights, "weights")
    return csr_array((found, (np.zeros(len(columns), np.int64), columns)), shape=(1, dimension))


def _no_vector(value: Any, dimension: int, vocabulary: Sequence[str]) -> Any:
    raise _other_form("a `query`: this index compares words", "a vector")


def _other_form(expected: str, got: str) -> BadRequestError:
    return BadRequestError(
        expected=expected, got=got, consequence="nothing was searched", remedy="see /docs for the forms of `vector`"
    )


def _stacked_sparse(entries: Sequence[Any], dimension: int) -> Any:
    from scipy.sparse import csr_array, vstack

    return entries[0] if len(entries) == 1 else csr_array(vstack(entries, format="csr"))


FORMS: Mapping[str, Form] = {
    "dense": Form(lambda found: [row[None] for row in found], lambda rows, dimension: np.concatenate(rows), _dense),
    "sparse": Form(
        lambda found: [found[place : place + 1] for place in range(found.shape[0])], _stacked_sparse, _terms
    ),
    "multi_vector": Form(list, of_texts, _tokens),
    "text": Form(list, lambda rows, dimension: list(rows), _no_vector),
}
"""Kind of an index, a name in `rankdistill.indexing.kinds.KINDS` -> the form of its queries."""
