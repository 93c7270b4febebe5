"""`rankdistill bundle`: a query tower and its document tower as one artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.options import Json


def bundle(
    query_model: Annotated[str, typer.Option(help="Encoder of the queries: a student with its space.json.")],
    document_model: Annotated[str, typer.Option(help="Encoder of the documents: the student's teacher.")],
    out: Annotated[Path, typer.Option(help="Folder for the bundle.")],
    include_document_model: Annotated[
        bool, typer.Option("--include-document-model", help="Put the document model into it, not only its name.")
    ] = False,
    onnx: Annotated[bool, typer.Option(help="Export the query tower to ONNX, float32 and int8.")] = True,
    router: Annotated[bool, typer.Option(help="Both towers as one sentence-transformers model too.")] = True,
    unaligned: Annotated[
        bool, typer.Option("--unaligned", help="Trust that the models share a space, which no space.json says.")
    ] = False,
    json: Json = False,
) -> None:
    """Bundle a small query tower with the document tower that it was aligned with; a mismatch is refused."""
    import rankdistill

    console.show(
        rankdistill.bundle(
            query_model,
            document_model,
            out,
            include_document_model=include_document_model,
            onnx=onnx,
            router=router,
            unaligned=unaligned,
            progress=True,
            command=console.command(),
        ),
        json,
    )
