"""What recipes need to know of verbs before they call them: settings, and what decides a result. Loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankdistill.indexing.recipes import IndexRecipe
from rankdistill.indexing.registry import require_factory
from rankdistill.teachers.registry import identity_of as teacher_identity
from rankdistill.teachers.registry import is_yaml
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.config import SCORE_PAIRS, SPARSE_TYPES, TrainConfig, TypeName

if TYPE_CHECKING:
    from rankdistill.stores.embeddings.text_files import TextFile

__all__ = [
    "SCORE_PAIRS",
    "SPARSE_TYPES",
    "AlignConfig",
    "IndexRecipe",
    "TeachConfig",
    "TrainConfig",
    "TypeName",
    "is_static",
    "is_yaml",
    "require_factory",
    "teacher_identity",
    "text_file",
    "type_of",
]


def type_of(model: str) -> TypeName:
    """What a student that starts from `model` is where nothing says it; see `rankdistill.training.types.of_model`."""
    from rankdistill.training.types import of_model

    return of_model(model)


def is_static(model: str) -> bool:
    """Whether aligning `model` makes a table of token vectors; see `rankdistill.training.alignment.run.is_static`."""
    from rankdistill.training.alignment.run import is_static

    return is_static(model)


def text_file(words: str) -> TextFile:
    """The file of texts that `query=FILE`, `document=FILE` or `FILE` names, with its fingerprint."""
    from rankdistill.stores.embeddings.text_files import parse_text_file

    return parse_text_file(words)
