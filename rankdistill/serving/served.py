"""Which of the served models a request means, and what it may ask of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rankdistill.serving.contracts import Encoded, ModelKind, ServedModel, Side
from rankdistill.serving.exchange import Request
from rankdistill.serving.fields import listed, shown
from rankdistill.serving.refusals import (
    BackendRefusal,
    BadRequestError,
    EmptyError,
    OtherSpaceError,
    TooLargeError,
    UnknownError,
)
from rankdistill.serving.tokens_left import require_tokens

_GIVES = {
    "dense": "a vector a text: POST /v1/embeddings",
    "sparse": "weights of terms: POST /embed_sparse",
    "multi_vector": "a vector a token: POST /embed_all",
    "pairs": "a score a pair: POST /rerank",
}


def named(request: Request, name: str | None, kinds: Sequence[ModelKind]) -> ServedModel:
    """The model called `name`, or the first of the first of `kinds` that is served.

    Raises:
        UnknownError: none is called so, or none is of one of these kinds.
        BadRequestError: it is of another kind than the route is for.
    """
    models = request.state.models
    if name is None:
        for kind in kinds:
            for model in models.values():
                if model.kind == kind:
                    return model
        raise UnknownError(
            expected=f"a model that gives {_GIVES[kinds[0]].partition(':')[0]}",
            got=f"the models {listed(list(models))}, which do not",
            consequence="nothing was encoded",
            remedy="; ".join(f"{model.name} gives {_GIVES[model.kind]}" for model in models.values()),
        )
    found = models.get(name)
    if found is None:
        raise UnknownError(
            expected=f"one of the served models {listed(list(models))}",
            got=shown(name),
            consequence="nothing was encoded: vectors of another model than the one asked for mean something else",
            remedy="name one of them, or leave the name out to get the first",
            param="model",
        )
    if found.kind not in kinds:
        raise BadRequestError(
            expected=f"a model that gives {_GIVES[kinds[0]].partition(':')[0]}",
            got=f"{name!r}, which gives {_GIVES[found.kind]}",
            consequence="nothing was encoded",
            remedy=f"call the route that is for {name!r}, or name another model",
            param="model",
        )
    return found


def side(request: Request, model: ServedModel, wanted: Side | None) -> Side:
    """The side to encode on: the one that is wanted, or the only one that makes sense.

    Raises:
        BadRequestError: none is wanted, and the two differ.
        OtherSpaceError: the model of that side is not served.
    """
    if wanted is None:
        wanted = request.state.default_side
        if wanted is None or wanted not in model.sides:
            if len(model.sides) > 1 and not model.symmetric:
                request.metrics.wrong_tower()
                raise BadRequestError(
                    expected=f"'input_type': {model.name} encodes queries and documents differently",
                    got="a request that does not say which of them its texts are",
                    consequence="nothing was encoded: the wrong one gives plausible vectors that find less",
                    remedy="send 'input_type': 'query' or 'document' (or serve with --default-input-type)",
                    param="input_type",
                )
            wanted = model.sides[0]
    elif wanted not in model.sides:
        request.metrics.wrong_tower()
        raise OtherSpaceError(
            expected=f"'input_type' {' or '.join(map(repr, model.sides))}: what {model.name} encodes",
            got=repr(wanted),
            consequence="nothing was encoded: a text of the other tower would get a plausible vector that finds less",
            remedy="serve a bundle with its document model, or encode documents with the model that the index is of",
            param="input_type",
        )
    return wanted


def normalisable(model: ServedModel) -> bool:
    """Whether unit length takes nothing from its vectors: they have it, or are compared by their cosine."""
    return getattr(model.space, "normalised", False) or getattr(model.space, "similarity", "") == "cosine"


def length(model: ServedModel, wanted: int | None, name: str = "dimensions") -> int | None:
    """How many dimensions to keep, of the field called `name`; None for all.

    Raises:
        BadRequestError: the model was not trained to be cut there.
    """
    if wanted is None or wanted == model.dimensions[0]:
        return None
    if wanted not in model.dimensions:
        trained = " or ".join(map(str, model.dimensions))
        raise BadRequestError(
            expected=f"'{name}' {trained}: what {model.name} was trained for",
            got=str(wanted),
            consequence="nothing was encoded: vectors that are cut elsewhere rank worse, and nothing would show it",
            remedy=f"ask for {trained}, or leave '{name}' out",
            param=name,
        )
    return wanted


def space(request: Request, model: ServedModel, dimensions: int | None = None) -> str:
    """Fingerprint of the space that the vectors are in; empty for pairs."""
    facts = request.state.facts
    key = ("space", model.name, dimensions)
    found = facts.get(key)
    if found is None:
        whole: Any = model.space
        cut = whole if dimensions is None else replace(whole, dimension=dimensions)
        found = facts[key] = "" if whole is None else cut.fingerprint
    return found


async def dense(
    request: Request,
    model: ServedModel,
    texts: Sequence[str],
    side: Side,
    *,
    truncate: bool,
    dimensions: int | None = None,
    prompt: str | None = None,
) -> np.ndarray:
    """Vectors of texts, float32 `[n, dimensions]`; the request is told of them.

    Raises:
        Refusal: as `ServedModel.encode`.
        EmptyError: the model knows no word of a text.
    """
    encoded = await encode(request, model, texts, side, truncate=truncate, prompt=prompt)
    vectors = np.ascontiguousarray(encoded.vectors, dtype=np.float32)
    _require_directions(vectors, texts, model)
    if dimensions is not None:
        vectors = np.ascontiguousarray(vectors[:, :dimensions])
        if getattr(model.space, "normalised", False):
            vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    request.tell(encoded, space(request, model, dimensions))
    return vectors


async def encode(
    request: Request, model: ServedModel, texts: Sequence[str], side: Side, *, truncate: bool, prompt: str | None = None
) -> Encoded:
    """`model.encode`, for a text that leaves no token refused too."""
    await require_tokens(model, texts, side)
    return await model.encode(texts, side, truncate=truncate, prompt=prompt)


def _require_directions(vectors: np.ndarray, texts: Sequence[str], model: ServedModel) -> None:
    if len(vectors) == 1:
        vector = vectors[0]
        if 0 < vector.dot(vector) < np.inf:
            return
    squares = np.einsum("ij,ij->i", vectors, vectors)
    if squares.min() > 0 and squares.max() < np.inf:
        return
    if np.isfinite(squares).all():
        place = int(np.flatnonzero(squares == 0)[0])
        raise EmptyError(
            expected="texts with a word that the model knows",
            got=f"{shown(texts[place])} at place {place}, whose vector is zero",
            consequence="nothing was answered: zero is near to nothing and far from nothing",
        )
    raise BackendRefusal(
        expected="finite vectors",
        got=f"NaN or infinity from {model.name} ({model.backend})",
        consequence="nothing was answered",
        remedy="send the request again; look at /ready",
    )


def count(request: Request, texts: Sequence[str], limit: int) -> None:
    """Note how many texts are asked for; TooLargeError where they are more than `limit`."""
    request.texts = len(texts)
    if request.texts > limit:
        raise TooLargeError(
            expected=f"at most {limit:,} texts a request",
            got=f"{request.texts:,}",
            consequence="nothing was encoded",
            remedy="send them in several requests; /info tells the limits",
        )
