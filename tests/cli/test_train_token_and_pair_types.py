"""The verbs `train` and `rerank` with multi-vector students, cross-encoders and pair heads, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer

from rankdistill.data import load, trec
from rankdistill.evaluation.measures import best_first
from rankdistill.inference.loading import PAIR_HEAD
from rankdistill.teachers import load as load_teacher
from tests.cli.test_train import store
from tests.cli.verb import Run

__all__ = ["store"]  # a fixture

TYPES = ("multi-vector", "cross-encoder", "pair-head")
LIBRARY = {"multi-vector": MultiVectorEncoder, "cross-encoder": CrossEncoder, "pair-head": SentenceTransformer}


@pytest.fixture
def words(tiny_beir: Path, store: Path, tiny_encoder: str, tmp_path: Path) -> list[object]:
    """The line of the manual, but for the type."""
    given = ["--data", tiny_beir, "--store", store, "--student", tiny_encoder, "--out", tmp_path / "student"]
    return ["train", *given, "--steps", 2, "--batch-size", 2]


@pytest.mark.parametrize("type_", TYPES)
def test_a_student_is_trained_and_orders_a_run(
    type_: str, words: list[object], tiny_beir: Path, tmp_path: Path, rankdistill: Run
) -> None:
    student, first, out = tmp_path / "student", tmp_path / "first", tmp_path / "reranked"
    status, shown = rankdistill(*words, "--type", type_, "--dev-split", "dev")
    assert (status, "student: " in shown, "dev nDCG@10: " in shown) == (0, True, True), shown
    parameters = json.loads((student / "manifest.json").read_text())["parameters"]
    assert (parameters["type"], parameters["loss"]) == (type_, "margin_mse")
    LIBRARY[type_](str(student), device="cpu")
    assert (student / PAIR_HEAD).is_file() == (type_ == "pair-head")
    assert "up to date" in rankdistill(*words, "--type", type_, "--dev-split", "dev")[1]

    assert rankdistill("evaluate", "--data", tiny_beir, "--model", "bm25", "--out", first)[0] == 0
    line = ("rerank", "--run", first, "--data", tiny_beir, "--model", student, "--depth", 5, "--out", out)
    status, shown = rankdistill(*line)
    assert (status, "BM25" in shown, "student on BM25" in shown) == (0, True, True), shown
    agrees_with_python(student, tiny_beir, *(trec.read_run(folder / "run.trec")[0] for folder in (first, out)))


def agrees_with_python(student: Path, folder: Path, before: trec.Run, after: trec.Run) -> None:
    """The five best of each query, and no others, have the scores that Python gives them."""
    dataset, scorer = load(folder), load_teacher(str(student))
    texts = {**dataset.queries("test"), **dataset.contents}
    for query_id, found in after.items():
        ids = [doc_id for doc_id, _ in best_first(before[query_id])]
        expected = scorer.score([(texts[query_id], texts[doc_id]) for doc_id in ids[:5]])
        assert [found[doc_id] for doc_id in ids[:5]] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)
        assert [doc_id for doc_id, _ in best_first(found)][5:] == ids[5:]


@pytest.mark.parametrize("type_", TYPES)
def test_layers_and_settings_of_a_file_reach_the_run(
    type_: str, words: list[object], tmp_path: Path, rankdistill: Run
) -> None:
    (tmp_path / "train.yaml").write_text("token_dimension: 8\npair_width: 12\nmax_document_length: 20\n")
    flags = ("--type", type_, "--loss", "kl", "--keep-layers", "0,2", "--config", tmp_path / "train.yaml")
    status, shown = rankdistill(*words, *flags)
    assert status == 0, shown
    parameters = json.loads((tmp_path / "student/manifest.json").read_text())["parameters"]
    assert (parameters["keep_layers"], parameters["loss"]) == ([0, 2], "kl_div")
    model = LIBRARY[type_](str(tmp_path / "student"), device="cpu")
    assert sum("attention.self.query.weight" in name for name, _ in model.named_parameters()) == 2
    if type_ == "multi-vector":
        assert model.encode_query(["river"])[0].shape[1] == 8


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--type", "late-interaction"], "'pair-head'"),
        (["--type", "multi-vector", "--query-regulariser", "flops"], "query regulariser"),
        (["--type", "cross-encoder", "--keep-layers", "0,7"], "layer"),
        (["--type", "pair-head", "--loss", "leaf"], "margin_mse"),
        (["--type", "pair-head", "--student", "./nowhere"], "nowhere"),
    ],
)
def test_bad_settings_are_one_clear_error(
    flags: list[str], message: str, words: list[object], tmp_path: Path, rankdistill: Run
) -> None:
    status, shown = rankdistill(*words, *flags)
    assert (status != 0, message in shown, "Traceback" in shown) == (True, True, False), shown
    assert not (tmp_path / "student/manifest.json").exists()
