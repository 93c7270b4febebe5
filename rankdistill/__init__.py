"""rankdistill: distil expensive rankers and embedders into small, fast retrievers, and prove it.

    import rankdistill as rd

    candidates = rd.mine("DIR", "CANDIDATES", sources=["bm25"], depth=50)
    store = rd.score("DIR", "MODEL", candidates, "STORE")
    student = rd.train("DIR", store, "MODEL", "STUDENT", keep_layers=[0, 5])
    print(rd.evaluate("DIR", student, "OUT"))

The names below are imported on first use, so `import rankdistill` loads no torch, faiss or transformers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankdistill.ensembles.source import Ensemble as Ensemble
    from rankdistill.errors import RankdistillError as RankdistillError
    from rankdistill.verbs.embed import embed as embed
    from rankdistill.verbs.mine import mine as mine
    from rankdistill.verbs.plan import plan as plan
    from rankdistill.verbs.score import score as score
    from rankdistill.verbs.teach import teach as teach

_HOME_OF = {
    "Ensemble": "rankdistill.ensembles.source",
    "RankdistillError": "rankdistill.errors",
    "embed": "rankdistill.verbs.embed",
    "mine": "rankdistill.verbs.mine",
    "plan": "rankdistill.verbs.plan",
    "score": "rankdistill.verbs.score",
    "teach": "rankdistill.verbs.teach",
}
"""Public name -> the module that defines it."""

_OLD = {
    "AlignConfig": "rankdistill.training.alignment.config:AlignConfig",
    "EmbeddingStore": "rankdistill.stores.embeddings.reader:EmbeddingStore",
    "LeafRecipe": "rankdistill.recipe.leaf.schema:LeafRecipe",
    "PairScorer": "rankdistill.inference:PairScorer",
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
    "evaluate": "rankdistill.evaluation.evaluating:evaluate",
    "inherit": "rankdistill.students.inherit:inherit",
    "load_data": "rankdistill.data:load",
    "load_index": "rankdistill.indexing:load",
    "load_recipe": "rankdistill.recipe.loading:load",
    "load_teacher": "rankdistill.teachers:load",
    "open_document_encoder": "rankdistill.bundles.opening:open_document_encoder",
    "open_query_encoder": "rankdistill.bundles.opening:open_query_encoder",
    "rerank": "rankdistill.evaluation.rerank:rerank",
    "run_recipe": "rankdistill.recipe.run:run",
    "train": "rankdistill.training.run:train",
}

__all__ = sorted({*_HOME_OF, *_OLD})


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        found = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = found
        return found
    if name in _OLD:
        module, _, attribute = _OLD[name].partition(":")
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'rankdistill' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
