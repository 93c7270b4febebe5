"""What a store holds, finished or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill import locations, manifest, tables
from rankdistill.stores.fidelity import of_record, read_fidelity
from rankdistill.stores.layout import Layout
from rankdistill.stores.plan import read_plan


def describe(folder: Path) -> Iterator[str]:
    """Lines for a reader: state, texts, and for each teacher its scores and what an interrupted run left to do.

    Raises:
        DataError: a file is cut off.
        RemoteError: the object store does not answer, or refuses.
    """
    layout = Layout(folder)
    plans = {teacher_id: read_plan(layout.plan(teacher_id)) for teacher_id in layout.teacher_ids()}
    finished = manifest.read(folder) is not None and not any(plans.values())
    yield f"{folder}: score store, {'finished' if finished else 'interrupted: the same command takes it up again'}"
    for path in (layout.queries, layout.documents):
        if locations.is_file(path):
            yield f"  {path.stem}: {tables.footers([path])[0].num_rows:,}"
    for teacher_id, plan in plans.items():
        shards = tables.footers(layout.shards(teacher_id))
        line = f"  {teacher_id}: {sum(shard.num_rows for shard in shards):,} scores in {len(shards):,} shards"
        if plan is not None:
            line += f", {plan.items(plan.left(layout.scores(teacher_id))):,} pairs to score"
        yield line
        if (record := read_fidelity(layout, teacher_id)) is not None:
            yield f"    {of_record(record).shown}"
