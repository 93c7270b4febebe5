"""What a store holds, finished or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill import locations, manifest, tables
from rankdistill.stores.fidelity import of_record, read_fidelity
from rankdistill.stores.finishing import is_finished
from rankdistill.stores.layout import Layout
from rankdistill.stores.naming import teachers_of
from rankdistill.stores.plan import read_plan
from rankdistill.teachers.names import beside


def describe(folder: Path, shown: Path | None = None) -> Iterator[str]:
    """Lines for a reader: state, texts, and for each teacher its name, scores and what an interrupted run left to do.

    Args:
        folder: where it lies.
        shown: what it is called; `folder` unless given.

    Raises:
        DataError: a file is cut off.
        RemoteError: the object store does not answer, or refuses.
    """
    layout = Layout(folder)
    plans = {teacher_id: read_plan(layout.plan(teacher_id)) for teacher_id in layout.teacher_ids()}
    finished = manifest.read(folder) is not None and all(is_finished(layout, teacher_id) for teacher_id in plans)
    state = "finished" if finished else "interrupted: the same command takes it up again"
    yield f"{shown or folder}: score store, {state}"
    for path in (layout.queries, layout.documents):
        if locations.is_file(path):
            yield f"  {path.stem}: {tables.count_rows([path]):,}"
    called = {one.teacher_id: beside(one.name, one.teacher_id) for one in teachers_of(layout)}
    for teacher_id, plan in plans.items():
        shards = layout.shards(teacher_id)
        line = f"  {called[teacher_id]}: {tables.count_rows(shards):,} scores in {len(shards):,} shards"
        if plan is not None:
            line += f", {plan.items(plan.left(layout.scores(teacher_id))):,} pairs to score"
        yield line
        if (record := read_fidelity(layout, teacher_id)) is not None:
            yield f"    {of_record(record).shown}"
