"""Recall against effort, with indexes small enough to be checked by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from rankdistill.errors import ConfigError
from rankdistill.evaluation.ann import (
    Effort,
    exact_scores,
    least,
    parse_effort,
    recall_curves,
    recall_of,
    share_of_best,
)
from rankdistill.evaluation.ann_report import write_report
from rankdistill.evaluation.ann_result import AnnRecall, Curve, Point, curve_rows, needed_rows
from rankdistill.indexing.base import NOTHING
from tests.evaluation.test_report import Page
from tests.evaluation.vectors import pairings, qrels_of


def test_ivf_recall_is_that_of_searching_the_nearest_lists_by_hand() -> None:
    """The inverted lists are read out of FAISS; probing them is done here in numpy."""
    import faiss

    teacher, _, asymmetric = pairings(documents=300)
    effort = Effort("nprobe", (1, 3, 8))
    curves = recall_curves([teacher, asymmetric], "dot", qrels_of(teacher), "IVF8,Flat", effort, repeats=0)
    vectors = teacher.documents.vectors
    index: Any = faiss.index_factory(vectors.shape[1], "IVF8,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors)
    centroids = index.quantizer.reconstruct_n(0, 8)
    home = np.argmax(vectors @ centroids.T, axis=1)
    for pairing, curve in zip((teacher, asymmetric), curves, strict=True):
        scores = pairing.queries.vectors @ vectors.T
        truth = np.argsort(-scores, axis=1)[:, :10]
        lists = np.argsort(-(pairing.queries.vectors @ centroids.T), axis=1)
        for point in curve.points:
            found = [
                np.isin(home[wanted], near[: point.value]).sum() / 10 for wanted, near in zip(truth, lists, strict=True)
            ]
            assert point.recall == pytest.approx(np.mean(found))
        assert curve.points[-1].recall == 1
        assert curve.points[-1].ndcg_at_10 == pytest.approx(curve.exact)
        by_value = {point.value: point.recall for point in curve.points}
        needed = curve.needed["0.95"]
        assert needed is not None
        assert by_value[8] >= 0.95
        assert all(recall < 0.95 for value, recall in by_value.items() if value < needed)


def test_hnsw_finds_more_with_more_effort() -> None:
    teacher, _, asymmetric = pairings(documents=2000, queries=60)
    effort = Effort("efSearch", (1, 16, 512))
    curves = recall_curves([teacher, asymmetric], "cosine", qrels_of(teacher), "HNSW4", effort)
    for curve in curves:
        recalls = [point.recall for point in curve.points]
        assert recalls == sorted(recalls)
        assert recalls[0] < 0.9 < recalls[-1]
        assert all(point.milliseconds is not None and point.milliseconds > 0 for point in curve.points)


@pytest.mark.parametrize("target", [0.0, 0.3, 0.95, 1.0])
def test_the_least_effort_is_found_by_bisection(target: float) -> None:
    recalls = {value: value / 37 for value in range(1, 38)}
    expected = min(value for value, recall in recalls.items() if recall >= target)
    assert least(recalls.__getitem__, 37, target) == expected
    assert least(lambda value: 0.5, 37, 0.9) is None


def test_recall_counts_shared_documents() -> None:
    found, truth = (
        np.array([["a", "b", ""], ["c", "d", "e"]], object),
        np.array([["a", "c", "d"], ["e", "d", "c"]], object),
    )
    assert recall_of(found, truth) == pytest.approx((1 / 3 + 1) / 2)


def test_effort_as_typed() -> None:
    assert parse_effort("efSearch=64,16,16") == Effort("efSearch", (16, 64))
    for bad in ("", "efSearch", "efSearch=", "=4", "nprobe=1.5", "nprobe=0", "nprobe=a"):
        with pytest.raises(ConfigError, match="NAME=V1"):
            parse_effort(bad)


def test_other_documents_are_refused() -> None:
    teacher, student, _ = pairings()
    with pytest.raises(ConfigError, match="teacher, student"):
        recall_curves([teacher, student], "dot", qrels_of(teacher), "Flat", Effort("nprobe", (1,)))


@pytest.fixture
def result() -> AnnRecall:
    def curve(name: str, needed: dict[str, int | None], milliseconds: float | None = 0.5) -> Curve:
        return Curve(name, 0.7, tuple(Point(value, 0.9, 0.65, milliseconds) for value in (16, 32)), needed)

    curves = (curve("teacher", {"0.95": 10, "0.99": 20}), curve("asymmetric", {"0.95": 25, "0.99": None}))
    return AnnRecall("tiny & small", "test", 6, 40, "HNSW32", "efSearch", curves, {"command": "<a>"})


def test_tables_show_what_was_found_and_what_is_needed(result: AnnRecall) -> None:
    header, rows = curve_rows(result)
    assert header == ["queries by", "efSearch", "recall@10", "nDCG@10", "ms/query"]
    assert rows[0] == ["teacher", "16", "0.9000", "0.6500", "0.500"]
    assert rows[2] == ["teacher", "exact", "1.0000", "0.7000", "-"]
    assert needed_rows(result) == (
        ["queries by", "efSearch for 0.95", "efSearch for 0.99"],
        [["teacher", "10", "20"], ["asymmetric", "25 (x2.50)", "> 32"]],
    )


def test_what_is_written_can_be_read_and_the_page_is_whole(result: AnnRecall, tmp_path: Path) -> None:
    result.write(tmp_path)
    text = (tmp_path / "ann.json").read_bytes()
    assert TypeAdapter(AnnRecall).validate_json(text) == result
    assert json.loads(text)["ratios"] == {"asymmetric": {"0.95": 2.5, "0.99": None}}
    write_report(result, tmp_path)
    page = Page()
    page.feed((tmp_path / "report.html").read_text())
    assert page.open == []
    assert "tiny & small" in page.text
    assert (tmp_path / "ann.png").read_bytes().startswith(b"\x89PNG")


def test_a_document_with_the_same_score_is_as_good_as_another() -> None:
    """Of 30 copies, exact search returns ten and an index perhaps ten others."""
    vectors = np.eye(4, dtype=np.float32)[[0] * 30 + [1, 2]]
    scores = exact_scores([f"d{row}" for row in range(32)], vectors, "dot")
    query = np.array([[1, 0.5, 0, 0]], np.float32)
    truth = np.array([[f"d{row}" for row in range(10)]], object)
    others = np.array([[*(f"d{row}" for row in range(20, 28)), "d30", NOTHING]], object)
    wanted = scores(query, truth)
    assert share_of_best(wanted, wanted) == 1
    assert share_of_best(scores(query, others), wanted) == pytest.approx(0.8)
