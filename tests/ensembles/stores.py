"""Score stores written row by row, for teachers whose scores a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa

from rankdistill import files, manifest, tables
from rankdistill.stores.keys import pair_key, text_hash
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.reader import ScoreStore
from rankdistill.stores.texts import add_texts

Pairs = Mapping[tuple[str, str], float]
"""(query_id, doc_id) -> raw score."""


def write_store(
    root: Path,
    teachers: Mapping[str, Pairs],
    kinds: Mapping[str, str] | None = None,
    shard_rows: int = 8,
    labels: Mapping[tuple[str, str], int] | None = None,
    plans: int = 1,
) -> ScoreStore:
    """A finished store. Text = id; `plans` above 1 deals the pairs out, so that shards overlap."""
    layout = Layout(root)
    pairs = sorted({pair for scores in teachers.values() for pair in scores})
    for path, name, column in ((layout.queries, "query_id", 0), (layout.documents, "doc_id", 1)):
        ids = {pair[column] for pair in pairs}
        add_texts(path, name, ids, {one: one for one in ids})
    rows = [(*pair, "bm25", rank, 1.0, (labels or {}).get(pair)) for rank, pair in enumerate(pairs, 1)]
    _write(layout.candidates / "candidates.parquet", rows, tables.CANDIDATES)
    for name, scores in teachers.items():
        fingerprint = {"name": name, "score_kind": (kinds or {}).get(name, "logit")}
        files.write_text(layout.teacher(f"{name}-0"), manifest.json.dumps(fingerprint))
        for plan in range(plans):
            dealt = sorted(scores)[plan::plans]
            for first in range(0, len(dealt), shard_rows):
                _write_shard(layout, f"{name}-0", plan * 1000 + first, dealt[first : first + shard_rows], scores)
    outputs = {path.relative_to(root).as_posix(): files.hash_file(path) for path in sorted(root.rglob("*.*"))}
    manifest.Manifest(ARTEFACT, outputs=outputs).write(root)
    return ScoreStore(root)


def _write_shard(layout: Layout, teacher_id: str, number: int, pairs: Sequence[tuple[str, str]], scores: Pairs) -> None:
    rows = [(*pair, teacher_id, scores[pair], pair_key(*map(text_hash, pair), teacher_id)) for pair in pairs]
    _write(layout.scores(teacher_id) / f"part-{number:06d}-0.parquet", rows, tables.SCORES)


def _write(path: Path, rows: Sequence[tuple[object, ...]], schema: pa.Schema) -> None:
    tables.write_parquet(path, pa.table([list(column) for column in zip(*rows, strict=True)], schema=schema))


def as_dict(scores: pl.DataFrame) -> dict[tuple[str, str], float]:
    """(query_id, doc_id) -> score."""
    return {(query_id, doc_id): score for query_id, doc_id, score in scores.iter_rows()}
