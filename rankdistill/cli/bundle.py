"""`rankdistill bundle`: a query tower and its document tower as one artefact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console


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
) -> None:
    """Bundle a small query tower with the document tower that it was aligned with; a mismatch is refused."""
    from rankdistill.bundles import Bundle
    from rankdistill.bundles.making import bundle as make

    with console.progress("pieces") as bar:
        task = bar.add_task("bundle", total=None)
        make(
            query_model,
            document_model,
            out,
            include_document_model=include_document_model,
            onnx=onnx,
            router=router,
            unaligned=unaligned,
            command=console.command(),
        )
        bar.remove_task(task)
    made = Bundle.read(out)
    console.out.print(
        f"{out}: queries by {query_model}, documents by {made.document_model}, {made.space.dimension} dimensions",
        highlight=False,
        soft_wrap=True,
    )
    report = made.onnx_report()
    for file in report["files"]:
        console.out.print(
            f"{file['file']}: {file['size'] / 1e6:,.1f} MB, cosine {file['mean_cosine']} with float32 of torch "
            f"(least {file['least_cosine']} of {file['texts']} texts)",
            highlight=False,
            soft_wrap=True,
        )
    if "reason" in report:
        console.out.print(f"no ONNX: {report['reason']}", highlight=False, soft_wrap=True)
