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
    from rankdistill.client.async_client import AsyncClient as AsyncClient
    from rankdistill.client.client import Client as Client
    from rankdistill.ensembles.source import Ensemble as Ensemble
    from rankdistill.errors import RankdistillError as RankdistillError
    from rankdistill.recipe.distill import distill as distill
    from rankdistill.recipe.init import init as init
    from rankdistill.recipe.reproduce import reproduce as reproduce
    from rankdistill.recipe.run import run as run
    from rankdistill.recipe.tune import tune as tune
    from rankdistill.verbs.artefacts import artefacts as artefacts
    from rankdistill.verbs.bundle import bundle as bundle
    from rankdistill.verbs.check import check as check
    from rankdistill.verbs.compare import compare as compare
    from rankdistill.verbs.data import convert as convert
    from rankdistill.verbs.embed import embed as embed
    from rankdistill.verbs.evaluate import evaluate as evaluate
    from rankdistill.verbs.export import export as export
    from rankdistill.verbs.fidelity import fidelity as fidelity
    from rankdistill.verbs.fuse import fuse as fuse
    from rankdistill.verbs.import_scores import import_scores as import_scores
    from rankdistill.verbs.index import index as index
    from rankdistill.verbs.lineage import lineage as lineage
    from rankdistill.verbs.mine import mine as mine
    from rankdistill.verbs.open import open as open
    from rankdistill.verbs.plan import plan as plan
    from rankdistill.verbs.publish import publish as publish
    from rankdistill.verbs.push import push as push
    from rankdistill.verbs.queries import queries as queries
    from rankdistill.verbs.rerank import rerank as rerank
    from rankdistill.verbs.rewrite import rewrite as rewrite
    from rankdistill.verbs.score import score as score
    from rankdistill.verbs.search import search as search
    from rankdistill.verbs.serve import serve as serve
    from rankdistill.verbs.status import status as status
    from rankdistill.verbs.teach import teach as teach
    from rankdistill.verbs.train import train as train
    from rankdistill.verbs.verdict import verdict as verdict
    from rankdistill.verbs.verify import verify as verify

_HOME_OF = {
    "AsyncClient": "rankdistill.client.async_client",
    "Client": "rankdistill.client.client",
    "Ensemble": "rankdistill.ensembles.source",
    "RankdistillError": "rankdistill.errors",
    "artefacts": "rankdistill.verbs.artefacts",
    "bundle": "rankdistill.verbs.bundle",
    "check": "rankdistill.verbs.check",
    "compare": "rankdistill.verbs.compare",
    "convert": "rankdistill.verbs.data",
    "distill": "rankdistill.recipe.distill",
    "embed": "rankdistill.verbs.embed",
    "evaluate": "rankdistill.verbs.evaluate",
    "export": "rankdistill.verbs.export",
    "fidelity": "rankdistill.verbs.fidelity",
    "fuse": "rankdistill.verbs.fuse",
    "import_scores": "rankdistill.verbs.import_scores",
    "index": "rankdistill.verbs.index",
    "init": "rankdistill.recipe.init",
    "lineage": "rankdistill.verbs.lineage",
    "mine": "rankdistill.verbs.mine",
    "open": "rankdistill.verbs.open",
    "plan": "rankdistill.verbs.plan",
    "publish": "rankdistill.verbs.publish",
    "push": "rankdistill.verbs.push",
    "queries": "rankdistill.verbs.queries",
    "reproduce": "rankdistill.recipe.reproduce",
    "rerank": "rankdistill.verbs.rerank",
    "rewrite": "rankdistill.verbs.rewrite",
    "run": "rankdistill.recipe.run",
    "score": "rankdistill.verbs.score",
    "search": "rankdistill.verbs.search",
    "serve": "rankdistill.verbs.serve",
    "status": "rankdistill.verbs.status",
    "teach": "rankdistill.verbs.teach",
    "train": "rankdistill.verbs.train",
    "tune": "rankdistill.recipe.tune",
    "verdict": "rankdistill.verbs.verdict",
    "verify": "rankdistill.verbs.verify",
}
"""Public name -> the module that defines it."""

__all__ = [
    "AsyncClient",
    "Client",
    "Ensemble",
    "RankdistillError",
    "artefacts",
    "bundle",
    "check",
    "compare",
    "convert",
    "distill",
    "embed",
    "evaluate",
    "export",
    "fidelity",
    "fuse",
    "import_scores",
    "index",
    "init",
    "lineage",
    "mine",
    "open",
    "plan",
    "publish",
    "push",
    "queries",
    "reproduce",
    "rerank",
    "rewrite",
    "run",
    "score",
    "search",
    "serve",
    "status",
    "teach",
    "train",
    "tune",
    "verdict",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        found = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'rankdistill' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
