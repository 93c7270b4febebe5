"""Generated queries as a collection in BEIR layout, which every verb takes."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rankdistill import files
from rankdistill.data import Dataset, metadata
from rankdistill.data.beir import CORPUS, QRELS, QUERIES
from rankdistill.data.converting.passages import NAMES
from rankdistill.data.meta import FILE_NAME as META
from rankdistill.data.meta import Meta
from rankdistill.data.values import RowError
from rankdistill.data.writer import require_free, write_lines, write_qrels
from rankdistill.making import GENERATING
from rankdistill.querying.sieve import Query

DEV, TEST = "dev", "test"

PREFIX = "generated-"
"""Of the ids of generated queries."""

WORK = GENERATING
"""Below a collection that is being made: what was generated so far. Where it is, files beside it may be replaced."""


def require_own(out: Path) -> None:
    """Raise OutputError where `out` holds a collection of somebody else's."""
    if not (out / WORK).is_dir():
        require_free(out)


def wholes(dataset: Dataset) -> dict[str, str]:
    """Id of a passage -> the document that it was cut from, as its metadata say; other documents are not in it."""
    try:
        return {
            one.doc_id: str(one.values[NAMES[0]]) for one in metadata.read(dataset) if {*NAMES} <= one.values.keys()
        }
    except RowError:
        return {}


def divided(
    queries: Sequence[Query], split: str, dev: int, test: int, whole: Mapping[str, str] = MappingProxyType({})
) -> dict[str, list[Query]]:
    """Split -> its queries: `dev` and `test` of them, by hash of the first document, and the rest.

    Queries of one first document are in one split; a split may have a few more than asked for. `test` comes first where
    it is there, then `dev`, then `split`.

    Args:
        queries: of all.
        split: what the rest is called.
        dev: how many are for that.
        test: likewise.
        whole: passage -> the document that it was cut from, all of whose passages are one here.
    """
    sizes = {DEV: dev, TEST: test}

    def _home(query: Query) -> str:
        first = next(iter(query.documents))
        return whole.get(first, first)

    order = sorted({_home(query) for query in queries}, key=lambda doc_id: hashlib.sha256(doc_id.encode()).digest())
    count: dict[str, int] = {}
    for query in queries:
        count[_home(query)] = count.get(_home(query), 0) + 1
    split_of: dict[str, str] = {}
    for name, size in sizes.items():
        for doc_id in order:
            if size <= 0:
                break
            if doc_id not in split_of:
                split_of[doc_id], size = name, size - count[doc_id]
    found: dict[str, list[Query]] = {}
    for query in queries:
        found.setdefault(split_of.get(_home(query), split), []).append(query)
    return {name: found[name] for name in sorted(found, key=[TEST, DEV, split].index)}


def write(
    out: Path,
    dataset: Dataset,
    kept: Collection[str],
    made: Mapping[str, Sequence[Query]],
    along: Collection[str] = (),
) -> list[Path]:
    """Write corpus, queries, judgements and `meta.json`; the files written.

    The corpus is copied as it lies there, with all its fields, but for a lenient reading's bad rows.

    Args:
        out: the folder.
        dataset: whose documents they are.
        kept: splits of it whose queries and judgements come along.
        made: split -> generated queries.
        along: ids of queries without judgements that come along.
    """
    corpus = out / (dataset.corpus_path.name if not dataset.reports else CORPUS)
    if dataset.reports:
        write_lines(corpus, (_json(_id=one.doc_id, title=one.title, text=one.text) for one in dataset.documents()))
    else:
        with files.atomic_path(corpus) as temporary:
            shutil.copyfile(dataset.corpus_path, temporary)
    ids = _ids({query.text for queries in made.values() for query in queries}, dataset)
    write_lines(out / QUERIES, _queries(dataset, kept, made, ids, along))
    written = [corpus, out / QUERIES]
    qrels = {split: dataset.qrels(split) for split in sorted(kept)}
    qrels |= {split: {ids[one.text]: dict.fromkeys(one.documents, 1) for one in made[split]} for split in sorted(made)}
    for split, judged in qrels.items():
        path = out / QRELS / f"{split}.tsv"
        write_qrels(path, judged)
        written.append(path)
    if dataset.ignore_identical_ids is not None:
        files.write_text(out / META, Meta(dataset.ignore_identical_ids).text)
        written.append(out / META)
    return written


def _queries(
    dataset: Dataset,
    kept: Collection[str],
    made: Mapping[str, Sequence[Query]],
    ids: Mapping[str, str],
    along: Collection[str],
) -> Iterator[str]:
    judged = {*along, *(query_id for split in kept for query_id in dataset.judgements[split])}
    for query_id, text in dataset.query_texts.items():
        if query_id in judged:
            yield _json(_id=query_id, text=text)
    for split in sorted(made):
        for one in made[split]:
            source = {"kind": one.kind, "documents": list(one.documents)}
            yield _json(_id=ids[one.text], text=one.text, metadata=source)


def _ids(texts: Collection[str], dataset: Dataset) -> dict[str, str]:
    """Text -> id, which is no document's and no other query's."""
    found, taken = {}, {*dataset.query_texts, *dataset.document_lines}
    for text in sorted(texts):
        name = f"{PREFIX}{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        while name in taken:
            name += "-"
        taken.add(name)
        found[text] = name
    return found


def _json(**fields: Any) -> str:
    return json.dumps(fields, ensure_ascii=False)
