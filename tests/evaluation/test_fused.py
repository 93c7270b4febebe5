"""Fused systems: what they return, stored runs, and weights that never see the test queries."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rankdistill import data
from rankdistill.data import Dataset, trec
from rankdistill.errors import ConfigError, DataError
from rankdistill.evaluation.evaluating import evaluate
from rankdistill.evaluation.fused import FusedRetriever, fit_on, fuse_runs
from rankdistill.evaluation.measures import Run, ndcg_at_10
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.evaluation.stored_run import StoredRun
from rankdistill.fusion import Fusion


class Fixed:
    """Answers every query with one ranking."""

    def __init__(self, name: str, scores: Mapping[str, float]) -> None:
        self.name, self._scores, self.asked = name, scores, 0
        self.fingerprint: Mapping[str, object] = {"fixed": dict(scores)}

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """The same for each, cut at `k`."""
        self.asked = k
        return {query_id: dict(list(self._scores.items())[:k]) for query_id in queries}


@pytest.fixture
def dataset(tiny_beir: Path) -> Dataset:
    return data.load(tiny_beir)


class Oracle(Fixed):
    """Answers each query with its relevant documents."""

    def __init__(self, dataset: Dataset, splits: tuple[str, ...]) -> None:
        super().__init__("oracle", {})
        self._relevant = {
            query_id: {doc_id: 1.0 for doc_id in labels}
            for split in splits
            for query_id, labels in dataset.qrels(split).items()
        }

    def retrieve(self, queries: Mapping[str, str], k: int) -> Run:
        """The relevant ones, all with one score."""
        return {query_id: self._relevant[query_id] for query_id in queries}


def test_a_fused_system_asks_deeper_than_it_answers(dataset: Dataset) -> None:
    parts = [Fixed("one", {f"d{i:02d}": 40.0 - i for i in range(40)}), Fixed("two", {"d39": 1.0, "d00": 0.5})]
    fused = FusedRetriever(parts, Fusion(), depth=40)
    run = fused.retrieve(dataset.queries("test"), 3)
    assert parts[0].asked == parts[1].asked == 40
    assert {tuple(scores) for scores in run.values()} == {("d00", "d39", "d01")}
    assert fused.name == "rrf of one + two"


def test_ties_of_a_run_are_ranked_as_in_evaluation() -> None:
    fused = fuse_runs([{"q": {"a": 1.0, "c": 1.0, "b": 1.0}}, {"q": {"z": 2.0}}], Fusion(k=0))
    assert fused["q"] == pytest.approx({"c": 1.0, "b": 1 / 2, "a": 1 / 3, "z": 1.0})


def test_a_query_that_one_run_lacks_is_answered_by_the_others() -> None:
    fused = fuse_runs([{"q1": {"a": 1.0}}, {"q2": {"b": 1.0}}], Fusion("min_max"))
    assert {query_id: list(found) for query_id, found in fused.items()} == {"q1": ["a"], "q2": ["b"]}


def test_a_stored_evaluation_gives_its_own_measures_again(dataset: Dataset, tmp_path: Path) -> None:
    evaluation = evaluate(Bm25Retriever(dataset), dataset, "test", tmp_path / "bm25")
    stored = StoredRun(tmp_path / "bm25", dataset, "test")
    again = evaluate(stored, dataset, "test", tmp_path / "again")
    assert again.system.measures == evaluation.system.measures
    assert stored.name == "BM25"


def test_fitting_finds_the_system_that_knows(dataset: Dataset) -> None:
    noise = Fixed("noise", {f"d{i:02d}": 40.0 - i for i in range(40)})
    assert ndcg_at_10(noise.retrieve(dataset.queries("dev"), 100), dataset.qrels("dev")) < 0.5
    parts = [noise, Oracle(dataset, ("dev", "test"))]
    fusion, quality = fit_on(parts, Fusion("min_max"), dataset, "dev", "test")
    assert fusion.weights == (0.5, 0.5)
    run = FusedRetriever(parts, fusion).retrieve(dataset.queries("test"), 10)
    assert quality == pytest.approx(1.0)
    assert ndcg_at_10(run, dataset.qrels("test")) == pytest.approx(1.0)


def test_weights_are_never_fitted_on_test_queries(dataset: Dataset) -> None:
    parts = [Bm25Retriever(dataset), Bm25Retriever(dataset, k1=2.0)]
    for split, tested in (("test", "test"), ("dev", "dev"), ("test", "dev")):
        with pytest.raises(ConfigError, match="too good to be true"):
            fit_on(parts, Fusion(), dataset, split, tested)


def test_a_split_that_shares_queries_with_the_tested_one_is_refused(tiny_beir: Path) -> None:
    with (tiny_beir / "qrels" / "dev.tsv").open("a") as file:
        file.write("q18\td00\t1\n")
    dataset = data.load(tiny_beir)
    with pytest.raises(ConfigError, match="shares 1 queries"):
        fit_on([Bm25Retriever(dataset)] * 2, Fusion(), dataset, "dev", "test")


def test_runs_of_other_splits_data_or_documents_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    evaluate(Bm25Retriever(dataset), dataset, "dev", tmp_path / "dev")
    with pytest.raises(DataError, match="split 'dev'"):
        StoredRun(tmp_path / "dev", dataset, "test")
    with pytest.raises(DataError, match="answers none"):
        StoredRun(tmp_path / "dev" / "run.trec", dataset, "test")
    trec.write_run(tmp_path / "foreign.trec", {"q18": {"elsewhere": 1.0}}, "x")
    with pytest.raises(DataError, match="'elsewhere'"):
        StoredRun(tmp_path / "foreign.trec", dataset, "test")
    with pytest.raises(DataError, match="nowhere"):
        StoredRun(tmp_path / "nowhere", dataset, "test")
