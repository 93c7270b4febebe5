"""Whole runs of sparse students: the artefact, what is learnt, resuming, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SparseEncoder

from rankdistill import manifest
from rankdistill.data import Dataset
from rankdistill.errors import ConfigError, ModelReferenceError
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.students.idf import idf
from rankdistill.teachers.teaching.training_log import LOG_FILE
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_run import SMALL, log, stop_at

SPARSE = ("splade", "splade-doc", "inference-free")

Run = Callable[..., Path]


@pytest.fixture
def run(tiny_data: Dataset, tiny_store: MemoryStore, tiny_splade: str, tmp_path: Path) -> Run:
    def start(type_: str, name: str = "student", *, student: str = tiny_splade, **given: Any) -> Path:
        options = {key: given.pop(key) for key in list(given) if key not in TrainConfig.model_fields}
        settings = {**SMALL, "steps": 8, "type": type_, **given}
        return train(tiny_data, tiny_store, student, tmp_path / name, TrainConfig(**settings), **options)

    return start


def weights_of(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(folder.rglob("*.safetensors"))]


@pytest.mark.parametrize("type_", SPARSE)
def test_a_student_loads_with_plain_sentence_transformers_and_has_changed(
    type_: str, run: Run, tiny_splade: str
) -> None:
    out = run(type_)
    student, before = (SparseEncoder(path, device="cpu") for path in (str(out), tiny_splade))
    texts = ["old river", "the glass planet is small"]
    now, then = (model.encode_document(texts, convert_to_sparse_tensor=False) for model in (student, before))
    assert student.similarity_fn_name == "dot"
    assert now.shape == then.shape
    assert not torch.allclose(now, then, atol=1e-3)
    assert manifest.expect(out, "student", "train").parameters["type"] == type_
    assert "SparseEncoder" in (out / "README.md").read_text()


@pytest.mark.parametrize("type_", ["splade-doc", "inference-free"])
def test_queries_of_static_weights_run_without_the_transformer(type_: str, run: Run) -> None:
    encoder = SparseTextEncoder(str(run(type_)))
    assert encoder.inference_free
    (row,) = encoder.encode_queries(["the old old river"]).toarray()
    assert {encoder.vocabulary[term] for term in np.flatnonzero(row)} == {"the", "old", "river"}


def test_splade_doc_counts_each_token_once(run: Run) -> None:
    (row,) = SparseTextEncoder(str(run("splade-doc"))).encode_queries(["the old old river"]).toarray()
    assert sorted(row[row > 0]) == [1.0, 1.0, 1.0]


def test_idf_weights_are_those_of_the_collection_and_stay(run: Run, tiny_data: Dataset) -> None:
    student = SparseEncoder(str(run("inference-free", query_weights="idf")), device="cpu")
    expected = idf(student.tokenizer, tiny_data.contents.values(), len(student.tokenizer))
    found = student[0].sub_modules["query"][0].weight.detach().numpy()
    np.testing.assert_array_equal(found, expected)


def test_learned_weights_start_at_the_idf_and_move(run: Run, tiny_data: Dataset) -> None:
    student = SparseEncoder(str(run("inference-free", query_weights_learning_rate=0.05)), device="cpu")
    start = idf(student.tokenizer, tiny_data.contents.values(), len(student.tokenizer))
    found = student[0].sub_modules["query"][0].weight.detach().numpy()
    assert 0.01 < np.abs(found - start).max() < 1.0
    assert found.min() >= 0


def test_learned_weights_never_become_negative(run: Run) -> None:
    student = SparseEncoder(str(run("inference-free", query_weights_learning_rate=5.0)), device="cpu")
    assert student[0].sub_modules["query"][0].weight.min() == 0


@pytest.mark.parametrize("loss", ["margin_mse", "kl", "splade_v3"])
def test_the_loss_falls(loss: str, run: Run) -> None:
    free = {"query_regulariser": "none", "document_regulariser": "none"}
    out = run("splade", loss=loss, steps=60, eval_steps=60, learning_rate=5e-3, scale=0.3, **free)
    curve = [point["loss"] for point in log(out)["loss"]]
    assert np.mean(curve[-4:]) < 0.8 * np.mean(curve[:4])


@pytest.mark.parametrize("regulariser", ["flops", "l1", "idf_flops", "l0_flops"])
def test_every_regulariser_makes_documents_sparser(regulariser: str, run: Run) -> None:
    heavy = {"document_regulariser": regulariser, "document_regulariser_weight": 50.0, "regulariser_warmup": 0.0}
    settings = {"steps": 24, "learning_rate": 5e-3, "query_regulariser": "none", "regulariser_threshold": 5}
    points = log(run("splade", **settings, **heavy))["loss"]
    assert points[-1]["document_terms"] < 0.7 * points[0]["document_terms"]
    assert "query_sparsity" not in points[0]


def test_the_log_tells_sparsity_beside_the_loss_and_the_dev_score(run: Run) -> None:
    told = log(run("splade", dev_split="dev"))
    assert told["type"] == "splade"
    assert [point["step"] for point in told["dev_ndcg_at_10"]] == [0, 4, 8]
    for point in (*told["loss"], *told["dev_ndcg_at_10"]):
        assert 0 < point["query_terms"] <= 100
        assert 0 < point["flops"] <= point["document_terms"]
    assert {"ranking", "query_sparsity", "document_sparsity"} <= told["loss"][0].keys()


@pytest.mark.parametrize("type_", ["splade", "inference-free"])
def test_an_interrupted_run_repeats_the_uninterrupted_one(type_: str, run: Run) -> None:
    settings = {"steps": 12, "dev_split": "dev", "patience": 9, "regulariser_warmup": 1.0}
    whole = run(type_, "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        run(type_, "broken", **settings, progress=stop_at(6))
    resumed = run(type_, "broken", **settings)
    assert (resumed / LOG_FILE).read_bytes() == (whole / LOG_FILE).read_bytes()
    assert weights_of(resumed) == weights_of(whole)


def test_a_run_killed_after_its_last_step_tells_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("splade", "whole")

    def die(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("rankdistill.training.artefact.save", die)
        with pytest.raises(KeyboardInterrupt):
            run("splade", "broken")
    assert log(run("splade", "broken")) == log(whole)


def test_the_scale_is_fitted_once_and_not_learned_beside_a_regulariser(run: Run) -> None:
    scale = log(run("splade"))["scale"]
    assert scale["initial"] == scale["final"] != 1.0


def test_layers_can_be_left_out(run: Run) -> None:
    out = run("inference-free", keep_layers=[0, 2])
    assert SparseEncoder(str(out), device="cpu").transformers_model.config.num_hidden_layers == 2


def test_an_encoder_gets_a_tied_head_that_is_trained(run: Run, tiny_encoder: str) -> None:
    out = run("splade", student=tiny_encoder, new_head=True, scale="learned")
    model = SparseEncoder(str(out), device="cpu").transformers_model
    head, embeddings = model.get_output_embeddings().weight, model.get_input_embeddings().weight
    assert torch.equal(head, embeddings)
    assert not torch.equal(model.cls.predictions.transform.dense.weight, torch.eye(32))


def test_an_encoder_without_a_head_is_refused_unless_asked_for(run: Run, tiny_encoder: str) -> None:
    with pytest.raises(ModelReferenceError, match="--new-head"):
        run("splade", student=tiny_encoder)


def test_a_dense_student_has_nothing_to_regularise(run: Run, tiny_encoder: str) -> None:
    with pytest.raises(ConfigError, match="document regulariser"):
        run("dense", student=tiny_encoder, document_regulariser="flops")


def test_the_type_is_that_of_the_model_where_none_is_named(run: Run) -> None:
    for type_ in ("splade", "inference-free"):
        first = run(type_, type_)
        assert log(run(None, f"{type_} again", student=str(first)))["type"] == type_


def test_a_student_with_a_query_side_of_its_own_is_no_splade(run: Run) -> None:
    first = run("inference-free", "first")
    with pytest.raises(ModelReferenceError, match="--type inference-free"):
        run("splade", "second", student=str(first))
