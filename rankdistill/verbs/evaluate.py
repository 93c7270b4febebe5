"""`evaluate`: one system on one split, or on tasks of mteb."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import fspath
from typing import Any, Literal, overload

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.evaluation import evaluating
from rankdistill.evaluation.costs import costs_of, model_of, of_run, with_teachers
from rankdistill.evaluation.endpoint import connected, open_endpoint
from rankdistill.evaluation.evaluating import Costs
from rankdistill.evaluation.fused import FusedRetriever
from rankdistill.evaluation.indexed import IndexedRetriever
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.rerank import PairScorer, Reranker
from rankdistill.evaluation.results import Evaluation
from rankdistill.evaluation.retrieve import Bm25Retriever, Retriever
from rankdistill.evaluation.tasks.results import TaskEvaluations
from rankdistill.fusion import Fusion
from rankdistill.indexing.kinds import TEXT
from rankdistill.mining.tokenisers import script_note
from rankdistill.notes import note
from rankdistill.progress import Progress, ProgressLike, reporter_of
from rankdistill.sessions import Sessions
from rankdistill.verbs import of_tasks
from rankdistill.verbs.arguments import (
    Data,
    Model,
    Place,
    Teacher,
    collection_of,
    fusion_of,
    place_of,
    reference_of,
    require_length,
    require_range,
    require_title,
    reranking_model,
    scorer_of,
    sessions_of,
)
from rankdistill.verbs.contract import verb_with_stores
from rankdistill.verbs.endpoint_systems import endpoint_of, require_effect_on_endpoint
from rankdistill.verbs.engine_systems import engine_of, opened_engine, parts_of_engine, require_effect_on_engine
from rankdistill.verbs.lengths import note_longer
from rankdistill.verbs.parameters import SearchParameters, parameters_of, search_parameters_of
from rankdistill.verbs.reading_turns import questions_for
from rankdistill.verbs.runs import open_run
from rankdistill.verbs.server_systems import opened_server, require_effect_on_server, server_of
from rankdistill.verbs.systems import Parts, System, bm25_of, parts_of, require_effect, without_effect
from rankdistill.verbs.turns import documents_of
from rankdistill.verbs.weighing import fit, require_fusable

TEST = "test"
"""The split of a collection that is evaluated on where none is named."""


@overload
def evaluate(
    data: Data | None,
    system: System | None,
    out: Place,
    *,
    query_model: Model | None = None,
    document_model: Model | None = None,
    split: str | None = None,
    index: Place | Sequence[Place] | None = None,
    fusion: str | Fusion | None = None,
    weights: Sequence[float] | None = None,
    fit_on: str | None = None,
    embeddings: Place | None = None,
    unaligned: bool = False,
    factory: str = "exact",
    search_parameters: SearchParameters | None = None,
    rerank: Teacher | PairScorer | None = None,
    rerank_depth: int = 100,
    rerank_kind: str = "auto",
    rerank_backend: str = "auto",
    rerank_max_length: int | None = None,
    max_length: int | None = None,
    through: Literal["ir-measures", "mteb", "beir", "all"] = "ir-measures",
    latency: int = 0,
    name: str | None = None,
    size_of: Model | None = None,
    engine: str | None = None,
    url: str | None = None,
    collection: str | None = None,
    exact: bool = False,
    server: str | None = None,
    mode: str | None = None,
    query_prefix: str | None = None,
    document_prefix: str | None = None,
    served_model: str | None = None,
    api_key_env: str | None = None,
    backend: str = "auto",
    sessions: Sessions | Place | None = None,
    reads: str | None = None,
    missing_rewrites: Literal["error", "question", "drop"] = "error",
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Evaluation: ...
@overload
def evaluate(
    data: None,
    system: System | None,
    out: Place,
    *,
    tasks: str | Sequence[str],
    data_root: Place | None = None,
    **settings: Any,
) -> TaskEvaluations: ...
@overload
def evaluate(
    data: Data | None,
    system: System | None,
    out: Place,
    *,
    tasks: str | Sequence[str] | None,
    **settings: Any,
) -> Evaluation | TaskEvaluations: ...
@verb_with_stores(services=("system",))  # type: ignore[misc]  # the overloads tell what comes back
def evaluate(
    data: Data | None,
    system: System | None,
    out: Place,
    *,
    query_model: Model | None = None,
    document_model: Model | None = None,
    split: str | None = None,
    index: Place | Sequence[Place] | None = None,
    fusion: str | Fusion | None = None,
    weights: Sequence[float] | None = None,
    fit_on: str | None = None,
    embeddings: Place | None = None,
    unaligned: bool = False,
    factory: str = "exact",
    search_parameters: SearchParameters | None = None,
    rerank: Teacher | PairScorer | None = None,
    rerank_depth: int = 100,
    rerank_kind: str = "auto",
    rerank_backend: str = "auto",
    rerank_max_length: int | None = None,
    max_length: int | None = None,
    through: Literal["ir-measures", "mteb", "beir", "all"] = "ir-measures",
    latency: int = 0,
    name: str | None = None,
    size_of: Model | None = None,
    engine: str | None = None,
    url: str | None = None,
    collection: str | None = None,
    exact: bool = False,
    server: str | None = None,
    mode: str | None = None,
    query_prefix: str | None = None,
    document_prefix: str | None = None,
    served_model: str | None = None,
    api_key_env: str | None = None,
    backend: str = "auto",
    sessions: Sessions | Place | None = None,
    reads: str | None = None,
    missing_rewrites: Literal["error", "question", "drop"] = "error",
    lenient: bool = False,
    ignore_identical_ids: bool | None = None,
    tasks: str | Sequence[str] | None = None,
    data_root: Place | None = None,
    progress: ProgressLike = False,
    command: str = "",
) -> Evaluation | TaskEvaluations:
    """Evaluate a model, an index, BM25, a run, an engine, a server, a service, or a teacher re-ranking one, on a split.

    Args:
        data: the collection. With sessions that of their documents, where their own folder has none; else None. With
            `tasks` None.
        system: `bm25[:TOKENIZER]`; a model, a student or a bundle; an index, or several that are fused; a query model
            with a document model or with an index; a run: an evaluation, a TREC or a Parquet file; the address of a
            service that speaks OpenAI's `/v1/embeddings`, or a YAML file with its settings. What lies there tells
            which. None: `query_model` and `index` say it.
        out: folder for results.json, per_query.parquet and the run.
        query_model: embeds the queries alone, in place of the index's own model.
        document_model: embeds the documents, beside a query model.
        split: which qrels; None: `test`, and of tasks of mteb the splits that mteb evaluates.
        index: a built index to search with `system` as the query model; several are fused. Beside `server` the name
            of an index that is served.
        fusion: how several indexes are fused: `rrf`, `min_max` or `z_score`.
        weights: of the fusion, one an index.
        fit_on: split that the fusion's weights are fitted on; no test split.
        embeddings: store of document vectors; what it holds is not encoded again.
        unaligned: trust that the two models share a space, which nothing says.
        factory: of an index made in memory: `exact`, `seismic`, `lucene`, or a FAISS factory string.
        search_parameters: of the index; `INDEX:NAME` of one of several.
        rerank: teacher that re-ranks what is found: a model; or settings with their `kind`, or an object that scores
            pairs (`score` and `fingerprint`), of which the three settings below say nothing.
        rerank_depth: documents a query that the teacher scores.
        rerank_kind: of the teacher; found from its configuration.
        rerank_backend: what runs the teacher.
        rerank_max_length: tokens of a pair; the teacher's own unless given.
        max_length: tokens a text; the model's own unless given.
        through: check the means with other tools too; `Evaluation.require_agreement` refuses other means.
        latency: time so many queries one by one; 0 times none.
        name: what tables call the system.
        size_of: the model whose size the tables tell; the query model unless given.
        backend: what runs the model; `auto` takes a fast exact one, `fast` the fastest measured here of those that
            rank as float32 does.
        engine: what answers is a collection of this search engine, made by `rankdistill.push`; `system` is the query
            model, the collection's own unless given.
        url: of the engine.
        collection: its name there.
        exact: the engine computes every score, whatever graph it has.
        server: what answers is the running server at this address (`rankdistill serve`): its searches, or its vectors
            in an exact index made here where it has no index.
        mode: of the server's search: `dense`, `sparse`, `multi_vector`, `bm25` or `fused`; the server's own unless
            given.
        query_prefix: where `system` is the address of an embedding service: what is put before each query.
        document_prefix: likewise before each document.
        served_model: the service's name of the model; none is sent unless given.
        api_key_env: of the engine, the server or the service: environment variable with the key, password or token.
        sessions: conversations, whose questions are the queries: then nDCG@3, nDCG@5, MRR and recall at 10 are
            measured too, and means by depth and by topic; of a sparse system also terms a query and FLOPS.
        reads: with sessions: what the system reads of a question: a format of conversations
            (`rankdistill.inference.conversation.FORMATS`, as `last_turn` or `newest_first`), or `rewrite:NAME`. Unless
            given what the query model was trained to read, or else the last turn; a server is sent the turns, which
            its own model joins; a service does not say what its model reads, so it must be given.
        missing_rewrites: with `reads` of a rewrite: a question without one is an `error`, read as the `question`
            itself, or `drop`ped.
        lenient: leave bad rows out instead of stopping.
        ignore_identical_ids: see `rankdistill.mine`.
        tasks: names of mteb's retrieval tasks or of its benchmarks, as `MTEB(eng, v2)`, in place of a collection: each
            task is evaluated on the splits that mteb evaluates, or on `split` alone, and on each subset that it has, or
            on those named as `TASK/SUBSET`; mteb's files are written as well. `name` is `ORGANISATION/MODEL` then. With
            a model or two, BM25, a service, or a server without an index, and with `rerank`; a task has its own rule on
            identical ids.
        data_root: folder with a collection of each task's name, of a task with subsets with a folder of its name that
            has one for each of them; they must be those of the task's revision. Unless given they are fetched from the
            hub into this user's cache.
        progress: True tells on standard error; or a function that takes the number of texts just done.
        command: the command line, for the manifest.

    Returns:
        The evaluation, which prints as a table of its means; with `tasks` a table of all of them.

    Raises:
        ConfigError: it is not clear what the system is, or settings that do not fit it; no such task.
        DataError: the collection, the index or the run cannot be used.
        ModelReferenceError: there is no such model.
        SpaceMismatchError: the models and the index are not of one space.
        StaleOutputError: `out` holds another evaluation.
    """
    require_title(name)
    endpoint = endpoint_of(system, query_prefix, document_prefix, served_model, api_key_env)
    if rerank is None:
        _require_no_reranking(rerank_depth, rerank_kind, rerank_backend, rerank_max_length)
    if api_key_env is not None and endpoint is None and server is None and engine is None:
        raise without_effect("api_key_env", "a system that is no service, server or engine")
    if tasks is not None or data_root is not None:
        besides: dict[str, object] = {
            "data": data, "index": index, "fusion": fusion, "weights": weights, "fit_on": fit_on,
            "search_parameters": search_parameters,
            "through": through != "ir-measures", "size_of": size_of, "engine": engine, "url": url,
            "collection": collection, "exact": exact, "missing_rewrites": missing_rewrites != "error",
            "sessions": sessions, "reads": reads, "lenient": lenient, "ignore_identical_ids": ignore_identical_ids,
        }  # fmt: skip
        wanted = of_tasks.asked(tasks, data_root, besides)
        require_range(1, rerank_depth=rerank_depth)
        require_length(rerank_max_length=rerank_max_length)
        besides = {"query_model": query_model, "document_model": document_model, "embeddings": embeddings}
        besides |= {"unaligned": unaligned, "max_length": max_length, "backend": backend != "auto"}
        served = server_of(server, mode, None)
        if served is not None:
            require_effect_on_server(**besides, system=system)
        elif endpoint is not None:
            require_effect_on_endpoint(**besides)
        return of_tasks.evaluate(
            wanted,
            served or endpoint or parts_of(system, query_model, document_model),
            place_of(out),
            splits=[] if split is None else [split],
            reranking=None
            if rerank is None
            else of_tasks.Reranking(rerank, rerank_depth, rerank_kind, rerank_backend, rerank_max_length),
            factory=factory,
            embeddings=None if embeddings is None else fspath(embeddings),
            unaligned=unaligned,
            max_length=max_length,
            latency=latency,
            name=name,
            backend=backend,
            api_key_env=api_key_env,
            progress=progress,
            command=command,
        )
    split = TEST if split is None else split
    require_range(0, latency=latency)
    require_range(1, rerank_depth=rerank_depth)
    require_length(max_length=max_length, rerank_max_length=rerank_max_length)
    asked = engine_of(engine, url, collection, exact)
    served = server_of(server, mode, index)
    if served is not None:
        models = {"system": system, "query_model": query_model, "document_model": document_model, "engine": asked}
        extra = {"embeddings": embeddings, "unaligned": unaligned, "factory": factory != "exact", "fusion": fusion}
        tuned = {"search_parameters": search_parameters, "max_length": max_length, "backend": backend != "auto"}
        require_effect_on_server(**models, **extra, **tuned, weights=weights, fit_on=fit_on)
        parts = Parts()
    elif endpoint is not None:
        models = {"query_model": query_model, "document_model": document_model, "index": index, "engine": asked}
        extra = {"embeddings": embeddings, "unaligned": unaligned, "fusion": fusion, "mode": mode}
        tuned = {"search_parameters": search_parameters, "max_length": max_length, "backend": backend != "auto"}
        require_effect_on_endpoint(**models, **extra, **tuned, weights=weights, fit_on=fit_on)
        parts = Parts()
    elif asked is None:
        parts = parts_of(system, query_model, document_model, index)
    else:
        parts = parts_of_engine(asked, system, query_model, document_model, index)
    for one in dict.fromkeys((parts.query_model, parts.document_model)):
        note_longer(one, max_length)
    method = fusion_of(fusion, weights, fit_on)
    require_fusable(max(1, len(parts.indexes)), method, parts.query_model)
    settings: dict[str, Any] = {
        "document_model": parts.document_model,
        "embeddings": None if embeddings is None else fspath(embeddings),
        "unaligned": unaligned,
        "factory": factory,
        "max_length": max_length,
        "backend": backend,
    }
    searched = [] if asked or served or endpoint else parameters_of(search_parameters, parts.indexes)
    of_indexes = [
        settings | {"index": one, "search_parameters": found}
        for one, found in zip(parts.indexes, searched, strict=True)
    ]
    elsewhere = served or endpoint
    if asked is None and elsewhere is None:
        require_effect(
            parts,
            embeddings=embeddings,
            unaligned=unaligned,
            factory=factory != "exact",
            max_length=max_length,
            backend=backend != "auto",
        )
    elif asked is not None:
        require_effect_on_engine(embeddings=embeddings, factory=factory != "exact", fusion=method)
    if parts.run is not None and rerank is None and latency:
        raise without_effect("latency", "a run, which was answered before")
    turns, sent = None, None
    if sessions is None:
        _require_sessions(reads, missing_rewrites)
        dataset = collection_of(_given(data), [split], lenient, ignore_identical_ids)
    else:
        found = sessions_of(sessions, lenient)
        documents = documents_of(found, data, lenient, ignore_identical_ids)
        _require_plain(through, fit_on)
        dataset, turns, sent = questions_for(
            parts,
            found,
            documents,
            split,
            reads,
            engine=asked,
            server=served is not None,
            service=endpoint is not None,
            reranked=rerank is not None,
            api_key_env=api_key_env,
            limit=max_length,
            missing=missing_rewrites,
        )
    queries = dataset.queries(split)
    reporter = reporter_of(progress)
    fused, remarks = None, []
    if method is not None:
        retrievers = [open_retriever(dataset, **one) for one in of_indexes]
        if fit_on is not None:
            fitted = fit(retrievers, method, dataset, fit_on, split, reporter)
            method, remarks = fitted.fusion, [str(fitted)]
        fused = FusedRetriever(retrievers, method, name=name)
    with reporter.stage("evaluate", "texts") as stage, ExitStack() as held:
        first: Retriever
        if served is not None:
            first = held.enter_context(opened_server(served, dataset, api_key_env, name, stage, sent))
        elif endpoint is not None:
            service = held.enter_context(connected(endpoint))
            first = open_endpoint(dataset, service, factory=factory, name=name, progress=stage)
        elif asked is not None:
            first = held.enter_context(
                opened_engine(
                    asked,
                    dataset,
                    parts.query_model,
                    api_key_env,
                    search_parameters=search_parameters_of(search_parameters),
                    unaligned=unaligned,
                    max_length=max_length,
                    backend=backend,
                    name=name,
                )
            )
        else:
            first = fused or _opened(parts, dataset, split, name, stage, of_indexes[0] if of_indexes else settings)
        _require_a_model(first, max_length=max_length is not None, backend=backend != "auto")
        measured = parts.query_model if size_of is None else reference_of(size_of)
        ranker: Retriever = first
        if rerank is not None:
            called, scorer = scorer_of(rerank, rerank_kind, rerank_backend, rerank_max_length)
            ranker = Reranker(dataset, first, scorer, name or f"{called} on {first.name}", rerank_depth, stage)
        evaluation = evaluating.evaluate(
            ranker,
            dataset,
            split,
            place_of(out),
            through=[tool for tool in evaluating.TOOLS if through in (tool, "all")],
            latency_queries=min(latency, len(queries)),
            costs=_costs(
                first, parts, rerank, None if parts.words and size_of is None else measured, elsewhere is not None
            ),
            turns=turns,
            trained=_trained(first, parts, rerank),
            command=command,
        )
    _note_words(first, dataset, len(queries))
    return evaluation.remarked(*remarks)


def _given(data: Data | None) -> Data:
    if data is not None:
        return data
    raise ConfigError(
        expected="a collection (--data DIR), or sessions (--sessions SESSIONS)",
        got="neither",
        consequence="nothing was evaluated",
        remedy="give one of them",
    )


def _require_sessions(reads: str | None, missing_rewrites: str) -> None:
    """Raise ConfigError for settings that sessions alone give a meaning to."""
    if reads is not None or missing_rewrites != "error":
        raise ConfigError(
            expected="sessions (--sessions), beside reads and missing_rewrites",
            got="none",
            consequence="nothing was evaluated: they would have no effect",
            remedy="give the sessions, or leave these out",
        )


def _require_plain(through: str, fit_on: str | None) -> None:
    """Raise ConfigError for what reads the collection's own queries, which conversations are not."""
    given = [
        *(["through, as its tools read the folder's own queries"] if through != "ir-measures" else []),
        *(["fit_on"] if fit_on is not None else []),
    ]
    if given:
        raise ConfigError(
            expected="settings that conversations can be evaluated with",
            got=", ".join(given),
            consequence="nothing was evaluated",
            remedy="leave them out",
        )


