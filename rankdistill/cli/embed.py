"""`rankdistill embed`: a teacher's vectors of query-like and document-like texts, into a store."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli import scoring
from rankdistill.cli.console import command, err, out, progress, show_reports
from rankdistill.cli.locations import place
from rankdistill.cli.score import WHO_WORKS

if TYPE_CHECKING:
    from rankdistill.executors import Executor
    from rankdistill.stores.embeddings.gathering import Gathered
    from rankdistill.stores.embeddings.sources import Sources
    from rankdistill.stores.embeddings.writer import EmbeddingWriter
    from rankdistill.stores.shares import Share
    from rankdistill.stores.writer import Missing


def embed(
    teacher: Annotated[
        str, typer.Option(help="Dense model: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with its settings.")
    ],
    out_: Annotated[
        Path,
        typer.Option(
            "--out", help="Store to add to, also s3://...; created if absent.", parser=place, metavar="EMBEDDINGS"
        ),
    ],
    name: Annotated[str | None, typer.Option(help="What to call the teacher in the store (`status` shows it).")] = None,
    data: Annotated[list[Path], typer.Option(help="Folder in BEIR layout; may be repeated.")] = [],  # noqa: B006
    texts: Annotated[
        list[str],
        typer.Option(
            help="More texts: query=FILE or document=FILE with one a line; .jsonl and .parquet files with `text` may "
            "have a column `kind` instead; may be repeated."
        ),
    ] = [],  # noqa: B006
    query_split: Annotated[
        str | None,
        typer.Option(
            help="Split whose queries are embedded (default train, where there is one, and all of a folder without "
            "judgements; unjudged: those that no split judges)."
        ),
    ] = None,
    titles: Annotated[bool, typer.Option(help="Titles, as query-like texts.")] = True,
    sentences: Annotated[bool, typer.Option(help="Sentences of documents, as query-like texts.")] = True,
    limit: Annotated[
        int | None,
        typer.Option(help="At most so many queries, titles, sentences and documents of each source.", min=1),
    ] = None,
    query_prompt: Annotated[str | None, typer.Option(help='Instead of the teacher\'s own; "" for none.')] = None,
    document_prompt: Annotated[str | None, typer.Option(help="Likewise for documents.")] = None,
    dtype: Annotated[str, typer.Option(help="Number format of the vectors: float32 or float16.")] = "float32",
    backend: scoring.Backend = "auto",
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a text; the teacher's own by default.", min=8)
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Count and measure only; writes nothing.")] = False,
    sample: Annotated[int, typer.Option(help="Texts that --plan embeds to measure the speed; 0: none.", min=0)] = 256,
    executor: Annotated[
        str, typer.Option(help="Who embeds: local, this process; ray, workers of a cluster.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(help="Workers of --executor ray; one a GPU or core by default.", min=1)
    ] = None,
    shard: Annotated[
        str, typer.Option(help="Embed the work units of share i/n only, as one of n writers at the same store.")
    ] = "1/1",
    unit_size: Annotated[int, typer.Option(help="Texts a shard: what a kill can cost.", min=1)] = 8192,
    lenient: scoring.Lenient = False,
    lock_wait: scoring.LockWait = 600.0,
    min_fidelity: Annotated[
        float,
        typer.Option(
            help="Mean cosine with float32 that a back end in less precision must reach over sampled texts before the "
            "run; 0: no check.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.99,
) -> None:
    """Embed each distinct text once with a dense teacher. Interrupt it at will: the same command goes on from there.

    Test queries, those that another split than --query-split judges, never get in.
    """
    from rankdistill import data as datasets
    from rankdistill import executors
    from rankdistill.stores.embeddings.asking import Asked
    from rankdistill.stores.embeddings.sources import Sources
    from rankdistill.stores.embeddings.text_files import parse_text_file
    from rankdistill.stores.shares import parse_share
    from rankdistill.verbs.lengths import note_longer

    note_longer(teacher, max_length)
    share, runner = parse_share(shard), executors.create(executor, workers)
    asked = Asked(
        teacher,
        backend=backend,
        max_length=max_length,
        prompts={"query": query_prompt, "document": document_prompt},
        dtype=dtype,
        unit_size=unit_size,
        lock_wait=lock_wait,
        min_fidelity=min_fidelity,
        name=name,
    )
    folders = [datasets.load(folder, "lenient" if lenient else "strict") for folder in data]
    show_reports([line for dataset in folders for line in dataset.reports])
    sources = Sources(folders, [parse_text_file(words) for words in texts], query_split, titles, sentences)
    with _gathered(sources, limit) as gathered:
        writer = asked.writer(out_, gathered)
        if plan:
            _show_plan(writer, sample)
        else:
            _run(writer, out_, runner, share)


@contextmanager
def _gathered(sources: Sources, limit: int | None) -> Iterator[Gathered]:
    """The texts, in a folder that goes; what was left out of them is told on standard error."""
    import tempfile

    from rankdistill.stores.embeddings.gathering import gather

    with tempfile.TemporaryDirectory(prefix="rankdistill-") as folder:
        with progress("texts") as bar:
            task = bar.add_task("gathering", total=None)
            gathered = gather(
                sources, Path(folder) / "texts.parquet", limit, progress=lambda done: bar.advance(task, done)
            )
            bar.update(task, total=len(gathered))
        for line in gathered.report():
            err.print(line, markup=False, highlight=False, soft_wrap=True)
        yield gathered


def _show_plan(writer: EmbeddingWriter, sample: int) -> None:
    missing = writer.plan()
    out.print(f"wanted   {missing.wanted:,} texts")
    out.print(f"missing  {missing.missing:,}, in {-(-missing.missing // writer.unit_size):,} shards")
    out.print(f"size     about {missing.missing * writer.bytes_a_vector / 1e6:,.1f} MB of vectors")
    if missing.missing and sample:
        rate = writer.sample_rate(sample)
        minutes = missing.missing / rate / 60
        out.print(f"time     about {minutes:,.1f} minutes at {rate:,.0f} texts/s (measured on a sample)")


def _run(writer: EmbeddingWriter, folder: Path, executor: Executor, share: Share) -> None:
    from rankdistill.stores.embeddings.status import truncation

    started = time.perf_counter()
    with progress("texts") as bar:
        task = bar.add_task(f"embedding with {writer.called}", total=None)

        def on_plan(missing: Missing) -> None:
            bar.update(task, total=missing.share)
            if kept_out := len(writer.gathered) - missing.wanted:
                text = f"{kept_out:,} texts left out: they say the same as test queries of earlier runs into this store"
                err.print(text, style="yellow", highlight=False, soft_wrap=True)
            if missing.missing < missing.wanted:
                err.print(f"{missing.wanted - missing.missing:,} of {missing.wanted:,} texts have a vector already")

        done = writer.run(
            command=command(WHO_WORKS),
            on_plan=on_plan,
            progress=lambda texts: bar.advance(task, texts),
            executor=executor,
            share=share,
        )
    if done.renamed:
        text = f"{writer.called} was called {done.renamed} before"
        err.print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)
    seconds = time.perf_counter() - started
    text = f"{folder}: {done.embedded:,} texts embedded, {done.reused:,} reused, {seconds:,.0f} s"
    out.print(text, highlight=False, soft_wrap=True)
    if done.left:
        text = f"share {share} is done; {done.left:,} shards of the others are missing: the last finishes the store"
        out.print(text, highlight=False, soft_wrap=True)
        return
    for line in truncation(folder):
        err.print(line, style="yellow", highlight=False, soft_wrap=True)
