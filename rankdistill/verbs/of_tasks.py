"""`evaluate` on tasks of mteb: what was asked, and how the system is opened for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rankdistill.bundles import is_bundle
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.costs import costs_of
from rankdistill.evaluation.endpoint import Settings as Endpoint
from rankdistill.evaluation.endpoint import connected, open_endpoint
from rankdistill.evaluation.indexed import IndexedRetriever
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.evaluation.tasks import model_meta
from rankdistill.evaluation.tasks.evaluating import Opened, evaluate_tasks
from rankdistill.evaluation.tasks.results import TaskEvaluations
from rankdistill.manifest import digest
from rankdistill.models import name_of
from rankdistill.progress import ProgressLike, Stage, reporter_of
from rankdistill.verbs.arguments import Place, listed, place_of, require_length, require_range
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.systems import Parts, bm25_of


@dataclass(frozen=True)
class Asked:
    """Which tasks, and where their data lies."""

    tasks: Sequence[str]
    data_root: Path


def asked(tasks: str | Sequence[str] | None, data_root: Place | None, besides: Mapping[str, object]) -> Asked:
    """What `tasks` and `data_root` mean together.

    Raises:
        ConfigError: one of the two alone, no task, or settings that tasks do not take (those of `besides` that are
            something).
    """
    names = listed(tasks)
    given = [name for name, value in besides.items() if value not in (None, False, (), [])]
    if not names or data_root is None or given:
        got = f"{', '.join(given)} besides" if given else "tasks without data_root" if names else "no tasks"
        raise ConfigError(
            expected="tasks of mteb (--tasks NAME,NAME) with the folder of their data (--data-root DIR), and a model",
            got=got,
            consequence="nothing was evaluated",
            remedy="leave out what tasks do not take: a model, a bundle, two models, a service or BM25 answers them"
            if given
            else "give both",
        )
    return Asked(names, place_of(data_root))


def evaluate(
    wanted: Asked,
    system: Parts | Endpoint,
    out: Path,
    *,
    splits: Sequence[str],
    embeddings: str | None,
    unaligned: bool,
    max_length: int | None,
    latency: int,
    name: str | None,
    backend: str,
    progress: ProgressLike,
    command: str,
) -> TaskEvaluations:
    """See `rankdistill.evaluate`."""
    require_range(0, latency=latency)
    require_length(max_length=max_length)
    parts = Parts() if isinstance(system, Endpoint) else system
    if parts.indexes or parts.run is not None:
        raise ConfigError(
            expected="a model, a bundle, a query model with a document model, or bm25",
            got=str(parts.run) if parts.run is not None else "an index, which holds one collection",
            consequence="nothing was evaluated",
            remedy="give the model: --model MODEL",
        )
    for one in dict.fromkeys((parts.query_model, parts.document_model)):
        note_longer(None if parts.words else one, max_length)
    if isinstance(system, Endpoint):
        revision, called = digest(system.identity)[:40], system.model or system.title
    else:
        revision = _revision(parts, max_length, backend)
        called = " on ".join(name_of(one) for one in (parts.query_model, parts.document_model) if one is not None)
    title = model_meta.default_name(called, revision) if name is None else model_meta.require_name(name)
    settings: dict[str, Any] = {"unaligned": unaligned, "max_length": max_length, "backend": backend}
    with reporter_of(progress).stage("evaluate", "texts") as stage, ExitStack() as held:
        service = held.enter_context(connected(system)) if isinstance(system, Endpoint) else None

        def opened(dataset: Dataset) -> Opened:
            if service is not None:
                found = open_endpoint(dataset, service, name=title, progress=stage)
                return Opened(found, costs_of(found), lambda name, revision: _meta(found, name, revision, None))
            return _opened(parts, dataset, title, stage, settings | {"embeddings": embeddings})

        return evaluate_tasks(
            opened,
            title,
            revision,
            wanted.tasks,
            wanted.data_root,
            out,
            splits=splits,
            latency_queries=latency,
            command=command,
        )


def _opened(parts: Parts, dataset: Dataset, title: str, stage: Stage, settings: dict[str, Any]) -> Opened:
    retriever: Retriever
    if parts.words:
        retriever = bm25_of(parts.query_model or "", dataset, title)
        return Opened(retriever, costs_of(retriever), lambda name, revision: _meta(retriever, name, revision, None))
    retriever = open_retriever(
        dataset,
        parts.query_model,
        document_model=parts.document_model,
        name=title,
        progress=stage,
        **settings,
    )
    costs = costs_of(retriever, parts.query_model)
    return Opened(retriever, costs, lambda name, revision: _meta(retriever, name, revision, parts.query_model))


def _meta(retriever: Retriever, name: str, revision: str, model: str | None) -> Any:
    if not isinstance(retriever, IndexedRetriever):
        return model_meta.meta_of(name, revision, {}, None, "text", None)
    kind = retriever.index.kind.name
    return model_meta.meta_of(name, revision, retriever.fingerprint, retriever.space, kind, model)


def _revision(parts: Parts, max_length: int | None, backend: str) -> str:
    """The content's of a model as it is; of one that is run otherwise, or of two, a hash of all that decides it."""
    from rankdistill.inference.backends import is_exact

    if parts.words:
        return digest({"bm25": parts.query_model})[:40]
    models = [one for one in (parts.query_model, parts.document_model) if one is not None]
    found = [model_meta.content_revision(one) for one in models]
    exact = backend in ("auto", "fast") or is_exact(backend)
    if len(found) == 1 and max_length is None and exact:
        return found[0]
    other = {} if exact else {"backend": backend}
    towers = {"towers": [one if not is_bundle(one) else "bundle" for one in models]} if len(found) > 1 else {}
    return digest({"models": found, "max_length": max_length} | other | ({"pair": True} if towers else {}))[:40]
