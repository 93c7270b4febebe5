"""Drawing queries with a sequence-to-sequence model: from the right distribution, the same in any batch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rankdistill.data import load
from rankdistill.errors import ModelReferenceError
from rankdistill.inference.seq2seq_lm import Sampling, Seq2SeqLM
from rankdistill.querying.corpus import Corpus
from rankdistill.querying.registry import named

TEXTS = ("the old river is deep", "bread", "the violin is of glass and iron in the north")


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory, tiny_bert: Path) -> str:
    """A random T5 of two layers with the tiny word pieces."""
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    folder = tmp_path_factory.mktemp("tiny-t5")
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert)
    torch.manual_seed(29)
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=64,
        num_layers=2,
        num_heads=4,
        initializer_factor=4.0,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.sep_token_id,
        decoder_start_token_id=tokenizer.pad_token_id,
    )
    T5ForConditionalGeneration(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def drawn(lm: Seq2SeqLM, seeds: list[list[int]], *, texts: tuple[str, ...] = TEXTS, **more: Any) -> list[list[str]]:
    sampling = Sampling(more.pop("top_k", 10), more.pop("temperature", 1.0), more.pop("max_new_tokens", 6))
    found = dict(lm.draw(texts, seeds, sampling, 32, **more))
    return [found[place] for place in range(len(texts))]


def test_a_draw_is_the_same_in_any_batch_and_another_with_another_seed(tiny_t5: str) -> None:
    lm = Seq2SeqLM(tiny_t5)
    together = drawn(lm, [[1, 2], [3, 4], [5, 6]], temperature=20.0)
    alone = drawn(lm, [[1, 2], [3, 4], [5, 6]], temperature=20.0, token_budget=1)
    assert together == alone
    assert together[0][0] != together[0][1]
    assert drawn(lm, [[6], [9], [1]], temperature=20.0)[2] != [together[2][0]]


def test_the_likeliest_token_alone_is_what_transformers_decodes_greedily(tiny_t5: str) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5), AutoTokenizer.from_pretrained(tiny_t5)
    inputs = tokenizer(list(TEXTS), padding=True, return_tensors="pt")
    asked = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    wanted = model.generate(**asked, max_new_tokens=6, do_sample=False)
    found = drawn(Seq2SeqLM(tiny_t5), [[1], [2], [3]], top_k=1)
    assert [one[0] for one in found] == tokenizer.batch_decode(wanted, skip_special_tokens=True)


def test_draws_follow_the_softmax_of_the_likeliest_tokens(tiny_t5: str) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model, tokenizer = AutoModelForSeq2SeqLM.from_pretrained(tiny_t5), AutoTokenizer.from_pretrained(tiny_t5)
    inputs = tokenizer(TEXTS[0], return_tensors="pt")
    start = torch.tensor([[model.config.decoder_start_token_id]])
    with torch.inference_mode():
        logits = model(input_ids=inputs["input_ids"], decoder_input_ids=start).logits[0, -1]
    values, places = logits.topk(4)
    temperature = float(values[0] - values[-1])  # so that none is unlikely
    shares = (values / temperature).softmax(dim=0).numpy()
    words = [tokenizer.decode([place], skip_special_tokens=True).strip() for place in places]
    number = 3000
    ((*texts,),) = drawn(
        Seq2SeqLM(tiny_t5),
        [list(range(number))],
        texts=TEXTS[:1],
        top_k=4,
        temperature=temperature,
        max_new_tokens=1,
        token_budget=10**6,
    )
    counted = Counter(text.strip() for text in texts)
    found = np.array([counted[word] for word in words]) / number
    assert sum(counted.values()) == number
    np.testing.assert_allclose(found, shares, atol=4 * np.sqrt(0.25 / number))


def test_queries_of_documents_have_seeds_of_their_own(tiny_t5: str, tiny_beir: Path) -> None:
    dataset = load(tiny_beir)
    documents = list(dataset.documents())[:5]
    settings = {"kind": "seq2seq", "model": tiny_t5, "max_new_tokens": 5, "temperature": 20.0}
    generator = named(settings, Corpus(dataset))
    first = dict(generator.generate(documents, 2))
    assert {number: [one.kind for one in found] for number, found in first.items()}.keys() == {0, 1, 2, 3, 4}
    alone = [dict(named(settings, Corpus(dataset)).generate([one], 2))[0] for one in documents]
    assert [first[number] for number in range(5)] == alone
    other = named(settings | {"seed": 1}, Corpus(dataset))
    assert other.fingerprint != generator.fingerprint
    assert dict(other.generate(documents, 2)) != first
    smaller = named(settings | {"token_budget": 9}, Corpus(dataset))
    assert smaller.fingerprint == generator.fingerprint


def test_another_kind_of_model_is_refused(tiny_encoder: str, tiny_beir: Path) -> None:
    with pytest.raises(ModelReferenceError, match="ForConditionalGeneration"):
        named(f"seq2seq:{tiny_encoder}", Corpus(load(tiny_beir)))
