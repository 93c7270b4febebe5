"""A student is saved with the length that it was trained with, for whoever loads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder
from sentence_transformers.base.modules import Router
from tokenizers import Tokenizer

from rankdistill.data import Dataset
from rankdistill.errors import ConfigError
from rankdistill.inference.encoder import TextEncoder
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.inference.pair_scorer import PairScorer
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.students import dense
from rankdistill.teachers import load as load_teacher
from rankdistill.training import lengths
from rankdistill.training.config import TrainConfig
from rankdistill.training.run import train
from tests.training.conftest import MemoryStore
from tests.training.test_query_length import STARTS
from tests.training.test_run import SMALL, log

LENGTH = 12
LONG = "the old river is deep and slow and bright in the north, iron and glass and stone of the harbour " * 3
LIBRARY: dict[str, Any] = {
    "dense": SentenceTransformer,
    "pair-head": SentenceTransformer,
    "splade": SparseEncoder,
    "splade-doc": SparseEncoder,
    "inference-free": SparseEncoder,
    "multi-vector": MultiVectorEncoder,
    "cross-encoder": CrossEncoder,
}


@pytest.fixture
def trained(tiny_data: Dataset, tiny_store: MemoryStore, tmp_path: Path, request: pytest.FixtureRequest) -> Any:
    def start(type_: str, **given: Any) -> Path:
        settings = {**SMALL, "steps": 1, "type": type_, "check": "off", "max_document_length": LENGTH} | given
        student = request.getfixturevalue(STARTS[type_])
        return train(tiny_data, tiny_store, student, tmp_path / type_, TrainConfig(**settings))

    return start


@pytest.mark.parametrize("type_", STARTS)
def test_every_file_that_others_read_tells_it(type_: str, trained: Any) -> None:
    out = trained(type_)
    assert LIBRARY[type_](str(out), device="cpu").max_seq_length == LENGTH
    for path in out.rglob("tokenizer_config.json"):
        assert json.loads(path.read_text())["model_max_length"] == LENGTH, path
    for path in out.rglob("tokenizer.json"):
        assert Tokenizer.from_file(str(path)).truncation["max_length"] == LENGTH, path
    (config,) = out.rglob("sentence_bert_config.json")
    assert json.loads(config.read_text())["max_seq_length"] == LENGTH
    assert log(out)["lengths"]["document"] == LENGTH


@pytest.mark.parametrize("type_", STARTS)
def test_a_model_that_was_given_no_length_keeps_its_own(type_: str, trained: Any, request: Any) -> None:
    before = LIBRARY[type_](request.getfixturevalue(STARTS[type_]), device="cpu").max_seq_length
    out = trained(type_, max_document_length=None)
    assert LIBRARY[type_](str(out), device="cpu").max_seq_length == before
    (config,) = out.rglob("sentence_bert_config.json")
    assert json.loads(config.read_text())["max_seq_length"] == before, "other libraries read it there"


def same(ours: Any, theirs: Any) -> None:
    np.testing.assert_allclose(np.asarray(ours), np.asarray(theirs), rtol=1e-4, atol=1e-5)


def test_a_dense_student_reads_no_further_here_or_in_the_library(trained: Any) -> None:
    out = trained("dense")
    ours, plain = TextEncoder(str(out)), SentenceTransformer(str(out), device="cpu")
    longer = TextEncoder(str(out), max_length=40)
    same(ours.encode_documents([LONG]), plain.encode_document([LONG]))
    assert (ours.max_length, longer.max_length) == (LENGTH, 40)
    assert not np.allclose(ours.encode_documents([LONG]), longer.encode_documents([LONG]), atol=1e-3)


@pytest.mark.parametrize("type_", ["splade", "splade-doc", "inference-free"])
def test_a_sparse_student_reads_no_further_here_or_in_the_library(type_: str, trained: Any) -> None:
    out = trained(type_)
    ours, plain = SparseTextEncoder(str(out)), SparseEncoder(str(out), device="cpu")
    assert ours.max_length == LENGTH
    same(ours.encode_documents([LONG]).toarray(), plain.encode_document([LONG]).to_dense())
    same(ours.encode_queries([LONG]).toarray(), plain.encode_query([LONG]).to_dense())


def test_a_multi_vector_student_keeps_both_lengths(trained: Any) -> None:
    out = trained("multi-vector", max_query_length=20)
    ours, plain = MultiVectorTextEncoder(str(out)), MultiVectorEncoder(str(out), device="cpu")
    assert (plain[0].document_length, plain[0].query_length) == (LENGTH, 20)
    assert log(out)["lengths"] == {"query": 20, "document": LENGTH}
    for found, wanted in (
        (ours.encode_documents([LONG]), plain.encode_document([LONG])),
        (ours.encode_queries([LONG]), plain.encode_query([LONG])),
    ):
        same(found.vectors, wanted[0].cpu())


def test_a_cross_encoder_cuts_pairs_here_and_in_the_library(trained: Any) -> None:
    out = trained("cross-encoder")
    pairs = [("what is the old river", LONG), ("bread", "a planet")]
    same(PairScorer(str(out)).score(pairs), CrossEncoder(str(out), device="cpu").predict(pairs))
    longer = CrossEncoder(str(out), device="cpu", max_length=60).predict(pairs)
    assert not np.allclose(PairScorer(str(out)).score(pairs)[0], longer[0], atol=1e-4)


def test_a_pair_head_scores_vectors_of_that_length(trained: Any) -> None:
    out = trained("pair-head")
    scorer, cut = load_teacher(str(out)), SentenceTransformer(str(out), device="cpu")
    ids = cut.tokenizer(LONG, truncation=True, max_length=LENGTH, add_special_tokens=True)["input_ids"][1:-1]
    short = cut.tokenizer.decode(ids)
    same(scorer.score([("river", LONG)]), scorer.score([("river", short)]))


@pytest.mark.parametrize("type_", ["dense", "splade", "pair-head"])
def test_queries_longer_than_documents_are_refused_where_one_length_is_saved(type_: str, trained: Any) -> None:
    with pytest.raises(ConfigError, match="one tower has one length"):
        trained(type_, max_query_length=LENGTH + 1)
    assert log(trained(type_, max_query_length=LENGTH - 4))["lengths"] == {"query": LENGTH - 4, "document": LENGTH}


def test_a_table_that_reads_whole_texts_is_refused_a_length(
    tiny_data: Dataset, tiny_store: MemoryStore, static_student: str, tmp_path: Path
) -> None:
    config = TrainConfig(**SMALL, steps=1, type="dense", max_document_length=LENGTH)
    with pytest.raises(ConfigError, match=r"max_document_length 12[\s\S]*no effect"):
        train(tiny_data, tiny_store, static_student, tmp_path / "student", config)


def test_only_a_student_with_a_length_is_another() -> None:
    told = {
        name: "lengths" in TrainConfig(**settings).decisive()
        for name, settings in {
            "none": {},
            "documents": {"max_document_length": 8},
            "queries": {"max_query_length": 8},
            "queries of many vectors": {"max_query_length": 8, "type": "multi-vector"},
        }.items()
    }
    assert told == {"none": False, "documents": True, "queries": False, "queries of many vectors": True}


def routed(queries: SentenceTransformer, documents: SentenceTransformer) -> SentenceTransformer:
    return SentenceTransformer(modules=[Router.for_query_document([*queries], [*documents])], device="cpu")


def test_towers_of_their_own_keep_a_length_each(tiny_encoder: str, tmp_path: Path) -> None:
    student = routed(dense.load(tiny_encoder), dense.load(tiny_encoder))
    config = TrainConfig(max_document_length=LENGTH, max_query_length=LENGTH + 8)
    lengths.keep(student, config)
    lengths.settle(student, config)
    student.save_pretrained(str(tmp_path), create_model_card=False)
    found = SentenceTransformer(str(tmp_path), device="cpu")[0].sub_modules
    assert [found[task][0].max_seq_length for task in ("query", "document")] == [LENGTH + 8, LENGTH]
    assert lengths.told(student, config) == {"query": LENGTH + 8, "document": LENGTH}


def test_a_table_beside_a_document_tower_still_reads_whole_queries(tiny_encoder: str, static_student: str) -> None:
    student = routed(SentenceTransformer(static_student, device="cpu"), dense.load(tiny_encoder))
    config = TrainConfig(max_document_length=LENGTH)
    lengths.keep(student, config)
    lengths.settle(student, config)
    assert student[0].sub_modules["document"][0].max_seq_length == LENGTH
    assert student[0].sub_modules["query"][0].tokenizer.truncation is None
    assert lengths.told(student, config) == {"query": None, "document": LENGTH}
