"""Multi-vector students: late-interaction encoders, and encoders that get a projection of their tokens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankdistill import models, plain_json
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.loading import kind_of, quietly
from rankdistill.inference.padding import give_padding

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder


def load(reference: str, dropout: float | None = None, dimension: int = 128, seed: int = 0) -> MultiVectorEncoder:
    """A `MultiVectorEncoder` on the CPU.

    Args:
        reference: path, hub id or `pypi:DISTRIBUTION` of a multi-vector encoder, which stays as it is; or of an encoder
            or a masked language model, of which the transformer and the prompts are taken.
        dropout: rate everywhere in the encoder; None keeps the model's own.
        dimension: of a token's vector behind a new projection. The projection is random and orthogonal, so that
            similarities are about those of the transformer before it is trained; there is no bias.
        seed: of the projection.

    Raises:
        ModelReferenceError: nothing there of which token vectors can be taken.
    """
    from rankdistill.inference import positions

    found = models.resolve(reference)
    settings = {} if dropout is None else models.dropout_settings(found, dropout)
    kind = kind_of(found.path)
    if kind not in ("multi_vector", "encoder", "sparse"):
        raise _no_tokens(reference, f"another kind of model ({kind})")
    try:
        with quietly():
            if kind == "multi_vector":
                student = _load(found.path, settings)
            else:
                student = _with_projection(found.path, settings, dimension, seed)
            positions.cut(student, None, found.name)
    except (OSError, ValueError, KeyError) as error:
        raise _no_tokens(reference, str(error).splitlines()[0]) from error
    student.model_card_data.local_files_only = True
    give_padding(student.tokenizer)
    return student


def is_normalised(student: MultiVectorEncoder) -> bool:
    """Whether its token vectors have unit length."""
    from sentence_transformers.base.modules import Normalize

    return any(isinstance(module, Normalize) for module in student)


def _load(path: Path, settings: dict[str, float]) -> MultiVectorEncoder:
    from sentence_transformers import MultiVectorEncoder

    return MultiVectorEncoder(str(path), device="cpu", local_files_only=True, config_kwargs=settings)


def _with_projection(path: Path, settings: dict[str, float], dimension: int, seed: int) -> MultiVectorEncoder:
    import torch
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Dense, Normalize, Transformer
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    transformer = Transformer(str(path / folder_of_transformer(path)), config_kwargs=settings)
    tokens = {"module_input_name": "token_embeddings"}
    hidden = transformer.get_embedding_dimension()
    projection = Dense(hidden, dimension, bias=False, activation_function=torch.nn.Identity(), **tokens)
    torch.nn.init.orthogonal_(projection.linear.weight, generator=torch.Generator().manual_seed(seed))
    modules = [transformer, projection, MultiVectorMask(), Normalize(**tokens)]
    return MultiVectorEncoder(modules=modules, prompts=_prompts(path), device="cpu")


def folder_of_transformer(path: Path) -> str:
    """Where in a sentence-transformers folder the transformer lies; "" for a plain transformers folder.

    Raises:
        ValueError: the model starts with another module.
    """
    modules = path / "modules.json"
    if not modules.is_file():
        return ""
    first = plain_json.read(modules)[0]
    if not first["type"].endswith(".Transformer"):
        raise ValueError(f"its first module is {first['type']}, no transformer")
    return str(first["path"])


def _prompts(path: Path) -> dict[str, str]:
    config = path / "config_sentence_transformers.json"
    found = plain_json.read(config) if config.is_file() else {}
    return {name: text for name, text in found.get("prompts", {}).items() if text}


def _no_tokens(reference: str, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected="a multi-vector encoder, or a transformer encoder whose tokens can be projected",
        got=f"{reference!r}: {got}",
        consequence="no student was loaded",
        remedy="give such a model",
    )
