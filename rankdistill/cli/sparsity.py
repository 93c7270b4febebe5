"""`rankdistill sparsity`: what a sparse model's vectors cost, and what fewer terms cost in quality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from rankdistill.cli import console
from rankdistill.cli.collection import open_collection
from rankdistill.cli.options import IdenticalIds

Number = TypeVar("Number", int, float)


def sparsity(
    data: Annotated[Path, typer.Option(help="BEIR folder.")],
    model: Annotated[str, typer.Option(help="Sparse encoder: path, hub id or pypi:NAME.")],
    out: Annotated[Path, typer.Option(help="Folder for sparsity.json.")],
    split: Annotated[str, typer.Option(help="Which qrels.")] = "test",
    document_terms: Annotated[str, typer.Option(help="Heaviest terms kept of a document, as 32,64,128.")] = "",
    query_terms: Annotated[str, typer.Option(help="Heaviest terms kept of a query, as 8,16.")] = "",
    thresholds: Annotated[str, typer.Option(help="Weights of documents below are left out, as 0.1,0.5.")] = "",
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens a text; the model's own unless given.")] = None,
    backend: Annotated[str, typer.Option(help="What runs the model.")] = "auto",
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
    ignore_identical_ids: IdenticalIds = None,
) -> None:
    """Measure active terms, FLOPS and index size of a sparse model, whole and pruned, beside the quality."""
    from rankdistill.cli.tables import show
    from rankdistill.evaluation.measuring_sparsity import measure_sparsity, sparsity_rows
    from rankdistill.evaluation.sparsity import Pruning
    from rankdistill.inference.sparse_encoder import SparseTextEncoder

    prunings = [
        *(Pruning(document_terms=terms) for terms in _numbers(document_terms, int)),
        *(Pruning(query_terms=terms) for terms in _numbers(query_terms, int)),
        *(Pruning(threshold=threshold) for threshold in _numbers(thresholds, float)),
    ]
    dataset = open_collection(data, split, lenient, ignore_identical_ids)
    total = len(dataset.queries(split)) + len(dataset.doc_ids) + len(prunings) + 1
    encoder = SparseTextEncoder(model, backend, max_length)
    with console.progress("steps") as bar:
        task = bar.add_task("measure", total=total)
        result = measure_sparsity(
            encoder,
            dataset,
            split,
            prunings,
            out,
            command=console.command(),
            progress=lambda done: bar.advance(task, done),
        )
        bar.remove_task(task)
    show(f"{result.data}, {split}, {result.queries} queries", *sparsity_rows(result))


def _numbers(text: str, number: Callable[[str], Number]) -> list[Number]:
    from rankdistill.errors import ConfigError

    try:
        return [number(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise ConfigError(
            expected="numbers with commas between them, as 32,64",
            got=repr(text),
            consequence="nothing was measured",
            remedy="write them so",
        ) from error
