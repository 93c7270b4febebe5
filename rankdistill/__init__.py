"""rankdistill: distil expensive rankers and embedders into small, fast retrievers, and prove it.

The public names below are imported on first use, so `import rankdistill` loads no torch, faiss or transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME_OF = {
    "AlignConfig": "rankdistill.training.alignment.config:AlignConfig",
    "EmbeddingStore": "rankdistill.stores.embeddings.reader:EmbeddingStore",
    "Ensemble": "rankdistill.ensembles.source:Ensemble",
    "LeafRecipe": "rankdistill.recipe.leaf.schema:LeafRecipe",
    "PairScorer": "rankdistill.inference:PairScorer",
    "RankdistillError": "rankdistill.errors:RankdistillError",
    "Recipe": "rankdistill.recipe.scores.schema:Recipe",
    "ScoreStore": "rankdistill.stores.reader:ScoreStore",
    "ScoreWriter": "rankdistill.stores.writer:ScoreWriter",
    "TeachConfig": "rankdistill.teachers.teaching.config:TeachConfig",
    "TextEncoder": "rankdistill.inference:TextEncoder",
    "TrainConfig": "rankdistill.training.config:TrainConfig",
    "align": "rankdistill.training.alignment.run:align",
    "build_index": "rankdistill.indexing:build",
    "bundle": "rankdistill.bundles.making:bundle",
    "compare": "rankdistill.evaluation.comparing:compare",
    "embed": "rankdistill.stores.embeddings.embedding:embed",
    "evaluate": "rankdistill.evaluation.evaluating:evaluate",
    "inherit": "rankdistill.students.inherit:inherit",
    "load_data": "rankdistill.data:load",
    "load_index": "rankdistill.indexing:load",
    "load_recipe": "rankdistill.recipe.loading:load",
    "load_teacher": "rankdistill.teachers:load",
    "mine": "rankdistill.mining.candidates:build",
    "open_document_encoder": "rankdistill.bundles.opening:open_document_encoder",
    "open_query_encoder": "rankdistill.bundles.opening:open_query_encoder",
    "rerank": "rankdistill.evaluation.rerank:rerank",
    "run_recipe": "rankdistill.recipe.run:run",
    "teach": "rankdistill.teachers.teach:teach",
    "train": "rankdistill.training.run:train",
}
"""Public name -> module and attribute that define it."""

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        module, _, attribute = _HOME_OF[name].partition(":")
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'rankdistill' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
