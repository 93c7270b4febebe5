"""`rankdistill serve`: a model's towers and indexes behind HTTP."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rankdistill.cli import console, parsing
from rankdistill.cli.help import MORE
from rankdistill.cli.options import Fusion, Json, Weights

if TYPE_CHECKING:
    from rankdistill.display import Shown


def serve(
    bundle: Annotated[str, typer.Argument(help="Bundle, or dense, static, sparse or multi-vector student.")],
    index: Annotated[
        list[str], typer.Option(help="Folder of `rankdistill index`, or NAME=FOLDER; may be repeated.")
    ] = [],  # noqa: B006
    model: Annotated[
        list[str], typer.Option(help="Further model that requests may name, or NAME=MODEL; may be repeated.")
    ] = [],  # noqa: B006
    reranker: Annotated[
        str | None, typer.Option(help="Cross-encoder or multi-vector model, for /rerank and searches.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; this machine alone unless given.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="To listen on; 0 takes a free one.")] = 8080,
    api_key_file: Annotated[
        Path | None, typer.Option(help="API keys, one a line; else the variable RANKDISTILL_API_KEYS, if set.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes; indexes are shared.")] = 1,
    threads: Annotated[
        int | None, typer.Option(help="Of computing, a worker; all cores are shared out unless given.")
    ] = None,
    backend: Annotated[
        str, typer.Option(help="What runs the models; fast measures which is the fastest that keeps the ranking.")
    ] = "fast",
    default_input_type: Annotated[
        Literal["query", "document"] | None,
        typer.Option(help="What a text is where a request does not say it and the model's towers differ."),
    ] = None,
    cors: Annotated[
        list[str], typer.Option(help="Origin whose pages may ask, as https://example.org; may be repeated.")
    ] = [],  # noqa: B006
    rerank_depth: Annotated[
        int, typer.Option(help="Documents a query that are re-ranked.", rich_help_panel=MORE)
    ] = 100,
    parameter: Annotated[
        list[str],
        typer.Option(
            help="Search parameter, NAME=VALUE, as efSearch=256; INDEX:NAME=VALUE for one of several.",
            rich_help_panel=MORE,
        ),
    ] = [],  # noqa: B006
    data: Annotated[
        Path | None,
        typer.Option(help="Collection whose whole texts are re-ranked and shown.", rich_help_panel=MORE),
    ] = None,
    fusion: Fusion = None,
    weights: Weights = None,
    wait: Annotated[
        float, typer.Option(help="Seconds that a request may be estimated to wait; beyond, it is refused (429).")
    ] = 2.0,
    drain: Annotated[float, typer.Option(help="Seconds that requests may take after SIGTERM.")] = 30.0,
    header_seconds: Annotated[
        float, typer.Option(help="Seconds for a request to arrive, head and body.", rich_help_panel=MORE)
    ] = 20.0,
    max_body: Annotated[int, typer.Option(help="Bytes of a request.", rich_help_panel=MORE)] = 2_000_000,
    max_inputs: Annotated[
        int, typer.Option(help="Texts of a request to /v1/embeddings and /v2/embed.", rich_help_panel=MORE)
    ] = 2048,
    max_client_batch: Annotated[
        int, typer.Option(help="Texts of a request to /embed, /embed_sparse and /rerank.", rich_help_panel=MORE)
    ] = 32,
    max_tokens: Annotated[int, typer.Option(help="Of all texts of a request.", rich_help_panel=MORE)] = 300_000,
    batch_tokens: Annotated[
        int | None, typer.Option(help="Tokens of a batch of inference.", rich_help_panel=MORE)
    ] = None,
    max_k: Annotated[int, typer.Option(help="Documents of a search.", rich_help_panel=MORE)] = 1000,
    max_searches: Annotated[int, typer.Option(help="Entries of /search/batch.", rich_help_panel=MORE)] = 256,
    max_connections: Annotated[int, typer.Option(help="Open at once, a worker.", rich_help_panel=MORE)] = 2048,
    cache: Annotated[
        int, typer.Option(help="Vectors of repeated texts that are kept, a model.", rich_help_panel=MORE)
    ] = 4096,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="A line a request on standard error.", rich_help_panel=MORE)
    ] = False,
    json: Json = False,
) -> None:
    """Serve a model, and indexes of its space, over HTTP, until SIGTERM or Ctrl-C; SIGHUP reloads."""
    import rankdistill

    def told(serving: Shown) -> None:
        console.show(serving, json)
        sys.stdout.flush()  # whoever started the server through a pipe waits for this

    rankdistill.serve(
        bundle,
        index,
        models=model,
        reranker=reranker,
        host=host,
        port=port,
        api_key_file=api_key_file,
        workers=workers,
        threads=threads,
        backend=backend,
        default_input_type=default_input_type,
        cors=cors,
        rerank_depth=rerank_depth,
        search_parameters=parameter,
        data=data,
        fusion=fusion,
        weights=parsing.numbers(weights, "weight"),
        wait=wait,
        drain=drain,
        header_seconds=header_seconds,
        max_body=max_body,
        max_inputs=max_inputs,
        max_client_batch=max_client_batch,
        max_tokens=max_tokens,
        batch_tokens=batch_tokens,
        max_k=max_k,
        max_searches=max_searches,
        max_connections=max_connections,
        cache=cache,
        access_log=access_log,
        started=told,
    )
    console.leave_at_once("loading")
