"""`rankdistill data`: make and check BEIR folders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankdistill.cli import console
from rankdistill.cli.help import VerbCommand
from rankdistill.cli.options import Json, Lenient

app = typer.Typer(help="Make and check collections (BEIR folders).", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="Folder to write.")]
Compress = Annotated[bool, typer.Option("--gzip", help="Write .gz files.")]


@app.command(cls=VerbCommand)
def pydocs(
    out: Out,
    packages: Annotated[
        list[str] | None, typer.Option(help="Installed package to read; may be repeated. Default: common ones.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Keep this many documents, chosen by hash.")] = None,
    gzip: Compress = False,
    json: Json = False,
) -> None:
    """Build a collection from the docstrings of installed packages: summary line -> the rest."""
    from rankdistill.verbs import data

    made = data.pydocs(out, packages=packages, limit=limit, gzip=gzip, command=console.command())
    console.show(made, json)


@app.command(cls=VerbCommand)
def fetch(
    name: Annotated[str, typer.Argument(help="mteb:SciFact, hf:BeIR/scifact or ir_datasets:beir/scifact.")],
    out: Out,
    gzip: Compress = False,
    json: Json = False,
) -> None:
    """Fetch a collection by name from MTEB, the Hugging Face hub or ir_datasets."""
    from rankdistill.verbs import data

    console.show(data.fetch(name, out, gzip=gzip, command=console.command()), json)


@app.command(cls=VerbCommand)
def check(
    folder: Annotated[Path, typer.Argument(help="BEIR folder.")],
    lenient: Annotated[bool, typer.Option("--lenient", help="Succeed in spite of bad rows.")] = False,
    show: Annotated[int, typer.Option(help="Bad rows to print.")] = 20,
    json: Json = False,
) -> None:
    """Count documents, and queries and judgements per split, and list the bad rows; ends with 1 if there are any."""
    from rankdistill.verbs import data

    dataset = data.check(folder, show=show)
    console.show(dataset, json)
    if dataset.reports and not lenient:
        raise typer.Exit(1)


@app.command("trec-qrels", cls=VerbCommand)
def trec_qrels(
    file: Annotated[Path, typer.Argument(help="Headerless TREC qrels: qid 0 did rel.")],
    out: Annotated[Path, typer.Option(help="BEIR qrels file to write, for example DIR/qrels/test.tsv.")],
    lenient: Lenient = False,
    json: Json = False,
) -> None:
    """Convert TREC qrels to a BEIR qrels file."""
    from rankdistill.verbs import data

    console.show(data.trec_qrels(file, out, lenient=lenient), json)
