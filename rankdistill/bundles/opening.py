"""Encoders of queries and of documents, from a bundle or from a plain model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import models
from rankdistill.bundles.layout import Bundle, is_bundle
from rankdistill.errors import ModelReferenceError, SpaceMismatchError
from rankdistill.space import Space

if TYPE_CHECKING:
    from rankdistill.inference import TextEncoder


def open_query_encoder(
    reference: str,
    backend: str = "auto",
    max_length: int | None = None,
    documents: Space | None = None,
    threads: int | None = None,
) -> TextEncoder:
    """The encoder of queries of a bundle, or of a model.

    Args:
        reference: folder of a bundle, or a model reference.
        backend: of `TextEncoder`.
        max_length: tokens of a query at most; None takes the model's own.
        documents: the space of the documents that will be searched. Where the model is their document tower itself,
            queries are cut at the length that its documents were cut at, unless `max_length` is given.
        threads: of `TextEncoder`.

    Raises:
        DataError: the bundle is unfinished.
        SpaceMismatchError: the bundle's space or its query tower was edited.
        ModelReferenceError: there is no such model.
    """
    from rankdistill.inference import TextEncoder

    model, known = reference, None
    if is_bundle(reference):
        bundle = Bundle.read(Path(reference).expanduser())
        bundle.require_query_tower()
        model, known = bundle.query_model, bundle.query_weights
    if max_length is None and documents is not None:
        is_their_tower = (known or models.resolve(model).weights_hash) == documents.document_tower
        max_length = documents.max_length if is_their_tower else None
    return TextEncoder(model, backend, max_length, threads=threads, weights=known)


def open_document_encoder(
    reference: str, backend: str = "auto", max_length: int | None = None, threads: int | None = None
) -> TextEncoder:
    """The encoder of documents of a bundle, or of a model.

    Args:
        reference: folder of a bundle, or a model reference.
        backend: of `TextEncoder`.
        max_length: tokens of a document at most; None takes the bundle's, or else the model's own.
        threads: of `TextEncoder`.

    Raises:
        DataError: the bundle is unfinished.
        SpaceMismatchError: the bundle's space was edited, or the model that it points to is another one by now.
        ModelReferenceError: there is no such model.
    """
    from rankdistill.inference import TextEncoder

    if not is_bundle(reference):
        return TextEncoder(reference, backend=backend, max_length=max_length, threads=threads)
    bundle = Bundle.read(Path(reference).expanduser())
    length = bundle.space.max_length if max_length is None else max_length
    try:
        known = None
        if bundle.holds_document_model:
            bundle.require_document_tower()
            known = bundle.space.document_tower
        encoder = TextEncoder(bundle.document_model, backend, length, threads=threads, weights=known)
    except ModelReferenceError as error:
        raise ModelReferenceError(
            expected=f"the document model of the bundle {bundle.folder}",
            got=f"it points to {bundle.document_model!r}, which does not load: {error.got}",
            consequence="no documents were encoded; the query tower works without it",
            remedy="make the model available under that name, or bundle with --include-document-model",
        ) from error
    found, expected = encoder.space.document_tower, bundle.space.document_tower
    if found != expected:
        raise SpaceMismatchError(
            expected=f"the document model that {bundle.folder} was made with (weights {expected[:12]})",
            got=f"{encoder.reference.name} with weights {found[:12]}",
            consequence="its vectors may be of another space, so nothing was run",
            remedy="bring the old model back, or make the bundle again with `rankdistill bundle`",
        )
    return encoder
