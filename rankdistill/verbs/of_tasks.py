"""`evaluate` on tasks of mteb: what was asked, and how the system is opened for each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rankdistill import manifest, models
from rankdistill.bundles import is_bundle
from rankdistill.client.client import Client
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation.costs import costs_of, with_teachers
from rankdistill.evaluation.endpoint import EndpointEncoder, connected, open_endpoint
from rankdistill.evaluation.endpoint import Settings as Endpoint
from rankdistill.evaluation.indexed import IndexedRetriever
from rankdistill.evaluation.opening import open_retriever, other_vectors
from rankdistill.evaluation.rerank import PairScorer, Reranker
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.evaluation.served import ServedEncoder, open_served
from rankdistill.evaluation.tasks import model_meta
from rankdistill.evaluation.tasks.evaluating import Opened, evaluate_tasks
from rankdistill.evaluation.tasks.results import TaskEvaluations
from rankdistill.manifest import digest
from rankdistill.mining import tokenisers
from rankdistill.models import name_of
from rankdistill.progress import ProgressLike, Stage, reporter_of
from rankdistill.verbs.arguments import (
    Place,
    Teacher,
    listed,
    place_of,
    require_length,
    require_range,
    reranking_model,
    scorer_of,
)
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.server_systems import Server
from rankdistill.verbs.systems import Parts, bm25_of, require_effect

EXACT = "exact"
"""The index in memory that compares every vector."""


@dataclass(frozen=True)
class Asked:
    """Which tasks, and where their data lies; None: they are fetched from the hub."""

    tasks: Sequence[str]
    data_root: Path | None


@dataclass(frozen=True)
class Reranking:
    """What re-ranks: the teacher as it was named, its settings, and how many documents a query it scores."""

    teacher: Teacher | PairScorer
    depth: int
    kind: str
    backend: str
    max_length: int | None


@dataclass(frozen=True)
class _System:
    """What is evaluated on every task.

    Args:
        called: what names it where nobody gave a name.
        revision: 40 hex digits of all that decides what it answers.
        open: `(collection, name)` -> it, under the name that all its results have.
        models: what a model is to it -> hash of its weights.
    """

    called: str
    revision: str
    open: Callable[[Dataset, str], Opened]
    models: Mapping[str, str] = field(default_factory=dict)


def asked(tasks: str | Sequence[str] | None, data_root: Place | None, besides: Mapping[str, object]) -> Asked:
    """What `tasks` and `data_root` mean together.

    Raises:
        ConfigError: no task, or settings that tasks do not take (those of `besides` that are something).
    """
    names = listed(tasks)
    given = [name for name, value in besides.items() if value not in (None, False, (), [])]
    if not names or given:
        raise ConfigError(
            expected="tasks of mteb (--tasks NAME,NAME), perhaps with the folder of their data (--data-root DIR), and "
            "a system that takes any collection",
            got=f"{', '.join(given)} besides" if given else "no tasks",
            consequence="nothing was evaluated",
            remedy="leave out what tasks do not take; an index or an engine holds one collection and is evaluated on "
            "the folder of its task by --data"
            if given
            else "name some: --tasks SciFact,NFCorpus",
        )
    return Asked(names, None if data_root is None else place_of(data_root))


def evaluate(
    wanted: Asked,
    system: Parts | Endpoint | Server,
    out: Path,
    *,
    splits: Sequence[str],
    reranking: Reranking | None,
    factory: str,
    embeddings: str | None,
    unaligned: bool,
    max_length: int | None,
    latency: int,
    name: str | None,
    backend: str,
    api_key_env: str | None,
    progress: ProgressLike,
    command: str,
) -> TaskEvaluations:
    """See `rankdistill.evaluate`."""
    require_range(0, latency=latency)
    require_length(max_length=max_length)
    given = None if name is None else model_meta.require_name(name)
    with reporter_of(progress).stage("evaluate", "texts") as stage, ExitStack() as held:
        if isinstance(system, Server):
            found = _of_server(system, held.enter_context(Client(system.url, api_key_env=api_key_env)), factory, stage)
        elif isinstance(system, Endpoint):
            found = _of_endpoint(system, held.enter_context(connected(system)), factory, stage)
        else:
            settings: dict[str, Any] = {"unaligned": unaligned, "max_length": max_length, "backend": backend}
            found = _of_parts(system, settings | {"factory": factory}, embeddings, stage)
        if reranking is not None:
            found = _reranked(found, reranking, stage)
        title = model_meta.default_name(found.called, found.revision) if given is None else given
        return evaluate_tasks(
            lambda dataset: found.open(dataset, title),
            title,
            found.revision,
            wanted.tasks,
            wanted.data_root,
            out,
            models=found.models,
            splits=splits,
            latency_queries=latency,
            command=command,
        )


def _of_parts(parts: Parts, settings: dict[str, Any], embeddings: str | None, stage: Stage) -> _System:
    """A model, two, a bundle, or BM25."""
    if parts.indexes or parts.run is not None:
        raise ConfigError(
            expected="a model, a bundle, a query model with a document model, or bm25",
            got=str(parts.run) if parts.run is not None else "an index, which holds one collection",
            consequence="nothing was evaluated",
            remedy="give the model: --model MODEL",
        )
    for one in dict.fromkeys((parts.query_model, parts.document_model)):
        note_longer(None if parts.words else one, settings["max_length"])
    if parts.words:
        tokenisers.named((parts.query_model or "").partition(":")[2] or tokenisers.DEFAULT)
    length, backend = settings["max_length"], settings["backend"]
    require_effect(
        parts,
        embeddings=embeddings,
        unaligned=settings["unaligned"],
        factory=settings["factory"] != EXACT,
        max_length=length,
        backend=backend != "auto",
    )
    vectors = None
    if embeddings is not None:
        vectors = other_vectors(parts.query_model, parts.document_model, embeddings, length, backend)
    revision = _revision(parts, length, backend, settings["factory"], vectors)
    called = " on ".join(name_of(one) for one in (parts.query_model, parts.document_model) if one is not None)
    return _System(
        called,
        revision,
        lambda dataset, title: _opened(parts, dataset, title, stage, settings | {"embeddings": embeddings}),
        {} if parts.words else _weights(parts),
    )


def _of_endpoint(system: Endpoint, service: EndpointEncoder, factory: str, stage: Stage) -> _System:
    """A live embedding service."""

    def opened(dataset: Dataset, title: str) -> Opened:
        found = open_endpoint(dataset, service, factory=factory, name=title, progress=stage)
        return Opened(found, replace(costs_of(found), teacher_unknown=True), _meta_of(found, None))

    identity = system.identity if factory == EXACT else {"service": system.identity, "factory": factory}
    return _System(system.model or system.title, digest(identity)[:40], opened)


def _of_server(asked: Server, client: Client, factory: str, stage: Stage) -> _System:
    """A running server by its vectors: an index that it serves holds one collection.

    Raises:
        ConfigError: it serves an index, or no model that encodes documents.
        ServerError: it does not answer.
    """
    told = client.info()
    if told.get("indexes") or factory != EXACT:
        raise ConfigError(
            expected="a server without an index, whose vectors of each task's documents an exact index here compares",
            got="a factory"
            if factory != EXACT
            else f"one with {', '.join(told['indexes'])}, which hold one collection",
            consequence="nothing was evaluated",
            remedy="evaluate it on the folder of its collection by --data, or start one with the model alone",
        )
    encoder = ServedEncoder(client, told, asked.mode)

    def opened(dataset: Dataset, title: str) -> Opened:
        found = open_served(dataset, client, mode=asked.mode, name=title, progress=stage)
        costs = replace(costs_of(found), teacher_unknown=True)
        return Opened(found, costs, _meta_of(found, None))

    return _System(str(encoder.model["name"]), digest(dict(encoder.fingerprint))[:40], opened)


def _reranked(first: _System, asked: Reranking, stage: Stage) -> _System:
    """A system whose best documents a teacher orders anew."""
    called, scorer = scorer_of(asked.teacher, asked.kind, asked.backend, asked.max_length)
    reference = reranking_model(asked.teacher)
    identity = {"first": first.revision, "teacher": dict(scorer.fingerprint), "depth": asked.depth}

    def opened(dataset: Dataset, title: str) -> Opened:
        found = first.open(dataset, title)
        ranker = Reranker(dataset, found.retriever, scorer, title, asked.depth, stage)
        given = (*found.models, *([] if reference is None else [reference]))
        alone = replace(found.costs, teacher_seconds=None, teacher_pairs=None, teacher_texts=None)
        costs = with_teachers(alone, found.retriever, given)
        return Opened(ranker, costs, _meta_of(ranker, None), reference, given)

    weights = scorer.fingerprint.get("weights")
    models = {**first.models, **({"reranker": weights} if isinstance(weights, str) else {})}
    return _System(f"{name_of(called)} on {first.called}", digest(identity)[:40], opened, models)


def _opened(parts: Parts, dataset: Dataset, title: str, stage: Stage, settings: dict[str, Any]) -> Opened:
    retriever: Retriever
    if parts.words:
        retriever = bm25_of(parts.query_model or "", dataset, title)
        return Opened(retriever, costs_of(retriever), _meta_of(retriever, None))
    retriever = open_retriever(
        dataset,
        parts.query_model,
        document_model=parts.document_model,
        name=title,
        progress=stage,
        **settings,
    )
    given = tuple(one for one in (parts.query_model, parts.document_model) if one is not None)
    costs = with_teachers(costs_of(retriever, parts.query_model), retriever, given)
    return Opened(retriever, costs, _meta_of(retriever, parts.query_model), parts.query_model, given)


def _meta_of(retriever: Retriever, model: str | None) -> Callable[[str, str], Any]:
    """`(name, revision)` -> mteb's `ModelMeta` of a system."""

    def meta(name: str, revision: str) -> Any:
        if not isinstance(retriever, IndexedRetriever):
            return model_meta.meta_of(name, revision, {}, None, "text", None)
        kind = retriever.index.kind.name
        return model_meta.meta_of(name, revision, retriever.fingerprint, retriever.space, kind, model)

    return meta


