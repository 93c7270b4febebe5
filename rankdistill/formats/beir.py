"""BEIR folders: the texts and the judgements, without scores.

Reading gives the judged pairs of every split as candidates. Writing gives the texts of the exported ids, and the
labels of the candidates as the split `train`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rankdistill import data as datasets
from rankdistill import manifest
from rankdistill.data import lines
from rankdistill.data.beir import QRELS
from rankdistill.data.beir_rows import QRELS_HEADER
from rankdistill.data.trec import parse_qrels_row
from rankdistill.data.writer import ARTEFACT, Collection, write_beir
from rankdistill.errors import DataError
from rankdistill.formats.content import Export
from rankdistill.formats.record_files import read_columns
from rankdistill.formats.registry import Format
from rankdistill.formats.rows import Row
from rankdistill.formats.source import Source
from rankdistill.records import Query

SPLIT = "train"


def _parts(source: Source) -> list[Path]:
    """The qrels of the folder, after its texts have been remembered."""
    dataset = datasets.load(source.path, source.rejects.bad.mode)
    if not source.ids.from_collection:
        for query_id, text in dataset.queries(None).items():
            source.ids.query(text, query_id)
        for doc_id, text in dataset.contents.items():
            source.ids.document(text, doc_id)
    found = [lines.find(source.path / QRELS, f"{split}.tsv") for split in dataset.splits]
    if not found:
        raise DataError(
            expected=f"judgements in {source.path / QRELS}",
            got="none",
            consequence="nothing was read",
            remedy=f"add {QRELS}/<split>.tsv, or give the folder that has them",
        )
    return [path for path in found if path is not None]


def _read(source: Source) -> Iterator[Row]:
    rows = read_columns(source, 3, " ".join(QRELS_HEADER), quotes=True)  # `load` has seen to them
    return source.parse(((line, columns) for line, columns in rows if line > 1), _parse)


def _parse(line: int, columns: list[str]) -> Iterator[Row]:
    query_id, doc_id, label = parse_qrels_row([columns[0], "0", *columns[1:]])
    yield Row(line, query_id, doc_id, None, max(0, label))


def _write(out: Path, export: Export) -> None:
    judged: dict[str, dict[str, int]] = {}
    doc_ids: set[str] = set()
    for group in export.groups():
        documents = sorted([*group.positives, *group.negatives])
        doc_ids.update(document.doc_id for document in documents)
        judged[group.query_id] = {one.doc_id: one.label for one in documents if one.label is not None}
    collection = Collection(
        documents=(export.texts.document(doc_id) for doc_id in sorted(doc_ids)),
        queries=(Query(query_id, export.texts.query(query_id)) for query_id in judged),
        qrels={SPLIT: judged} if any(judged.values()) else {},
    )
    made_by = manifest.Manifest(
        ARTEFACT, {"scores": export.reader.store.identity}, {"source": "store", "teacher": export.reader.teacher_id}
    )
    write_beir(out, lambda: collection, made_by)


FORMAT = Format("beir", _read, _write, (), needs_texts=True, has_scores=False, parts=_parts)
