"""Adding scores that were computed elsewhere to a store, as a teacher of the kind `table`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rankdistill import files, integrity, locations, manifest, plain_json, tables
from rankdistill.errors import StaleOutputError
from rankdistill.progress import Progress
from rankdistill.stores import broken
from rankdistill.stores.finishing import is_finished, write_manifest
from rankdistill.stores.keying import FIELD, KeyedBy, require_keying
from rankdistill.stores.keys import pair_key, text_hasher, unit_digest
from rankdistill.stores.layout import ARTEFACT, Layout
from rankdistill.stores.made_again import vouch_for
from rankdistill.stores.naming import require_free
from rankdistill.stores.registering import named_ids
from rankdistill.stores.texts import add_texts
from rankdistill.teachers.base import teacher_id

KIND = "table"

SHARD_ROWS = 262_144

LOCK_WAIT = 60.0
"""Seconds to wait for another writer that registers or finishes."""


@dataclass(frozen=True)
class ScoreTable:
    """A finished table of scores on its way into a store.

    Args:
        name: of the teacher.
        description: what the fingerprint says beside kind, name and keying; with the hash of the table's content.
        scores: Parquet file of query_id, doc_id, score (float32): sorted by query_id, doc_id, each pair once.
        candidates: Parquet file of `tables.CANDIDATES`, sorted.
        texts: query id -> text, and document id -> text; None: ids only.
        inputs: name -> content hash of what it was made from, for the manifest.
    """

    name: str
    description: Mapping[str, Any]
    scores: Path
    candidates: Path
    texts: tuple[Mapping[str, str], Mapping[str, str]] | None
    inputs: Mapping[str, str]

    @property
    def keyed_by(self) -> KeyedBy:
        """What the keys are made from."""
        return "texts" if self.texts else "ids"

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the scores depend on."""
        keying = {FIELD: "ids"} if self.texts is None else {}
        return {"kind": KIND, "name": self.name, **self.description, **keying}

    @property
    def teacher_id(self) -> str:
        """The teacher's id in the store."""
        return teacher_id(KIND, self.fingerprint)


def add_table(root: Path, table: ScoreTable, *, command: str = "", progress: Progress | None = None) -> bool:
    """Add a table to the store in `root`, created if absent; False if it is there already.

    The teacher's fingerprint comes after its shards and its candidates, so a kill leaves the store as it was, and the
    same call goes on from the finished shards.

    Args:
        root: folder of the store.
        table: the scores.
        command: the command line, for the manifest.
        progress: called with the number of rows just written.

    Raises:
        StoreError: the store is keyed otherwise.
        StaleOutputError: the store holds other scores or candidates under this name, or another text of an id; or the
            name is another teacher's; or the folder holds no store.
        DataError: the store's manifest is of another format.
        LockedError: another writer held the store's lock for too long.
        OutputError: the disk is full or read-only.
    """
    layout = Layout(root)
    with files.exclusive(root, LOCK_WAIT):
        manifest.require_kind(root, ARTEFACT)
        require_keying(layout, table.keyed_by)
        files.remove_temporaries(root, keep_living=True)
        own = layout.candidates / f"{files.hash_file(table.candidates)[:16]}.parquet"
        kept = _held(layout, table, own)
        _require_same_content(layout, table, kept)
        if _is_complete(layout, table.teacher_id):
            return False
        require_free(layout, table.teacher_id, [table.name])
        if table.texts:
            query_ids, doc_ids = named_ids(table.candidates)
            add_texts(layout.queries, "query_id", query_ids, table.texts[0])
            add_texts(layout.documents, "doc_id", doc_ids, table.texts[1])
        for shard in _write_shards(layout, table):
            if progress:
                progress(shard)
        if kept == own:
            with integrity.replacing(kept, root) as temporary:
                shutil.copyfile(table.candidates, temporary)
        fingerprint = json.dumps(table.fingerprint, indent=1, sort_keys=True) + "\n"
        files.write_text(layout.teacher(table.teacher_id), fingerprint)
        _write_manifest(layout, table, command)
    return True


def _held(layout: Layout, table: ScoreTable, own: Path) -> Path:
    """The store's table of these candidates: `own`, or one of the same rows that another Parquet library wrote."""
    if table.teacher_id in layout.teacher_ids() and not locations.is_file(own):
        with tables.open_parquet(table.candidates) as file:
            wanted = file.read()
        for path in layout.candidate_tables():
            with tables.open_parquet(path) as file:
                if file.metadata.num_rows == len(wanted) and file.read().equals(wanted):
                    return path
    return own


def _require_same_content(layout: Layout, table: ScoreTable, candidates: Path) -> None:
    for known in layout.teacher_ids():
        fingerprint = plain_json.read(integrity.require(layout.teacher(known)))
        if fingerprint.get("name") != table.name:
            continue
        if known == table.teacher_id and locations.is_file(candidates):
            continue
        differs = [key for key in table.fingerprint if fingerprint.get(key) != table.fingerprint[key]]
        raise StaleOutputError(
            expected=f"the name {table.name!r} to stand for the same table as in {layout.root}",
            got=f"another {', '.join(differs) or 'table of candidates: other ranks or labels'}",
            consequence="nothing was changed: two tables under one name could not be told apart",
            remedy="give this one another --teacher-name, or choose another output",
        )


def _is_complete(layout: Layout, teacher: str) -> bool:
    made = manifest.read(layout.root)
    if made is None or f"teachers/{teacher}.json" not in made.outputs:
        return False
    listed = [layout.root / name for name in made.outputs if name.startswith(f"scores/{teacher}/")]
    return set(listed) <= set(layout.shards(teacher)) and all(map(_is_whole, listed))


def _write_shards(layout: Layout, table: ScoreTable) -> Iterator[int]:
    """Write the missing shards; gives the rows of each."""
    query_hash, document_hash = (
        (text_hasher(str), text_hasher(str))
        if table.texts is None
        else (text_hasher(table.texts[0].__getitem__), text_hasher(table.texts[1].__getitem__))
    )
    teacher = table.teacher_id
    with pq.ParquetFile(table.scores) as source:
        for number, batch in enumerate(source.iter_batches(SHARD_ROWS)):
            pairs = zip(batch["query_id"].to_pylist(), batch["doc_id"].to_pylist(), strict=True)
            keys = [pair_key(query_hash(query_id), document_hash(doc_id), teacher) for query_id, doc_id in pairs]
            path = layout.scores(teacher) / f"part-{number:06d}-{unit_digest(keys)}.parquet"
            if not _is_whole(path):
                teachers = pa.array([teacher] * len(keys), pa.string())
                columns = [batch["query_id"], batch["doc_id"], teachers, batch["score"], pa.array(keys, pa.binary(16))]
                tables.write_parquet(path, pa.table(columns, schema=tables.SCORES))
                vouch_for(layout.root, [path], manifest.read(layout.root))
            yield len(keys)


def _is_whole(shard: Path) -> bool:
    """Whether a shard is there, as the manifest has it where there is one: the table at hand makes it anew else."""
    known = integrity.recorded(shard)
    return broken.is_whole(shard) if known is None else known.state() == "whole"


def _write_manifest(layout: Layout, table: ScoreTable, command: str) -> None:
    earlier = manifest.read(layout.root)
    unit_size = int(earlier.parameters["unit_size"]) if earlier else SHARD_ROWS
    finished = [known for known in layout.teacher_ids() if is_finished(layout, known)]
    inputs = (dict(earlier.inputs) if earlier else {}) | dict(table.inputs)
    write_manifest(layout, finished, unit_size, inputs, command)
