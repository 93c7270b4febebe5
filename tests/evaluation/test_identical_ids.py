"""ArguAna's layout: the numbers of a task of mteb's own and of beir, with the rule on identical ids and without."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import pytrec_eval

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation import evaluating, run_files
from rankdistill.evaluation.comparing import compare
from rankdistill.evaluation.evaluating import TOOLS, evaluate
from rankdistill.evaluation.fused import FusedRetriever
from rankdistill.evaluation.measures import Run, evaluate_run
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.rerank import Reranker
from rankdistill.evaluation.results import require_agreement
from rankdistill.evaluation.retrieve import Bm25Retriever, Retriever
from rankdistill.evaluation.stored_run import StoredRun
from rankdistill.fusion import Fusion
from rankdistill.manifest import digest
from tests import arguana
from tests.evaluation.fakes import FakeRetriever

TREC_NAMES = {"ndcg_at_10": "ndcg_cut_10", "recall_at_100": "recall_100", "map_at_100": "map_cut_100"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return arguana.write(tmp_path / "arguana")


def trec_eval(run: Run, dataset: Dataset, ignore: bool) -> dict[str, float]:
    """By pytrec_eval, of a run that answers every query, as beir and mteb call it."""
    given = {
        query_id: {one: score for one, score in run.get(query_id, {}).items() if not (ignore and one == query_id)}
        for query_id in dataset.qrels("test")
    }
    measures = {"ndcg_cut.10", "recall.100", "map_cut.100"}
    found = pytrec_eval.RelevanceEvaluator(dataset.qrels("test"), measures).evaluate(given)
    return {ours: sum(row[theirs] for row in found.values()) / len(found) for ours, theirs in TREC_NAMES.items()}


def mteb_scores(model: Any, dataset: Dataset, ignore: bool, folder: Path) -> tuple[dict[str, float], Run]:
    """What mteb says of its own model on its own task class, and the run that it measured."""
    mteb = pytest.importorskip("mteb")
    from datasets import Dataset as Table
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.task_metadata import TaskMetadata

    class Task(AbsTaskRetrieval):
        metadata = TaskMetadata(
            name=f"ArguAnaLike{ignore}",
            description="a task as ArguAna's",
            dataset={"path": "local/arguana", "revision": digest([dataset.fingerprint, ignore])[:40]},
            type="Retrieval",
            eval_langs=["eng-Latn"],
            eval_splits=["test"],
            main_score="ndcg_at_10",
        )
        ignore_identical_ids = ignore

        def load_data(self, num_proc: int | None = None, **unused: Any) -> None:
            rows = [{"id": row.doc_id, "title": row.title, "text": row.text} for row in dataset.documents()]
            queries = [{"id": name, "text": text} for name, text in dataset.queries("test").items()]
            content = {
                "corpus": Table.from_list(rows),
                "queries": Table.from_list(queries),
                "relevant_docs": dataset.qrels("test"),
                "top_ranked": None,
            }
            self.dataset = {"default": {"test": content}}
            self.data_loaded = True

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mteb calls what its libraries are about to drop
        result = mteb.evaluate(
            model,
            Task(),
            cache=mteb.ResultCache(folder / "cache"),
            prediction_folder=folder / "predictions",
            co2_tracker=False,
            show_progress_bar=False,
        )
    (written,) = (folder / "predictions").rglob("*predictions.json")
    return result.task_results[0].scores["test"][0], json.loads(written.read_text())["default"]["test"]


@pytest.mark.parametrize("by_hand", [None, True, False])
@pytest.mark.parametrize("system", ["bm25", "embedder"])
def test_ours_are_mtebs_and_beirs_numbers(
    folder: Path, tiny_encoder: str, tmp_path: Path, by_hand: bool | None, system: str
) -> None:
    """Nothing is said of the folder: each query's own document has its text, and is left out as both tools leave it."""
    pytest.importorskip("beir")
    from beir.retrieval.evaluation import EvaluateRetrieval

    ignore = by_hand is not False
    dataset = data.load(folder, ignore_identical_ids=by_hand)
    retriever: Retriever = Bm25Retriever(dataset)
    if system == "embedder":
        retriever = open_retriever(dataset, tiny_encoder, backend="torch")
    found = evaluate(retriever, dataset, "test", tmp_path / "out", through=TOOLS)
    ours = found.system.measures
    require_agreement(found)
    assert found.queries == 12

    everything = data.load(folder, ignore_identical_ids=False)
    raw: Retriever = Bm25Retriever(everything)
    if system == "embedder":
        raw = open_retriever(everything, tiny_encoder, backend="torch")
    run = raw.retrieve(everything.queries("test"), 100)
    assert all(query_id in scores for query_id, scores in run.items())
    assert {name: ours[name] for name in TREC_NAMES} == pytest.approx(trec_eval(run, dataset, ignore), abs=1e-6)
    assert evaluate_run(run, dataset.qrels("test"), ignore).means == pytest.approx(ours, abs=1e-12)
    copied = {query_id: dict(scores) for query_id, scores in run.items()}
    ndcg, mean_precision, recall, _ = EvaluateRetrieval.evaluate(dataset.qrels("test"), copied, [10, 100], ignore)
    theirs = {
        "ndcg_at_10": ndcg["NDCG@10"],
        "map_at_100": mean_precision["MAP@100"],
        "recall_at_100": recall["Recall@100"],
    }
    assert theirs == pytest.approx({name: round(ours[name], 5) for name in theirs}, abs=1e-6)
    if system == "embedder":
        from sentence_transformers import SentenceTransformer

        scores, predicted = mteb_scores(SentenceTransformer(tiny_encoder), dataset, ignore, tmp_path / "mteb")
        assert {name: scores[name] for name in theirs} == pytest.approx(theirs, abs=1e-6)
        assert trec_eval(predicted, dataset, ignore) == pytest.approx({name: ours[name] for name in theirs}, abs=1e-6)


