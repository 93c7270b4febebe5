"""What a store holds, finished or not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

from rankdistill import manifest
from rankdistill.stores.layout import Layout


def describe(folder: Path) -> Iterator[str]:
    """Lines for a reader: state, texts, and for each teacher its scores and what an interrupted run left to do."""
    layout = Layout(folder)
    finished = manifest.read(folder) is not None and not (folder / "plan").is_dir()
    yield f"{folder}: score store, {'finished' if finished else 'interrupted: the same command takes it up again'}"
    for path in (layout.queries, layout.documents):
        if path.is_file():
            yield f"  {path.stem}: {pq.read_metadata(path).num_rows:,}"
    for teacher_id in layout.teacher_ids():
        shards = layout.shards(teacher_id)
        scores = sum(pq.read_metadata(shard).num_rows for shard in shards)
        line = f"  {teacher_id}: {scores:,} scores in {len(shards):,} shards"
        note = layout.plan(teacher_id) / "plan.json"
        if note.is_file():
            line += f", {_left(layout, teacher_id, note):,} pairs to score"
        yield line


def _left(layout: Layout, teacher_id: str, note: Path) -> int:
    """Pairs of the unfinished plan whose shard is not there yet."""
    plan = pq.read_metadata(note.parent / "plan.parquet")
    made = {int(shard.name.split("-")[1]) for shard in layout.shards(teacher_id)}
    missing = json.loads(note.read_text())["missing"]
    return missing - sum(plan.row_group(unit).num_rows for unit in made if unit < plan.num_row_groups)
