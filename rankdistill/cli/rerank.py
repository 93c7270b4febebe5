"""`rankdistill rerank`: the documents of a run in the order of a student or a teacher."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds


def rerank(
    run: Annotated[
        Path, typer.Option(help="Candidates: folder of `rankdistill evaluate`, a TREC or a Parquet run file.")
    ],
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    model: Annotated[
        str,
        typer.Option(help="What scores: a cross-encoder, multi-vector, sparse or dense model, a pair head; or a YAML."),
    ],
    out: Annotated[Path, typer.Option(help="Folder for results.json, per_query.parquet and the run.")],
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    depth: Annotated[int, typer.Option(help="Documents a query that are scored; the rest follow.", min=1)] = 100,
    kind: Annotated[str, typer.Option(help="Kind of the model; found from its configuration.")] = "auto",
    backend: Annotated[str, typer.Option(help="What runs the model; auto takes the fastest exact one.")] = "auto",
    max_length: Annotated[
        int | None, typer.Option(min=4, help="Tokens an input; the model's own unless given.")
    ] = None,
    latency: Annotated[int, typer.Option(help="Time this many queries one by one; 0 times none.")] = 0,
    name: Annotated[str | None, typer.Option(help="What tables call the system.")] = None,
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Score the candidates of a run with a model, and evaluate the new order beside the old one."""
    from rankdistill import teachers
    from rankdistill.cli.runs import open_run
    from rankdistill.cli.tables import show
    from rankdistill.evaluation import evaluating
    from rankdistill.evaluation.measures import evaluate_run
    from rankdistill.evaluation.report import system_rows
    from rankdistill.evaluation.rerank import Reranker
    from rankdistill.evaluation.results import Results, System
    from rankdistill.verbs.lengths import note_longer

    dataset = open_collection(data, split, lenient, ignore_identical_ids)
    first = open_run(run, dataset, split)
    queries, qrels = dataset.queries(split), dataset.qrels(split)
    note_longer(model, max_length)
    scorer = teachers.load(model, kind, backend, max_length)
    with console.progress("pairs") as bar:
        task = bar.add_task("rerank", total=None)
        title = name or f"{Path(model).name if Path(model).is_dir() else model} on {first.name}"
        system = Reranker(dataset, first, scorer, title, depth, lambda done: bar.advance(task, done))
        evaluation = evaluating.evaluate(
            system, dataset, split, out, latency_queries=min(latency, len(queries)), command=console.command()
        )
        bar.remove_task(task)
    means = evaluate_run(first.retrieve(queries, evaluating.DEPTH), qrels).means
    systems = [System(name=first.name, measures=means), evaluation.system]
    found = Results(title="", data=dataset.name, split=split, queries=len(qrels), systems=systems)
    show(f"{dataset.name}, {split}, {len(qrels)} queries", *system_rows(found))
