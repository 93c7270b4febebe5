"""Whether a query model and a document model belong together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankdistill.errors import SpaceMismatchError
from rankdistill.space import FILE_NAME, Space, require_dimension, require_searchable

if TYPE_CHECKING:
    from rankdistill.inference import TextEncoder


def require_aligned(query: TextEncoder, document: TextEncoder, unaligned: bool = False) -> bool:
    """Check that the query model's vectors may search the document model's; whether anything says that they do.

    Args:
        query: the query tower.
        document: the document tower.
        unaligned: accept a query model without `space.json`, of which only the dimension is checked.

    Raises:
        SpaceMismatchError: the dimension, the normalisation, the document tower or its prompts are other ones, or the
            query model has no `space.json`.
    """
    require_dimension(document.space, query.space)
    own, *aligned = query.query_spaces
    if own == document.space:
        return True
    if not aligned and unaligned:
        return False
    if not aligned:
        raise SpaceMismatchError(
            expected=f"a query model with a {FILE_NAME}, which names the document model that it was aligned with",
            got=f"{query.reference.name} without one, beside the document model {document.reference.name}",
            consequence="whether they share a space is unknown, so nothing was bundled",
            remedy="train the query model on the document model's embeddings (`rankdistill train --embeddings`), or "
            "say --unaligned if you know that they are aligned",
        )
    _require_prompts(document, aligned[0])
    require_searchable(document.space, query.query_spaces)
    if own.normalised != document.space.normalised:
        raise SpaceMismatchError(
            expected=f"both models to normalise their vectors, or neither; the document model: {_does(document.space)}",
            got=f"the query model {query.reference.name}: {_does(own)}",
            consequence="its vectors are not of the space that it was aligned with, so nothing was bundled",
            remedy="give the query model as it was trained, with all its modules",
        )
    return True


def _require_prompts(document: TextEncoder, wanted: Space) -> None:
    missing = {name: text for name, text in wanted.prompts.items() if text and not document.prompts.get(name)}
    if missing:
        raise SpaceMismatchError(
            expected=f"the document model with the prompts that the query model was aligned with: {missing}",
            got=f"{document.reference.name} without them",
            consequence="documents would be embedded without their prompt, so nothing was bundled",
            remedy="put the prompts back into its config_sentence_transformers.json, or embed and train again without",
        )


def _does(space: Space) -> str:
    return "unit length" if space.normalised else "any length"
