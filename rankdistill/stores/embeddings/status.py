"""What an embedding store holds, finished or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill import manifest, tables
from rankdistill.stores.embeddings.gathering import describe_tally
from rankdistill.stores.embeddings.layout import ARTEFACT, Layout
from rankdistill.stores.embeddings.teacher_file import REFERENCE, called, read_teacher
from rankdistill.stores.plan import read_plan
from rankdistill.teachers.names import beside


def describe(folder: Path, shown: Path | None = None) -> Iterator[str]:
    """Lines for a reader: state, teacher, texts by source, what was left out, and what an interrupted run left to do.

    Args:
        folder: where it lies.
        shown: what it is called; `folder` unless given.

    Raises:
        DataError: a file is cut off.
        RemoteError: the object store does not answer, or refuses.
    """
    layout, found, plan = Layout(folder), manifest.read(folder), read_plan(Layout(folder).plan)
    finished = found is not None and plan is None
    state = "finished" if finished else "interrupted: the same command takes it up again"
    yield f"{shown or folder}: embedding store, {state}"
    teacher = read_teacher(layout)
    space = teacher["space"]
    unit = "unit length" if space["normalised"] else "any length"
    named = beside(called(layout, teacher).name, teacher["teacher_id"])
    yield f"  {named}: {teacher[REFERENCE]}, {space['dimension']} x {teacher['dtype']}, {unit}"
    for role, prompt in teacher["prompts"].items():
        yield f"  {role} prompt: {prompt!r}"
    if found is not None:
        parameters = found.parameters
        for kind, count in parameters["texts"].items():
            yield f"  {kind} texts: {count:,}"
        yield from (f"  {line}" for line in truncation(folder))
        for source, tally in parameters["gathered"].items():
            yield f"  {source}: {describe_tally(tally)}"
    shards = layout.shards()
    line = f"  vectors: {tables.count_rows(shards):,} in {len(shards):,} shards"
    if plan is not None:
        line += f", {plan.items(plan.left(layout.vectors)):,} texts to embed"
    yield line


def truncation(folder: Path) -> Iterator[str]:
    """Lines for a reader: of how many texts of a finished store the teacher read only the beginning."""
    parameters = manifest.expect(folder, ARTEFACT, "embed").parameters
    for kind, cut in parameters["truncated"].items():
        if cut:
            whole = parameters["texts"][kind]
            yield f"{cut:,} of {whole:,} {kind} texts are longer than the teacher takes: it read their beginning"
