"""The check before a long run: a teacher on a back end that is not exact, against float32, on a few candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from rankdistill import files, locations, tables
from rankdistill.inference.fidelity import LEAST, Fidelity, Measure, SamplePair, compare
from rankdistill.stores.layout import Layout
from rankdistill.stores.registering import named_ids
from rankdistill.stores.texts import require_known
from rankdistill.teachers.base import ApproximateTeacher, PairTeacher

Record = dict[str, Any]
"""The figures of a `Fidelity`, and the content hash of the `candidates` that were sampled; JSON values."""

PAIRS = 256
"""Candidates that are scored twice."""

PAIRS_A_QUERY = 16
"""So many of one query, so that its ranking can be compared."""


@dataclass(frozen=True)
class FidelityCheck:
    """What is asked of a teacher that is not exact.

    Args:
        least: smallest Spearman correlation with float32 accepted; 0 leaves the check out.
        measure: judges rankings, where candidates have labels.
    """

    least: float = LEAST
    measure: Measure | None = None

    def run(
        self,
        layout: Layout,
        teacher: PairTeacher,
        candidates: Path,
        candidates_hash: str,
        queries: Mapping[str, str],
        documents: Mapping[str, str],
    ) -> Record | None:
        """Compare `teacher` with its exact form, unless the store holds the figures of that already. Writes nothing.

        Args:
            layout: the store.
            teacher: asked for scores of at most `PAIRS` pairs.
            candidates: the candidate table.
            candidates_hash: its content hash.
            queries: query id -> text.
            documents: document id -> text.

        Returns:
            What `keep_fidelity` takes; None for a teacher that is exact.

        Raises:
            BackendFidelityError: the scores are too far from float32's.
            DataError: the candidates name ids that the data set lacks.
        """
        exact = teacher.exact() if self.least and isinstance(teacher, ApproximateTeacher) else None
        if exact is None:
            return None
        record = read_fidelity(layout, teacher.teacher_id)
        if record is None or record["candidates"] != candidates_hash:
            sample = draw(candidates)
            require_known("query_id", {pair.query_id for pair in sample}, queries)
            require_known("doc_id", {pair.doc_id for pair in sample}, documents)
            texts = [(queries[pair.query_id], documents[pair.doc_id]) for pair in sample]
            found = compare(sample, exact().score(texts), teacher.score(texts), self.measure)
            record = {"candidates": candidates_hash, **found.record}
        figures = {name: value for name, value in record.items() if name != "candidates"}
        Fidelity(**figures).require(self.least, teacher.teacher_id)
        return record


def keep_fidelity(layout: Layout, teacher_id: str, record: Record) -> None:
    """Put the figures into the store; idempotent. Call it while holding the store's lock."""
    files.write_text(layout.fidelity(teacher_id), json.dumps(record, indent=1, sort_keys=True) + "\n")


def read_fidelity(layout: Layout, teacher_id: str) -> Record | None:
    """The figures that the store holds for a teacher, if any."""
    path = layout.fidelity(teacher_id)
    return json.loads(path.read_text(encoding="utf-8")) if locations.is_file(path) else None


def draw(candidates: Path, pairs: int = PAIRS, pairs_a_query: int = PAIRS_A_QUERY) -> list[SamplePair]:
    """At most `pairs` candidates of queries spread evenly over the table; of each, the labelled ones come first.

    The same table gives the same pairs. The rest of a query's pairs are spread evenly over its candidates.
    """
    names = sorted(named_ids(candidates)[0])
    chosen = _spread(names, max(1, pairs // pairs_a_query))
    found: dict[str, dict[str, int | None]] = {name: {} for name in chosen}
    with tables.open_parquet(candidates) as source:
        for batch in source.iter_batches(columns=["query_id", "doc_id", "label"]):
            kept = batch.filter(pc.is_in(batch.column(0), value_set=pa.array(chosen, pa.string())))
            for query_id, doc_id, label in zip(*(column.to_pylist() for column in kept.columns), strict=True):
                if label is not None or doc_id not in found[query_id]:
                    found[query_id][doc_id] = label
    sample = []
    for query_id, labels in found.items():
        judged = [doc_id for doc_id in sorted(labels) if labels[doc_id] is not None][:pairs_a_query]
        others = [doc_id for doc_id in sorted(labels) if labels[doc_id] is None]
        wanted = [*judged, *_spread(others, pairs_a_query - len(judged))]
        sample += [SamplePair(query_id, doc_id, labels[doc_id]) for doc_id in wanted]
    return sample


def _spread(names: list[str], count: int) -> list[str]:
    """At most `count` of `names`, at even distances."""
    if len(names) <= count:
        return names
    return [names[place * len(names) // count] for place in range(count)]