def test_the_rule_changes_the_numbers_and_the_identity(folder: Path, tmp_path: Path) -> None:
    systems = {rule: data.load(folder, ignore_identical_ids=rule) for rule in (None, True, False)}
    for rule, dataset in systems.items():
        evaluate(Bm25Retriever(dataset), dataset, "test", tmp_path / str(rule))
    means = {rule: json.loads((tmp_path / str(rule) / "results.json").read_text())["mrr_at_10"] for rule in systems}
    assert means[None] == means[True] > means[False]
    identities = {
        rule: json.loads((tmp_path / str(rule) / "manifest.json").read_text())["identity"] for rule in systems
    }
    assert identities[None] == identities[True] != identities[False]
    with pytest.raises(DataError, match=r"own_documents_left_out\): .*[^0-9]0(.|\n)*both with --ignore-identical-ids"):
        compare([tmp_path / "False"], tmp_path / "True")
    with pytest.raises(DataError, match=r"left out there(.|\n)*give --ignore-identical-ids here too"):
        StoredRun(tmp_path / "True", systems[False], "test")
    kept = StoredRun(tmp_path / "False", systems[True], "test")
    found = evaluate(kept, systems[True], "test", tmp_path / "again")
    assert found.system.measures["mrr_at_10"] == means[True]


def test_re_rankers_fusions_and_foreign_systems_follow_it_and_lose_no_depth(folder: Path) -> None:
    dataset = data.load(folder)
    scored: list[tuple[str, str]] = []

    class Teacher:
        fingerprint = {"teacher": "length"}  # noqa: RUF012

        def score(self, pairs: Any, progress: Any = None) -> Any:
            scored.extend(pairs)
            import numpy as np

            return np.array([len(document) for _, document in pairs], dtype=np.float32)

    queries = dataset.queries("test")
    fused = FusedRetriever([Bm25Retriever(dataset), FakeRetrieverOf(dataset)], Fusion())
    for system in (Reranker(dataset, FakeRetriever(dataset), Teacher(), "t", depth=5), fused):
        for query_id, scores in system.retrieve(queries, 5).items():
            assert query_id not in scores
            assert len(scores) == 5
    assert len(scored) == 5 * len(queries)
    assert not any(text.strip() in document for text, document in scored)


class FakeRetrieverOf(Bm25Retriever):
    """Another ranking of the same documents."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset, "other", k1=0.1, b=0.9)


def test_a_system_of_anothers_is_asked_again_where_it_returned_the_querys_own_document(
    folder: Path, tmp_path: Path
) -> None:
    dataset = data.load(folder)
    system = FakeRetriever(dataset)
    evaluate(system, dataset, "test", tmp_path)
    assert [k for _, k in system.calls] == [100, 101]
    run = run_files.read(tmp_path / run_files.TREC_FILE)
    assert all(query_id not in scores and len(scores) == 23 for query_id, scores in run.items())


def test_what_was_evaluated_before_such_a_rule_keeps_its_identity(tiny_beir: Path, tmp_path: Path) -> None:
    dataset = data.load(tiny_beir)
    evaluate(FakeRetriever(dataset), dataset, "dev", tmp_path)
    written = json.loads((tmp_path / "manifest.json").read_text())
    assert written["parameters"].keys() == {"split", "depth", "through", "latency_queries", "name", "costs"}
    assert evaluating.evaluate(FakeRetriever(dataset), data.load(tiny_beir, "strict", True), "dev", tmp_path)
