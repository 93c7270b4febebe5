"""`rankdistill score`: teacher scores of mined candidates, into a store."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rankdistill.cli.console import command, err, out, progress

if TYPE_CHECKING:
    from rankdistill.stores.writer import Missing, ScoreWriter

SAMPLE_PAIRS = 256


def score(
    data: Annotated[Path, typer.Option(help="Folder in BEIR layout.")],
    teacher: Annotated[
        str,
        typer.Option(help="Teacher: a path, a hub id, pypi:DISTRIBUTION, or a YAML file with its kind and settings."),
    ],
    candidates: Annotated[Path, typer.Option(help="Candidates made by `rankdistill mine`.")],
    out_: Annotated[Path, typer.Option("--out", help="Store to add the scores to; created if absent.")],
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what is missing, and the time and cost of it.")
    ] = False,
    price_per_hour: Annotated[float, typer.Option(help="Price of this machine an hour, for --plan.", min=0.0)] = 0.0,
    backend: Annotated[str, typer.Option(help="auto, torch, onnx or openvino.")] = "auto",
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a pair; the teacher's own by default.", min=8)
    ] = None,
    kind: Annotated[str, typer.Option(help="Kind of teacher; auto looks into the model.")] = "auto",
    unit_size: Annotated[int, typer.Option(help="Pairs a shard: what a kill can cost.", min=1)] = 8192,
    lenient: Annotated[bool, typer.Option(help="Drop bad rows of the data, with a report.")] = False,
) -> None:
    """Score each unique (query, document) pair once. Interrupt it at will: the same command goes on from there."""
    from rankdistill import data as datasets
    from rankdistill import manifest, tables, teachers
    from rankdistill.stores.writer import ScoreWriter

    manifest.expect(candidates, "candidates", "mine")
    dataset = datasets.load(data, "lenient" if lenient else "strict")
    for line in dataset.reports:
        err.print(line, markup=False, highlight=False)
    scorer = teachers.load(teacher, kind=kind, backend=backend, max_length=max_length)
    writer = ScoreWriter(
        out_,
        queries=dataset.queries(None),
        documents=dataset.contents,
        candidates=candidates / tables.CANDIDATES_FILE,
        teacher=scorer,
        dataset_fingerprint=dataset.fingerprint,
        unit_size=unit_size,
    )
    if plan:
        _print_plan(writer, price_per_hour)
    else:
        _run(writer, out_)


def _run(writer: ScoreWriter, folder: Path) -> None:
    started = time.perf_counter()
    with progress("pairs") as bar:
        task = bar.add_task(f"scoring with {writer.teacher.teacher_id}", total=None)

        def on_plan(missing: Missing) -> None:
            bar.update(task, total=missing.missing)
            if missing.missing < missing.wanted:
                err.print(f"{missing.wanted - missing.missing:,} of {missing.wanted:,} pairs have a score already")

        done = writer.run(command=command(), on_plan=on_plan, progress=lambda pairs: bar.advance(task, pairs))
    seconds = time.perf_counter() - started
    text = f"{folder}: {done.scored:,} pairs scored, {done.reused:,} reused, {seconds:,.0f} s"
    out.print(text, highlight=False, soft_wrap=True)


def _print_plan(writer: ScoreWriter, price_per_hour: float) -> None:
    missing = writer.plan()
    out.print(f"wanted   {missing.wanted:,} unique pairs")
    out.print(f"missing  {missing.missing:,}, in {-(-missing.missing // writer.unit_size):,} shards")
    if not missing.missing:
        return
    rate = writer.sample_rate(SAMPLE_PAIRS)
    hours = missing.missing / rate / 3600
    out.print(f"time     about {hours * 60:,.1f} minutes at {rate:,.0f} pairs/s (measured on a sample)")
    if price_per_hour:
        out.print(f"cost     about {hours * price_per_hour:,.2f} at {price_per_hour:g} an hour")