def _weights(parts: Parts) -> dict[str, str]:
    """What a model is to the system -> hash that stands for it: of its weights, or of all of a bundle."""
    towers = {"query_model": parts.query_model, "document_model": parts.document_model}
    given = {role: one for role, one in towers.items() if one is not None}
    found = {}
    for role, one in given.items():
        made = manifest.read(Path(one).expanduser()) if is_bundle(one) else None
        known = made.identity if made is not None else models.resolve(one).weights_hash
        found[role if len(given) > 1 else "model" if made is None else "bundle"] = known
    return found


def _revision(
    parts: Parts, max_length: int | None, backend: str, factory: str, vectors: Mapping[str, Any] | None
) -> str:
    """The content's of a model as it is; of one that is run otherwise, or of two, a hash of all that decides it.

    `vectors` are of documents, where those that are stored are not what the model gives.
    """
    from rankdistill.inference.backends import is_exact

    if parts.words:
        return digest({"bm25": parts.query_model})[:40]
    given = [one for one in (parts.query_model, parts.document_model) if one is not None]
    found = [model_meta.content_revision(one) for one in given]
    exact = backend == "auto" or (backend != "fast" and is_exact(backend))  # the fastest may be of less precision
    if len(found) == 1 and max_length is None and exact and factory == EXACT and vectors is None:
        return found[0]
    other: dict[str, Any] = ({} if exact else {"backend": backend}) | ({} if factory == EXACT else {"factory": factory})
    other |= {} if vectors is None else {"vectors": dict(vectors)}
    towers = {"towers": [one if not is_bundle(one) else "bundle" for one in given]} if len(found) > 1 else {}
    return digest({"models": found, "max_length": max_length} | other | ({"pair": True} if towers else {}))[:40]
