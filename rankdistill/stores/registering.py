"""The first phase of scoring: candidates, texts and the teacher's fingerprint go into the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from rankdistill import files, integrity, locations, manifest, tables
from rankdistill.errors import StaleOutputError
from rankdistill.stores.broken import unnamed
from rankdistill.stores.keying import require_keying
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.texts import add_texts
from rankdistill.teachers.base import PairTeacher


def register(
    layout: Layout, candidates: Path, name: str, queries: Mapping[str, str], documents: Mapping[str, str]
) -> Path:
    """Put a candidate table and the texts that it names into the store; idempotent. The table inside the store.

    Call it while holding the store's lock.

    Args:
        layout: the store.
        candidates: the table.
        name: its content hash.
        queries: query id -> text.
        documents: document id -> text.

    Raises:
        DataError: the candidates name ids that the data set lacks, or the store's manifest is of another format.
        StaleOutputError: an id that the store holds has another text now, or the folder holds no store.
        StoreError: the store holds scores of ids without texts.
    """
    manifest.require_kind(layout.root, ARTEFACT)
    require_keying(layout, "texts")
    query_ids, doc_ids = named_ids(candidates)
    add_texts(layout.queries, "query_id", query_ids, queries)
    add_texts(layout.documents, "doc_id", doc_ids, documents)
    kept = layout.candidate_table(name)
    if not locations.is_file(kept) or not _is_whole(layout, kept):
        with integrity.replacing(kept, layout.root) as temporary:
            shutil.copyfile(candidates, temporary)
    return kept


def _is_whole(layout: Layout, table: Path) -> bool:
    """Whether a candidate table that no manifest names yet has the bytes that it is called after."""
    return not unnamed(layout.root, [table]) or files.hash_file(table).startswith(table.stem)


def named_ids(candidates: Path) -> tuple[set[str], set[str]]:
    """The query and document ids that the candidates name."""
    query_ids: set[str] = set()
    doc_ids: set[str] = set()
    with tables.open_parquet(candidates) as source:
        for batch in source.iter_batches(columns=["query_id", "doc_id"]):
            query_ids.update(batch.column(0).unique().to_pylist())
            doc_ids.update(batch.column(1).unique().to_pylist())
    return query_ids, doc_ids


def register_teacher(layout: Layout, teacher: PairTeacher) -> None:
    """Write the teacher's fingerprint with the unit of its scores, `score_kind`.

    Raises:
        StaleOutputError: the store holds another fingerprint under this teacher's id.
    """
    path = layout.teacher(teacher.teacher_id)
    wanted = dict(teacher.fingerprint) | {"score_kind": teacher.score_kind}
    text = json.dumps(wanted, indent=1, sort_keys=True) + "\n"
    if not integrity.is_there(path, layout.root):
        files.write_text(path, text)
    elif integrity.read_text(path) != text:
        raise StaleOutputError(
            expected=f"{path} to hold the fingerprint of the teacher given now: {json.dumps(wanted, sort_keys=True)}",
            got=path.read_text(encoding="utf-8").strip()[:1000],
            consequence="nothing was scored: scores of two teachers would be mixed under one id",
            remedy="choose another output, or restore that file",
        )
