"""Multi-vector and cross-encoder students through the command line: index, search, evaluate, rerank."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankdistill import manifest
from rankdistill.data import load, trec
from rankdistill.evaluation.rerank import rerank
from rankdistill.teachers import load as load_teacher
from tests.cli.verb import Run


@pytest.fixture
def bm25(rankdistill: Run, tiny_beir: Path, tmp_path: Path) -> Path:
    """An evaluation of BM25 on the test split."""
    out = tmp_path / "bm25"
    assert rankdistill("evaluate", "--data", tiny_beir, "--model", "bm25", "--out", out)[0] == 0
    return out


@pytest.mark.parametrize("backend", ["exact", "token-ivf"])
def test_from_an_index_to_an_evaluation(
    rankdistill: Run, tiny_beir: Path, tiny_multi_vector: str, tmp_path: Path, backend: str
) -> None:
    index, out = tmp_path / "index", tmp_path / "evaluated"
    line = ("index", "--data", tiny_beir, "--model", tiny_multi_vector, "--backend", backend, "--out", index)
    status, shown = rankdistill(*line)
    assert (status, "40 documents" in shown) == (0, True)
    assert manifest.expect(index, "index", "index").parameters["kind"] == "multi_vector"
    assert "d" in rankdistill("search", "--index", index, "--query", "old river", "--k", 3)[1]
    assert rankdistill("evaluate", "--index", index, "--data", tiny_beir, "--out", out)[0] == 0
    assert (out / "run.trec").is_file()


@pytest.mark.parametrize("kind", ["tiny_multi_vector", "tiny_cross_encoder", "tiny_encoder"])
def test_a_run_is_ordered_by_a_model(
    rankdistill: Run, bm25: Path, tiny_beir: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    model, out = request.getfixturevalue(kind), tmp_path / "reranked"
    line = ("rerank", "--run", bm25, "--data", tiny_beir, "--model", model, "--depth", 4, "--out", out)
    status, shown = rankdistill(*line)
    assert (status, "BM25" in shown) == (0, True), shown
    before, after = (trec.read_run(folder / "run.trec")[0] for folder in (bm25, out))
    dataset = load(tiny_beir)
    scores = rerank(before, dataset.queries("test"), dataset.contents, load_teacher(model), depth=4)
    for query_id, found in after.items():
        assert found.keys() == before[query_id].keys()
        best = sorted(found, key=found.__getitem__, reverse=True)[:4]
        assert [found[doc_id] for doc_id in best] == pytest.approx(
            [scores[query_id][doc_id] for doc_id in best], rel=1e-4
        )


def test_bad_runs_and_models_are_refused_in_a_line(
    rankdistill: Run, bm25: Path, tiny_beir: Path, tiny_cross_encoder: str, tmp_path: Path
) -> None:
    out = tmp_path / "reranked"
    line = ("rerank", "--data", tiny_beir, "--out", out)
    for run, model, split, said in (
        (tmp_path / "none", tiny_cross_encoder, "test", "none"),
        (bm25, tmp_path / "nothing", "test", "nothing"),
        (bm25, tiny_cross_encoder, "dev", "split"),
    ):
        status, shown = rankdistill(*line, "--run", run, "--model", model, "--split", split)
        assert (status, said in shown, "Traceback" in shown) == (1, True, False), shown
    assert not out.exists()