def _require_no_reranking(depth: int, kind: str, backend: str, max_length: int | None) -> None:
    """Raise ConfigError for settings of a re-ranker where there is none."""
    said = {"depth": depth != 100, "kind": kind != "auto", "backend": backend != "auto", "max_length": max_length}
    if given := [f"rerank_{name}" for name, value in said.items() if value]:
        raise without_effect(", ".join(given), "a system that nothing re-ranks (rerank)")


def _require_a_model(first: Retriever, **given: bool) -> None:
    """Raise ConfigError for settings of a model where an index of texts, which has none, is searched."""
    if isinstance(first, IndexedRetriever) and first.index.kind is TEXT and any(given.values()):
        raise without_effect(", ".join(name for name, said in given.items() if said), "an index of texts")


def _trained(first: Retriever, parts: Parts, rerank: Teacher | PairScorer | None) -> str | None:
    """The model whose training a report shows: what re-ranks, or the query model, or that of an index or an engine."""
    if rerank is not None:
        return reranking_model(rerank)
    if parts.query_model is not None:
        return None if parts.words else parts.query_model
    return model_of(first)


def _costs(
    first: Retriever, parts: Parts, rerank: Teacher | PairScorer | None, measured: str | None, elsewhere: bool
) -> Costs:
    """Sizes of what finds documents, and what the teachers cost of all that is run; what runs elsewhere tells none."""
    sizes = costs_of(first, measured)
    if elsewhere:
        sizes = replace(sizes, teacher_unknown=True)
    elif parts.run is not None:
        sizes = of_run(sizes, parts.run)
    models = [] if parts.words else [parts.query_model, parts.document_model]
    return with_teachers(sizes, first, [*models, reranking_model(rerank)])


def _opened(
    parts: Parts, dataset: Dataset, split: str, name: str | None, progress: Progress, settings: dict[str, Any]
) -> Retriever:
    if parts.run is not None:
        return open_run(parts.run, dataset, split, name)
    if parts.words:
        return bm25_of(parts.query_model or "", dataset, name)
    return open_retriever(dataset, parts.query_model, name=name, progress=progress, **settings)


def _note_words(system: Retriever, dataset: Dataset, queries: int) -> None:
    """Notes where BM25's tokeniser does not suit the collection, or queries have no word that it knows."""
    if isinstance(system, Bm25Retriever):
        note(script_note(system.tokenizer, (document.contents for document in dataset.documents())))
        if unanswered := len(system.unanswered):
            note(
                f"no document has a word of {unanswered:,} of {queries:,} queries, as {system.tokenizer!r} takes words"
            )
