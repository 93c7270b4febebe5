"""What recipes need to know of verbs before they call them: settings, and what decides a result. Loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rankdistill import models
from rankdistill.indexing.recipes import IndexRecipe
from rankdistill.indexing.registry import require_factory
from rankdistill.indexing.sources import KINDS
from rankdistill.inference.storage import Storage
from rankdistill.mining.choosing import Choice
from rankdistill.mining.source import Source
from rankdistill.mining.sources import Bm25Source, named
from rankdistill.mining.tokenisers import DEFAULT as DEFAULT_TOKENIZER
from rankdistill.mining.window import parse_windows
from rankdistill.querying.registry import DEFAULT as DEFAULT_GENERATOR
from rankdistill.querying.registry import identity_of as generator_identity
from rankdistill.stores.unit_size import UNIT_SIZE
from rankdistill.teachers.registry import identity_of as teacher_identity
from rankdistill.teachers.registry import is_yaml
from rankdistill.teachers.registry import specify as teacher_spec
from rankdistill.teachers.teaching.config import TeachConfig
from rankdistill.training.alignment.config import AlignConfig
from rankdistill.training.config import SCORE_PAIRS, SPARSE_TYPES, TrainConfig, TypeName
from rankdistill.training.tracking import require_installed as require_trackers
from rankdistill.verbs.arguments import fusion_of, listed

if TYPE_CHECKING:
    from rankdistill.fusion import Fusion
    from rankdistill.stores.embeddings.text_files import TextFile

__all__ = [
    "DEFAULT_GENERATOR",
    "DEFAULT_TOKENIZER",
    "SCORE_PAIRS",
    "SPARSE_TYPES",
    "UNIT_SIZE",
    "AlignConfig",
    "Bm25Source",
    "Choice",
    "IndexRecipe",
    "Source",
    "Storage",
    "TeachConfig",
    "TrainConfig",
    "TypeName",
    "choice_of",
    "generator_identity",
    "in_batch_identity",
    "is_static",
    "is_yaml",
    "least_queries",
    "measures",
    "require_any_pair",
    "require_factory",
    "require_trackers",
    "sources_of",
    "teacher_identity",
    "teacher_spec",
    "text_file",
    "tokenizer_of",
    "type_of",
]


def least_queries() -> int:
    """How many judged queries a verdict asks for."""
    from rankdistill.evaluation.verdict.records import USUAL

    return USUAL.least_queries


def measures() -> list[str]:
    """What evaluations measure, by the names that results have."""
    from rankdistill.evaluation.measures import MEASURES

    return list(MEASURES)


def sources_of(
    sources: str | Source | Sequence[str | Source], model: str | None = None, max_length: int | None = None
) -> list[Source]:
    """The sources that `mine` means; nothing is loaded yet. See `rankdistill.mine` for the arguments.

    Raises:
        ConfigError: no such source.
    """
    return [named(one, model, max_length, KINDS) if isinstance(one, str) else one for one in listed(sources)]


def choice_of(
    ranks: str | Sequence[str] | None = None,
    sample: int | str | Sequence[int | str] | None = None,
    seed: int = 0,
    fusion: str | Fusion | None = None,
    weights: Sequence[float] | None = None,
    keep_top: bool = False,
) -> Choice:
    """Which of the sources' documents become candidates; see `rankdistill.mine` for the arguments.

    Raises:
        ConfigError: ranks or a sample that cannot be read, weights without a fusion, or no such method.
    """
    window, windows = parse_windows(listed(ranks), list(map(str, listed(sample))), seed, keep_top)
    return Choice(window, windows, fusion_of(fusion, weights))


def tokenizer_of(sources: Sequence[Source]) -> str:
    """What BM25 takes for a word: as the first source with BM25 does, or as it usually does."""
    return next((source.tokenizer for source in sources if isinstance(source, Bm25Source)), DEFAULT_TOKENIZER)


def type_of(model: str) -> TypeName:
    """What a student that starts from `model` is where nothing says it; see `rankdistill.training.types.of_model`."""
    from rankdistill.training.types import of_model

    return of_model(model)


def in_batch_identity(config: TrainConfig) -> dict[str, str]:
    """What the teachers beside the stored scores add to a student's identity: nothing where they decide nothing."""
    from rankdistill.training.in_batch.reference import of_alignment, of_config, of_tower

    found = {"in_batch_teacher": of_config(config), "alignment_teacher": of_alignment(config)}
    found["document_tower"] = of_tower(config)
    identities = {name: one.identity for name, one in found.items() if one is not None}
    if config.token_teacher is not None:
        identities["token_teacher"] = models.resolve(config.token_teacher).weights_hash
    return identities


def require_any_pair(teacher: str, kind: str = "auto") -> None:
    """Raise ConfigError for a teacher that cannot be `in_batch_teacher`; nothing is loaded.

    Args:
        teacher: its reference.
        kind: of it; `auto` looks into the model.
    """
    from rankdistill.training.in_batch.reference import require_any_pair

    require_any_pair(teacher, kind)


def is_static(model: str) -> bool:
    """Whether aligning `model` makes a table of token vectors; see `rankdistill.training.alignment.run.is_static`."""
    from rankdistill.training.alignment.run import is_static

    return is_static(model)


def text_file(words: str) -> TextFile:
    """The file of texts that `query=FILE`, `document=FILE` or `FILE` names, with its fingerprint."""
    from rankdistill.stores.embeddings.text_files import parse_text_file

    return parse_text_file(words)
