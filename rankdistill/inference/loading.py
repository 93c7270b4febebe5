"""Loading sentence-transformers models from this disk, quietly, and telling what a folder holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from logging import getLogger
from pathlib import Path
from typing import Any, Literal

from rankdistill.errors import ModelReferenceError
from rankdistill.models import ModelReference

ModelKind = Literal["encoder", "cross_encoder"]


@contextmanager
def quietly() -> Iterator[None]:
    """Hide the bars and the notes (a new head, a converted model) that loading and saving print."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    loggers = [getLogger(name) for name in ("transformers", "sentence_transformers")]
    levels = [logger.level for logger in loggers]
    logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel("ERROR")
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if shown:
            logging.enable_progress_bar()


def kind_of(path: Path) -> ModelKind:
    """Whether `path` holds a cross-encoder (a sequence-classification head) or an encoder of single texts."""
    architectures = _json(path / "config.json").get("architectures") or [""]
    if any(name.endswith("ForSequenceClassification") for name in architectures):
        return "cross_encoder"
    declared = _json(path / "config_sentence_transformers.json").get("model_type")
    return "cross_encoder" if declared == "CrossEncoder" else "encoder"


def load_encoder(reference: ModelReference, device: str | None, max_length: int | None) -> Any:
    """The `SentenceTransformer` of `reference`, in evaluation mode; `max_length` replaces its own maximum."""
    from sentence_transformers import SentenceTransformer

    if kind_of(reference.path) != "encoder":
        raise _wrong_kind(reference, "a model that embeds single texts", "a cross-encoder")
    with quietly():
        model = SentenceTransformer(str(reference.path), device=device, local_files_only=True)
    if max_length is not None:
        model.max_seq_length = max_length
    return model.eval()


def load_cross_encoder(reference: ModelReference, device: str | None, max_length: int | None) -> Any:
    """The `CrossEncoder` of `reference` with one output, in evaluation mode.

    Raises:
        ModelReferenceError: the folder has no trained head, or one with several outputs.
    """
    from sentence_transformers import CrossEncoder

    if kind_of(reference.path) != "cross_encoder":
        raise _wrong_kind(
            reference, "a cross-encoder (a sequence-classification head)", "an encoder without such a head"
        )
    with quietly():
        model = CrossEncoder(str(reference.path), device=device, max_length=max_length, local_files_only=True)
    if model.num_labels != 1:
        raise _wrong_kind(reference, "a cross-encoder with one output", f"num_labels = {model.num_labels}")
    return model.eval()


def _wrong_kind(reference: ModelReference, expected: str, got: str) -> ModelReferenceError:
    return ModelReferenceError(
        expected=expected,
        got=f"{reference.name} ({reference.path}): {got}",
        consequence="its numbers would mean something else, so nothing was run",
        remedy="give another model; `rankdistill teach` makes a cross-encoder from any encoder",
    )


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
