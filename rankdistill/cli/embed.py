"""`rankdistill embed`: a teacher's vectors of query-like and document-like texts, into a store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console, options
from rankdistill.cli.help import MORE


def embed(
    data: Annotated[list[Path], typer.Option(help="Folder in BEIR layout; may be repeated.")] = [],  # noqa: B006
    *,
    teacher: Annotated[
        str, typer.Option(help="Dense model: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with its settings.")
    ],
    out_: Annotated[
        str,
        typer.Option("--out", help="Store to add to, also s3://...; created if absent.", metavar="EMBEDDINGS"),
    ],
    name: options.TeacherName = None,
    texts: Annotated[
        list[str],
        typer.Option(
            help="More texts: query=FILE or document=FILE with one a line; .jsonl and .parquet files with `text` may "
            "have a column `kind` instead; may be repeated."
        ),
    ] = [],  # noqa: B006
    query_split: Annotated[
        str | None, typer.Option(help="Split whose queries are embedded (default train, where there is one).")
    ] = None,
    titles: Annotated[bool, typer.Option(help="Titles, as query-like texts.", rich_help_panel=MORE)] = True,
    sentences: Annotated[
        bool, typer.Option(help="Sentences of documents, as query-like texts.", rich_help_panel=MORE)
    ] = True,
    limit: Annotated[
        int | None,
        typer.Option(help="At most so many queries, titles, sentences and documents of each source.", min=1),
    ] = None,
    document_limit: Annotated[
        int | None,
        typer.Option(
            help="Instead of --limit, of the documents of each collection; 0: none.", min=0, rich_help_panel=MORE
        ),
    ] = None,
    judged: Annotated[
        list[Path],
        typer.Option(
            help="Collection to be evaluated on: nothing is taken from it, and no text that says the same as one of "
            "its queries is embedded; may be repeated.",
            rich_help_panel=MORE,
        ),
    ] = [],  # noqa: B006
    query_prompt: Annotated[
        str | None, typer.Option(help='Instead of the teacher\'s own; "" for none.', rich_help_panel=MORE)
    ] = None,
    document_prompt: Annotated[str | None, typer.Option(help="Likewise for documents.", rich_help_panel=MORE)] = None,
    dtype: Annotated[str, typer.Option(help="Number format of the vectors: float32 or float16.")] = "float32",
    backend: options.TeacherBackend = "auto",
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a text; the teacher's own by default.", min=8, rich_help_panel=MORE)
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Count and measure only; writes nothing.")] = False,
    sample: Annotated[
        int, typer.Option(help="Texts that --plan embeds to measure the speed; 0: none.", min=0, rich_help_panel=MORE)
    ] = 256,
    executor: options.Executor = "local",
    workers: options.Workers = None,
    shard: options.Shard = "1/1",
    unit_size: Annotated[
        int | None,
        typer.Option(
            help="Texts a shard: what a kill can cost; by default as many as take about half a minute, at most 8,192.",
            min=1,
            rich_help_panel=MORE,
        ),
    ] = None,
    lenient: options.Lenient = False,
    lock_wait: options.LockWait = 600.0,
    min_fidelity: Annotated[
        float,
        typer.Option(
            help="Mean cosine with float32 that a back end in less precision must reach over sampled texts before the "
            "run; 0: no check.",
            min=0.0,
            max=1.0,
            rich_help_panel=MORE,
        ),
    ] = 0.99,
    json: options.Json = False,
) -> None:
    """Embed each distinct text once with a dense teacher. Interrupt it at will: the same command goes on from there.

    Test queries, those that another split than --query-split judges, never get in.
    """
    import rankdistill
    from rankdistill.verbs.plan import Plan

    made = rankdistill.embed(
        data,
        teacher,
        out_,
        name=name,
        texts=texts,
        query_split=query_split,
        titles=titles,
        sentences=sentences,
        limit=limit,
        document_limit=document_limit,
        judged=judged,
        query_prompt=query_prompt,
        document_prompt=document_prompt,
        dtype=dtype,
        backend=backend,
        max_length=max_length,
        plan=plan,
        sample=sample,
        executor=executor,
        workers=workers,
        shard=shard,
        unit_size=unit_size,
        lenient=lenient,
        lock_wait=lock_wait,
        min_fidelity=min_fidelity,
        progress=True,
        command=console.command(options.WHO_WORKS),
    )
    console.show(made if isinstance(made, Plan) else made.run or made, json)
