"""`rankdistill data`: make and check BEIR folders."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import console

if TYPE_CHECKING:
    from rankdistill.data import Dataset

app = typer.Typer(help="Make and check collections (BEIR folders).", no_args_is_help=True)

Out = Annotated[Path, typer.Option(help="Folder to write.")]
Compress = Annotated[bool, typer.Option("--gzip", help="Write .gz files.")]


@app.command()
def pydocs(
    out: Out,
    packages: Annotated[
        list[str] | None, typer.Option(help="Installed package to read; may be repeated. Default: common ones.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Keep this many documents, chosen by hash.")] = None,
    gzip: Compress = False,
) -> None:
    """Build a collection from the docstrings of installed packages: summary line -> the rest."""
    from rankdistill.data.pydocs import build

    made = build(out, packages, limit, gzip, console.command())
    _finish(out, made)


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="mteb:SciFact, hf:BeIR/scifact or ir_datasets:beir/scifact.")],
    out: Out,
    gzip: Compress = False,
) -> None:
    """Fetch a collection by name from MTEB, the Hugging Face hub or ir_datasets."""
    from rankdistill.data.sources import fetch as fetch_collection

    made = fetch_collection(name, out, gzip, console.command())
    _finish(out, made)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="BEIR folder.")],
    lenient: Annotated[bool, typer.Option("--lenient", help="Succeed in spite of bad rows.")] = False,
    show: Annotated[int, typer.Option(help="Bad rows to print.")] = 20,
) -> None:
    """Count documents, and queries and judgements per split, and list the bad rows."""
    from rankdistill.data import load

    dataset = load(folder, "lenient")
    console.show_reports(dataset.reports, show)
    _print_counts(dataset)
    if dataset.reports and not lenient:
        raise typer.Exit(1)


@app.command("trec-qrels")
def trec_qrels(
    file: Annotated[Path, typer.Argument(help="Headerless TREC qrels: qid 0 did rel.")],
    out: Annotated[Path, typer.Option(help="BEIR qrels file to write, for example DIR/qrels/test.tsv.")],
    lenient: Annotated[bool, typer.Option("--lenient", help="Leave bad rows out instead of stopping.")] = False,
) -> None:
    """Convert TREC qrels to a BEIR qrels file."""
    from rankdistill.data.trec import read_qrels
    from rankdistill.data.writer import write_qrels

    qrels, reports = read_qrels(file, "lenient" if lenient else "strict")
    console.show_reports(reports)
    write_qrels(out, qrels)
    rows = sum(len(labels) for labels in qrels.values())
    console.out.print(f"{out}: {rows:,} judgements of {len(qrels):,} queries", highlight=False)


def _finish(out: Path, made: bool) -> None:
    from rankdistill.data import load

    if not made:
        console.err.print(f"{out} is up to date", highlight=False, soft_wrap=True)
    dataset = load(out, "lenient")
    console.show_reports(dataset.reports)
    _print_counts(dataset)


def _print_counts(dataset: Dataset) -> None:
    from rich.table import Table

    from rankdistill.data.beir import QUERIES, UNJUDGED

    table = Table(
        "split", "queries", "judgements", "relevant", title=f"{dataset.path}: {len(dataset.doc_ids):,} documents"
    )
    for split in dataset.splits:
        labels = [label for judged in dataset.qrels(split).values() for label in judged.values()]
        relevant = sum(label > 0 for label in labels)
        table.add_row(split, f"{len(dataset.qrels(split)):,}", f"{len(labels):,}", f"{relevant:,}")
    if dataset.unjudged:
        table.add_row(UNJUDGED, f"{len(dataset.unjudged):,}", "", "")
    console.out.print(table)
    if not dataset.query_texts:
        console.note(f"documents alone: without {QUERIES} there is nothing to mine, train on scores of or evaluate")
    console.show_notes([note for split in dataset.splits for note in dataset.notes(split)])
