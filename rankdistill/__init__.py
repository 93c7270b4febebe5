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
    from rankdistill.verbs.bundle import bundle as bundle
    from rankdistill.verbs.evaluate import evaluate as evaluate
    from rankdistill.verbs.fuse import fuse as fuse
    from rankdistill.verbs.index import index as index
    from rankdistill.verbs.mine import mine as mine
    from rankdistill.verbs.rerank import rerank as rerank
    from rankdistill.verbs.search import search as search
    from rankdistill.verbs.train import train as train

_HOME_OF = {
    "Ensemble": "rankdistill.ensembles.source",
    "RankdistillError": "rankdistill.errors",
    "bundle": "rankdistill.verbs.bundle",
    "evaluate": "rankdistill.verbs.evaluate",
    "fuse": "rankdistill.verbs.fuse",
    "index": "rankdistill.verbs.index",
    "mine": "rankdistill.verbs.mine",
    "rerank": "rankdistill.verbs.rerank",
    "search": "rankdistill.verbs.search",
    "train": "rankdistill.verbs.train",
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
    "compare": "rankdistill.evaluation.comparing:compare",
    "embed": "rankdistill.stores.embeddings.embedding:embed",
    "inherit": "rankdistill.students.inherit:inherit",
    "load_data": "rankdistill.data:load",
    "load_recipe": "rankdistill.recipe.loading:load",
    "load_teacher": "rankdistill.teachers:load",
    "open_document_encoder": "rankdistill.bundles.opening:open_document_encoder",
    "open_query_encoder": "rankdistill.bundles.opening:open_query_encoder",
    "run_recipe": "rankdistill.recipe.run:run",
    "teach": "rankdistill.teachers.teach:teach",
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
