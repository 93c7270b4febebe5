"""The kinds of teachers, and loading one by a model reference."""

from __future__ import annotations

from collections.abc import Callable

from rankdistill.errors import ConfigError
from rankdistill.inference.loading import kind_of
from rankdistill.models import resolve
from rankdistill.teachers import cross_encoder, embedding
from rankdistill.teachers.base import PairTeacher

TEACHERS: dict[str, Callable[[str, str, int | None, str], PairTeacher]] = {
    "cross_encoder": cross_encoder.load,
    "embedding": embedding.load,
}
"""Kind -> how it is loaded from (reference, back end, maximum length, dtype)."""

_KIND_OF_MODEL = {"cross_encoder": "cross_encoder", "encoder": "embedding"}


def load(
    ref: str,
    kind: str = "auto",
    backend: str = "auto",
    max_length: int | None = None,
    dtype: str = "float32",
) -> PairTeacher:
    """The teacher that `ref` names.

    Args:
        ref: a model reference.
        kind: a key of `TEACHERS`; `auto` looks into the model's configuration.
        backend: `auto`, `torch`, `openvino` or `onnx`.
        max_length: tokens of an input at most; None keeps the model's own.
        dtype: `float32`, or `bfloat16` (torch only).

    Raises:
        ConfigError: an unknown kind.
        ModelReferenceError: the model cannot be loaded as that kind.
    """
    if kind != "auto" and kind not in TEACHERS:
        raise ConfigError(
            expected=f"a kind of teacher among auto, {', '.join(TEACHERS)}",
            got=repr(kind),
            consequence="no teacher was loaded",
            remedy="choose one of them",
        )
    chosen = _KIND_OF_MODEL[kind_of(resolve(ref).path)] if kind == "auto" else kind
    return TEACHERS[chosen](ref, backend, max_length, dtype)
