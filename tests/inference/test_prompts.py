"""The prompt of a text is the one that sentence-transformers takes, and the same in training and in use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import CrossEncoder, MultiVectorEncoder, SentenceTransformer, SparseEncoder

from rankdistill.inference.encoder import TextEncoder
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.inference.prompts import Role, default_prompt, prompt_of
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.training.alignment import config as alignment
from rankdistill.training.alignment.rows import AlignmentCollator
from rankdistill.training.columns import text_collator
from rankdistill.training.config import TrainConfig

CASES: dict[str, tuple[dict[str, str], str | None, str, str]] = {
    "none": ({}, None, "", ""),
    "both": ({"query": "river ", "document": "north "}, None, "river ", "north "),
    "query alone": ({"query": "river "}, None, "river ", ""),
    "passage beside the empty one": ({"query": "river ", "passage": "north "}, None, "river ", ""),
    "corpus beside the empty one": ({"corpus": "north "}, None, "", ""),
    "default of another name": ({"s2p": "deep "}, "s2p", "", ""),
    "default beside an empty prompt": ({"query": "", "s2p": "deep "}, "s2p", "", ""),
    "default that is the query prompt": ({"query": "river "}, "query", "river ", ""),
    "default that is the document prompt": ({"document": "north "}, "document", "", "north "),
    "default beside both": ({"query": "river ", "document": "north ", "s2p": "deep "}, "s2p", "river ", "north "),
}
"""What a model is saved with: prompts and default; the prompts that come of it."""

BARE: dict[str, tuple[dict[str, str], str | None, str, str]] = {
    "default": ({"s2p": "deep "}, "s2p", "deep ", "deep "),
    "query and default": ({"query": "river ", "s2p": "deep "}, "s2p", "river ", "deep "),
    "query as default": ({"query": "river "}, "query", "river ", "river "),
    "passage": ({"passage": "north "}, None, "", "north "),
    "corpus": ({"corpus": "north "}, None, "", "north "),
    "document before passage": ({"passage": "deep ", "document": "north "}, None, "", "north "),
    "empty passage before corpus": ({"passage": "", "corpus": "north "}, None, "", ""),
    "empty query before default": ({"query": "", "s2p": "deep "}, "s2p", "", "deep "),
}
"""The same for a model from whose prompts the two that are always there were taken out."""

TEXTS = ["which old river", "the deep bright north is slow"]


@pytest.fixture(scope="module", params=["dense", "sparse", "multi-vector"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "dense":
        return SentenceTransformer(request.getfixturevalue("tiny_encoder"), device="cpu")
    if request.param == "sparse":
        return SparseEncoder(request.getfixturevalue("tiny_splade"), device="cpu")
    return MultiVectorEncoder(request.getfixturevalue("tiny_multi_vector"), device="cpu")


def as_sentence_transformers_reads(model: Any, text: str, role: Role, **prompt: str) -> np.ndarray:
    encode = model.encode_query if role == "query" else model.encode_document
    vectors = encode([text], show_progress_bar=False, **prompt)[0]
    return (vectors.to_dense() if torch.is_tensor(vectors) and vectors.is_sparse else torch.as_tensor(vectors)).numpy()


@pytest.mark.parametrize("case", BARE)
def test_the_rule_is_that_of_encode_query_and_encode_document(model: Any, case: str) -> None:
    prompts, default, query, document = BARE[case]
    model.prompts, model.default_prompt_name = dict(prompts), default
    for role, expected in (("query", query), ("document", document)):
        assert prompt_of(model, role) == expected
        own = as_sentence_transformers_reads(model, TEXTS[0], role)
        np.testing.assert_array_equal(own, as_sentence_transformers_reads(model, TEXTS[0], role, prompt=expected))
        others = {"", "river ", "north ", "deep "} - {expected}
        assert all(
            own.shape != (read := as_sentence_transformers_reads(model, TEXTS[0], role, prompt=other)).shape
            or not np.array_equal(own, read)
            for other in others
        ), "the test sees which prompt was there"


def saved(model: Any, folder: Path, case: str) -> tuple[str, str, str]:
    prompts, default, query, document = CASES[case]
    model.prompts = {"query": "", "document": ""} | prompts
    model.default_prompt_name = default
    model.save_pretrained(str(folder), create_model_card=False)
    return str(folder), query, document


@pytest.mark.parametrize("case", CASES)
def test_a_saved_model_is_used_with_the_prompts_that_it_trains_with(model: Any, case: str, tmp_path: Path) -> None:
    folder, query, document = saved(model, tmp_path / "model", case)
    kinds: dict[type, Any] = {SentenceTransformer: TextEncoder, SparseEncoder: SparseTextEncoder}
    encoder = kinds.get(type(model), MultiVectorTextEncoder)(folder)
    library = type(model)(folder, device="cpu")
    for role, expected, encode in (
        ("query", query, encoder.encode_queries),
        ("document", document, encoder.encode_documents),
    ):
        assert prompt_of(library, role) == expected
        found = encode(TEXTS)
        if isinstance(encoder, TextEncoder):
            prompt = encoder.query_prompt if role == "query" else encoder.document_prompt
            assert prompt == expected
            plain = [as_sentence_transformers_reads(library, text, role) for text in TEXTS]
            np.testing.assert_allclose(found, plain, atol=1e-6)
        elif isinstance(encoder, SparseTextEncoder):
            plain = [as_sentence_transformers_reads(library, text, role) for text in TEXTS]
            np.testing.assert_allclose(found.toarray(), plain, atol=1e-5)
    row = {"query": TEXTS[0], "positive": TEXTS[1], "label": [1.0]}
    batch = text_collator(library, ["query", "positive"], TrainConfig())([row])
    for column, role, text in (("query", "query", TEXTS[0]), ("positive", "document", TEXTS[1])):
        wanted = library.preprocess([text], prompt=query if role == "query" else document, task=role)
        assert torch.equal(batch[f"{column}_input_ids"], wanted["input_ids"])


@pytest.mark.parametrize("case", CASES)
def test_alignment_reads_a_text_as_the_student_will_encode_it(tiny_encoder: str, case: str, tmp_path: Path) -> None:
    folder, query, document = saved(SentenceTransformer(tiny_encoder, device="cpu"), tmp_path / "model", case)
    student = SentenceTransformer(folder, device="cpu")
    label = np.zeros(4, dtype=np.float32)
    rows = [
        {"text": text, "kind": kind, "label": label} for text, kind in zip(TEXTS, ("query", "document"), strict=True)
    ]
    batch = AlignmentCollator(student, alignment.read(None))(rows)
    for kind, text in (("query", query + TEXTS[0]), ("document", document + TEXTS[1])):
        assert torch.equal(batch[f"{kind}_input_ids"], student.preprocess([text])["input_ids"])


def test_a_cross_encoder_puts_its_default_prompt_before_a_pair(tiny_cross_encoder: str) -> None:
    model = CrossEncoder(tiny_cross_encoder, device="cpu", prompts={"rank": "deep "}, default_prompt_name="rank")
    assert default_prompt(model) == "deep "
    pair = [tuple(TEXTS)]
    np.testing.assert_array_equal(model.predict(pair), model.predict(pair, prompt="deep "))
    assert not np.array_equal(model.predict(pair), model.predict(pair, prompt=""))
