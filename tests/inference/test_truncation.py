"""Texts that are longer than a model takes."""

from __future__ import annotations

import numpy as np
import pytest

from rankdistill.inference import TextEncoder


@pytest.mark.parametrize("prompt", ["", "what is the "])
@pytest.mark.parametrize("limit", [8, 12])
def test_the_count_agrees_with_the_tokeniser(tiny_encoder: str, prompt: str, limit: int) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    encoder = TextEncoder(tiny_encoder, backend="torch", max_length=limit)
    texts = [" ".join(["river"] * words) for words in range(1, 16)] + ["", "x"]
    wanted = [len(tokenizer(prompt + text)["input_ids"]) > limit for text in texts]
    assert encoder.is_cut(texts, prompt).tolist() == wanted
    assert 0 < sum(wanted) < len(texts)


def test_a_prompt_that_is_given_replaces_the_own_one(tiny_encoder: str) -> None:
    encoder = TextEncoder(tiny_encoder, backend="torch")
    assert (encoder.query_prompt, encoder.document_prompt) == ("", "")
    for encode in (encoder.encode_queries, encoder.encode_documents):
        given = encode(["deep river"], prompt="the ")
        assert np.allclose(given, encode(["the deep river"]), atol=1e-6)
        assert not np.allclose(given, encode(["deep river"]), atol=1e-3)


def test_a_static_model_that_cuts_says_so(static_student: str) -> None:
    whole, short = TextEncoder(static_student), TextEncoder(static_student, max_length=3)
    texts = ["river", "the deep river", "the deep old river", ""]
    assert whole.is_cut(texts).tolist() == [False] * 4
    assert short.is_cut(texts).tolist() == [False, False, True, False]
    assert short.is_cut(texts, "what ").tolist() == [False, True, True, False]
    assert np.allclose(short.encode(texts[2:3]), whole.encode(["the deep old"]), atol=1e-6)
