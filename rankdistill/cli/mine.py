"""`rankdistill mine`: candidates per query."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import IdenticalIds, open_collection


def mine(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the candidates.")],
    split: Annotated[
        str | None,
        typer.Option(
            help="Whose queries and labels; unjudged: queries that no split judges. Default: train, or all queries of "
            "a folder without judgements."
        ),
    ] = None,
    source: Annotated[
        list[str],
        typer.Option(
            help="bm25[:TOKENIZER] (english, german, ..., words, cjk), dense:MODEL, sparse:MODEL, multi-vector:MODEL, "
            "lucene-bm25[:LANGUAGE] or index:INDEX; NAME=... where two are of one kind; may be repeated."
        ),
    ] = ["bm25"],  # noqa: B006 - typer's default, never changed
    depth: Annotated[int, typer.Option(help="How deep each source is asked.")] = 50,
    model: Annotated[str | None, typer.Option(help="Model of sources written without one, as `dense`.")] = None,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens that models read of a text.")] = None,
    ranks: Annotated[
        list[str],
        typer.Option(help="Keep ranks FIRST:LAST only, or of one source SOURCE=FIRST:LAST; positives are always kept."),
    ] = [],  # noqa: B006
    sample: Annotated[
        list[str], typer.Option(help="Draw N from the ranks, uniformly, or of one source SOURCE=N.")
    ] = [],  # noqa: B006
    seed: Annotated[int, typer.Option(help="Seed of the draw.")] = 0,
    fusion: Annotated[
        str | None, typer.Option(help="rrf, min_max or z_score: let the fused list of the sources choose.")
    ] = None,
    weights: Annotated[str | None, typer.Option(help="Of the fusion, one a source, as 0.7,0.3.")] = None,
    limit_queries: Annotated[int | None, typer.Option(help="Mine this many queries, chosen by hash.")] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Retrieve candidate documents for the queries of a split; judged positives are always kept."""
    from rankdistill.cli.fusing import parse_fusion
    from rankdistill.cli.lengths import note_longer
    from rankdistill.indexing.sources import KINDS
    from rankdistill.mining import candidates
    from rankdistill.mining.sources import Bm25Source, named
    from rankdistill.mining.tokenisers import script_note
    from rankdistill.mining.window import parse_windows

    window, windows = parse_windows(ranks, sample, seed)
    sources = [named(text, model, max_length, KINDS) for text in source]
    for one in dict.fromkeys(getattr(one, "model", None) for one in sources):
        note_longer(one, max_length)
    fused = parse_fusion(fusion, weights)
    dataset = open_collection(data, None, lenient, ignore_identical_ids)
    split = split or dataset.default_split
    console.show_notes(dataset.notes(split))
    queries = candidates.sample_queries(dataset.to_mine(split), limit_queries)
    with console.progress("texts") as bar:
        task = bar.add_task("mine", total=len(sources) * (len(dataset.doc_ids) + len(queries)))
        made = candidates.build(
            out,
            dataset,
            split,
            sources,
            depth,
            window=window,
            windows=windows,
            fusion=fused,
            limit_queries=limit_queries,
            command=console.command(),
            progress=lambda advanced: bar.advance(task, advanced),
        )
        if not made:
            bar.remove_task(task)
    if not made:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    for known in sources:
        if isinstance(known, Bm25Source):
            console.note(script_note(known.tokenizer, dataset.contents.values()))
    _summarise(out, len(queries))


def _summarise(out: Path, queries: int) -> None:
    """Print how many candidates and positives each source gave; what gave nothing else, or nothing, gets a note."""
    import polars as pl

    from rankdistill.mining import candidates

    found = pl.DataFrame(candidates.read(out))
    counts = found.group_by("source").agg(
        rows=pl.len(),
        positives=(pl.col("label") > 0).sum(),
        unretrieved=pl.col("rank").is_null().sum(),
        answered=pl.col("query_id").filter(pl.col("rank").is_not_null()).n_unique(),
    )
    for source, rows, positives, unretrieved, answered in counts.sort("source").iter_rows():
        console.out.print(
            f"{source}: {rows:,} candidates of {queries:,} queries; "
            f"{positives:,} judged relevant, {unretrieved:,} of them not retrieved",
            highlight=False,
        )
        if answered < queries:
            console.note(
                f"{source} gave nothing for {queries - answered:,} of {queries:,} queries: none of their words is in "
                "the collection, or their lists end before these ranks"
            )
        if rows == positives:
            console.note(
                f"{source} gave no negative: its lists end before these ranks, or hold relevant documents alone"
            )
