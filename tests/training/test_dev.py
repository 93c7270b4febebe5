"""The quick dev test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import Dataset, load
from rankdistill.errors import DataError
from rankdistill.students import dense
from rankdistill.training import dev
from tests import arguana


def test_the_pool_holds_every_positive_and_a_sample_that_is_the_same_each_time(tiny_data: Dataset) -> None:
    one, other = (dev.sample(tiny_data, "dev", max_queries=4, max_documents=20) for _ in range(2))
    assert len(one.queries) == 4
    assert len(one.documents) == 20
    assert set().union(*(one.relevant(query_id) for query_id in one.queries)) <= set(one.documents)
    assert one == other


def test_positives_stay_where_they_alone_exceed_the_pool(tiny_data: Dataset) -> None:
    drawn = dev.sample(tiny_data, "dev", max_queries=6, max_documents=1)
    assert set(drawn.documents) == set().union(*(drawn.relevant(query_id) for query_id in drawn.queries))


def test_the_metric_is_ndcg_at_10(tiny_data: Dataset, tiny_encoder: str) -> None:
    student = dense.load(tiny_encoder)
    evaluation = dev.retrieval(student, tiny_data, "dev", max_queries=6, max_documents=40)
    evaluator = evaluation.evaluator
    queries, documents = student.encode(evaluator.queries), student.encode(evaluator.corpus)
    gains = []
    for query_id, scores in zip(evaluator.queries_ids, queries @ documents.T, strict=True):
        relevant = evaluator.relevant_docs[query_id]
        hits = [evaluator.corpus_ids[place] in relevant for place in np.argsort(-scores)[:10]]
        discount = 1 / np.log2(np.arange(2, 12))
        gains.append((hits * discount).sum() / discount[: len(relevant)].sum())
    assert evaluator(student)[evaluation.best] == pytest.approx(np.mean(gains), abs=1e-6)


def test_a_split_without_relevant_documents_is_an_error(tiny_data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Dataset, "qrels", lambda self, split: {"q12": {"d00": 0}})
    with pytest.raises(DataError, match="relevant document in split 'dev'"):
        dev.sample(tiny_data, "dev", 5, 5)


def test_the_querys_own_document_and_absent_ones_are_not_in_the_sample(tmp_path: Path) -> None:
    """What is left out of rankings does not compete in them; what the corpus lacks cannot be found."""
    folder = arguana.write(tmp_path / "arguana")
    drawn = dev.sample(load(folder), "test", max_queries=12, max_documents=100)
    assert len(drawn.queries) == 11
    assert not drawn.queries.keys() & drawn.documents.keys()
    assert set().union(*(drawn.relevant(query_id) for query_id in drawn.queries)) <= set(drawn.documents)
    kept = dev.sample(load(folder, ignore_identical_ids=False), "test", max_queries=12, max_documents=100)
    assert kept.queries.keys() <= kept.documents.keys()
