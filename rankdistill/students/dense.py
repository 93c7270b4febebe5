"""Dense students: any sentence-transformers model, or a plain transformers encoder with pooling on top."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rankdistill import models
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import quietly
from rankdistill.inference.padding import give_padding

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Pooling = Literal["mean", "cls", "max", "lasttoken"]
Similarity = Literal["cosine", "dot"]


def load(
    reference: str,
    pooling: Pooling = "mean",
    similarity: Similarity | None = None,
    max_length: int | None = None,
    dropout: float | None = None,
) -> SentenceTransformer:
    """Load a student from a path, a hub id or `pypi:DISTRIBUTION`, on the CPU; the trainer moves it.

    Args:
        reference: the model; a sentence-transformers folder keeps its own modules.
        pooling: how token vectors become one vector, for a plain transformers encoder only.
        similarity: `cosine` or `dot`; None keeps the model's own (cosine for a plain encoder).
        max_length: tokens a text is cut to; None keeps the model's own.
        dropout: rate everywhere in the encoder; None keeps the model's own.

    Raises:
        ModelReferenceError: nothing there that loads as a text encoder.
        ConfigError: `max_length` is beyond the model's positions.
    """
    from rankdistill.inference import positions

    found = models.resolve(reference)
    settings = {} if dropout is None else models.dropout_settings(found, dropout)
    try:
        with quietly():
            student = _from_folder(found.path, pooling, settings)
            positions.cut(student, max_length, found.name)
    except (OSError, ValueError, KeyError) as error:
        raise ModelReferenceError(
            expected="a sentence-transformers model or a transformers text encoder",
            got=f"{reference!r}: {str(error).splitlines()[0]}",
            consequence="no student was loaded",
            remedy="give a dense encoder; a cross-encoder or a sparse model is none",
        ) from error
    if similarity is not None:
        student.similarity_fn_name = similarity
    if max_length is not None:
        student.max_seq_length = max_length
    student.model_card_data.local_files_only = True
    give_padding(student.tokenizer)
    return student


def similarity_of(student: SentenceTransformer) -> Similarity:
    """The student's similarity.

    Raises:
        ModelReferenceError: it is neither `cosine` nor `dot`.
    """
    name = student.similarity_fn_name
    if name == "cosine":
        return "cosine"
    if name == "dot":
        return "dot"
    raise ModelReferenceError(
        expected="a student whose similarity is cosine or dot",
        got=f"similarity {name!r}",
        consequence="indexes could not search with it, so it was not used",
        remedy="load it with another similarity",
    )


def is_bounded(student: SentenceTransformer) -> bool:
    """Whether the student's scores lie in [-1, 1]: cosine, or dot products of normalised vectors."""
    from sentence_transformers.sentence_transformer.modules import Normalize

    return similarity_of(student) == "cosine" or any(isinstance(module, Normalize) for module in student)


def _from_folder(path: Path, pooling: Pooling, settings: dict[str, float]) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    if (path / "modules.json").is_file():
        return SentenceTransformer(str(path), device="cpu", local_files_only=True, config_kwargs=settings)
    transformer = modules.Transformer(str(path), config_kwargs=settings)
    head = modules.Pooling(transformer.get_embedding_dimension(), pooling_mode=pooling)
    return SentenceTransformer(modules=[transformer, head], device="cpu")
