"""Cross-encoder students: a smaller reader of query and document together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import models
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import kind_of, quietly
from rankdistill.inference.padding import give_padding_to_pairs
from rankdistill.students.multi_vector import folder_of_transformer

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


def load(reference: str, dropout: float | None = None, seed: int = 0) -> CrossEncoder:
    """A `CrossEncoder` with one output on the CPU; what it predicts are logits, as the scores it learns.

    Args:
        reference: path, hub id or `pypi:DISTRIBUTION` of a cross-encoder; or of an encoder or a masked language model,
            which gets a new head.
        dropout: rate everywhere in the encoder; None keeps the model's own.
        seed: of a new head.

    Raises:
        ModelReferenceError: nothing there that reads pairs, or a cross-encoder with several outputs.
    """
    from rankdistill.inference import positions

    found = models.resolve(reference)
    settings = {} if dropout is None else models.dropout_settings(found, dropout)
    kind = kind_of(found.path)
    if kind not in ("cross_encoder", "encoder", "sparse"):
        raise _reads_no_pairs(reference, f"another kind of model ({kind})")
    try:
        with quietly():
            student = _load(found.path, settings, seed, has_head=kind == "cross_encoder")
            positions.cut(student, None, found.name)
    except (OSError, ValueError, KeyError) as error:
        raise _reads_no_pairs(reference, str(error).splitlines()[0]) from error
    if student.num_labels != 1:
        raise _reads_no_pairs(reference, f"a head with {student.num_labels} outputs")
    student.model_card_data.local_files_only = True
    give_padding_to_pairs(student)
    return student


def _load(path: Path, settings: dict[str, float], seed: int, has_head: bool) -> CrossEncoder:
    import torch
    from sentence_transformers import CrossEncoder

    folder = path if has_head else path / folder_of_transformer(path)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CrossEncoder(
            str(folder),
            num_labels=None if has_head else 1,
            device="cpu",
            local_files_only=True,
            config_kwargs=settings,
            activation_fn=torch.nn.Identity(),
        )


def _reads_no_pairs(reference: str, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected="a cross-encoder with one output, or a transformer encoder that can get such a head",
        got=f"{reference!r}: {got}",
        consequence="no student was loaded",
        remedy="give such a model",
    )
