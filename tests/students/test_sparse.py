"""Sparse students before training: what loads, new heads, static queries, idf."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sentence_transformers import SparseEncoder
from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

from rankdistill.errors import DataError, ModelReferenceError
from rankdistill.students import sparse
from rankdistill.students.idf import idf
from rankdistill.students.inherit import inherit


def test_idf_is_that_of_bm25_as_lucene_computes_it(tiny_bert: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    documents = ["the river", "the the old river", "the planet"]
    found = idf(tokenizer, documents, len(tokenizer))
    for word, count in {"the": 3, "river": 2, "old": 1, "bread": 0}.items():
        expected = np.log(1 + (3 - count + 0.5) / (count + 0.5))
        assert found[tokenizer.convert_tokens_to_ids(word)] == pytest.approx(expected)
    assert (found > 0).all()


def test_idf_of_a_sample_does_not_depend_on_the_order(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rankdistill.students.idf.DOCUMENTS", 2)
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    documents = ["the river", "old", "the planet", "sweet bread"]
    one, other = (idf(tokenizer, texts, len(tokenizer)) for texts in (documents, documents[::-1]))
    np.testing.assert_array_equal(one, other)


def test_no_documents_give_no_idf(tiny_bert: Path) -> None:
    with pytest.raises(DataError, match="count the vocabulary"):
        idf(AutoTokenizer.from_pretrained(tiny_bert), [], 10)


def test_a_new_head_is_tied_and_the_same_for_the_same_seed(tiny_bert: Path) -> None:
    one, other = (sparse.load(str(tiny_bert), new_head=True, seed=1) for _ in range(2))
    model = one.transformers_model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    texts = ["the old river"]
    vectors = [student.encode_document(texts, convert_to_sparse_tensor=False) for student in (one, other)]
    assert torch.equal(*vectors)
    assert vectors[0].sum() > 0


def test_a_new_head_keeps_what_the_encoder_knows(tiny_encoder: str, tiny_bert: Path) -> None:
    found = sparse.load(tiny_encoder, new_head=True).transformers_model.get_input_embeddings().weight
    expected = sparse.load(str(tiny_bert), new_head=True).transformers_model.get_input_embeddings().weight
    assert torch.equal(found, expected)


def test_a_head_of_another_size_than_the_vocabulary_is_refused(tiny_bert: Path, tmp_path: Path) -> None:
    config = BertConfig.from_pretrained(tiny_bert)
    config.vocab_size += 8
    BertForMaskedLM(config).save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path)
    with pytest.raises(ModelReferenceError, match="one row a token"):
        sparse.load(str(tmp_path))


@pytest.mark.parametrize("fixture", ["tiny_encoder", "tiny_cross_encoder"])
def test_other_kinds_of_models_are_refused(fixture: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(ModelReferenceError, match="over its vocabulary"):
        sparse.load(request.getfixturevalue(fixture))


def test_static_queries_survive_saving(tiny_splade: str, tmp_path: Path) -> None:
    plain = sparse.load(tiny_splade)
    weights = np.arange(sparse.vocabulary_size(plain), dtype=np.float32)
    routed = sparse.with_static_queries(plain, weights, learned=True)
    routed.save_pretrained(str(tmp_path), create_model_card=False)
    again = SparseEncoder(str(tmp_path), device="cpu")
    assert sparse.is_routed(again)
    np.testing.assert_array_equal(sparse.query_weights(again).weight.detach(), weights)
    (row,) = again.encode_query(["the river"], convert_to_sparse_tensor=False)
    assert row.nonzero()[:, 0].tolist() == sorted(again.tokenizer.convert_tokens_to_ids(["the", "river"]))
    documents = [model.encode_document(["river"], convert_to_sparse_tensor=False) for model in (plain, again)]
    torch.testing.assert_close(*documents)


def test_a_plain_student_has_no_token_weights(tiny_splade: str) -> None:
    with pytest.raises(ModelReferenceError, match="go through a transformer"):
        sparse.query_weights(sparse.load(tiny_splade))


def test_fewer_layers_keep_the_head(tiny_splade: str, tmp_path: Path) -> None:
    out = inherit(tiny_splade, [0, 2], tmp_path / "inherited", with_head=True)
    found, whole = sparse.load(str(out)).transformers_model, sparse.load(tiny_splade).transformers_model
    assert found.config.num_hidden_layers == 2
    assert torch.equal(found.cls.predictions.transform.dense.weight, whole.cls.predictions.transform.dense.weight)
