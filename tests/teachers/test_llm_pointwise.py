"""The pointwise language-model teacher against one plain forward pass a pair."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.errors import ConfigError, ModelReferenceError, TeacherError
from rankdistill.teachers import TeacherSpec, load
from rankdistill.teachers.llm_pointwise import PointwiseLlmTeacher
from rankdistill.teachers.pointwise_prompt import TEMPLATES, WEB_SEARCH, PointwisePrompt

PAIRS = [
    ("what is bread", "the bread is old"),
    ("violin", ""),
    ("what is bread", "iron " * 30),
    ("what is bread", "the engine {query} is slow"),
    ("old river 3", "the deep river"),
]


def _teacher(model: str, **settings: Any) -> PointwiseLlmTeacher:
    teacher = TeacherSpec("llm_pointwise", {"model": model, **settings}).load()
    assert isinstance(teacher, PointwiseLlmTeacher)
    return teacher


def _plain(model: str, prompts: list[str]) -> np.ndarray:
    """logit(yes) - logit(no) after each prompt: one row a pass, no padding, no cache."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    lm = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    yes, no = (tokenizer.convert_tokens_to_ids(word) for word in ("yes", "no"))
    found = []
    for prompt in prompts:
        ids = tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            logits = lm(input_ids=ids).logits[0, -1]
        found.append(float(logits[yes] - logits[no]))
    return np.array(found, dtype=np.float32)


def _filled(template: str, query: str, document: str) -> str:
    head, tail = template.split("{document}")
    fill = {"{instruction}": WEB_SEARCH, "{query}": query}
    for place, value in fill.items():
        head, tail = head.replace(place, value), tail.replace(place, value)
    return head + document + tail


@pytest.mark.parametrize("budget", [None, 1, 300])
def test_scores_are_those_of_one_forward_pass_a_pair(tiny_causal_lm: str, budget: int | None) -> None:
    teacher = _teacher(tiny_causal_lm, token_budget=budget)
    template = TEMPLATES["qwen3-reranker"].text
    expected = _plain(tiny_causal_lm, [_filled(template, *pair) for pair in PAIRS])
    np.testing.assert_allclose(teacher.score(PAIRS), expected, atol=1e-4)
    assert np.ptp(expected) > 0.1


def test_padding_does_not_shift_learned_positions(tiny_gpt2: str) -> None:
    teacher = _teacher(tiny_gpt2, template="plain")
    expected = _plain(tiny_gpt2, [_filled(TEMPLATES["plain"].text, *pair) for pair in PAIRS])
    np.testing.assert_allclose(teacher.score(PAIRS), expected, atol=1e-4)


def test_a_probability_is_the_softmax_over_the_two_answers(tiny_causal_lm: str) -> None:
    logits = _teacher(tiny_causal_lm).score(PAIRS).astype(np.float64)
    teacher = _teacher(tiny_causal_lm, score_kind="probability")
    assert teacher.score_kind == "probability"
    np.testing.assert_allclose(teacher.score(PAIRS), np.exp(logits) / (np.exp(logits) + 1), rtol=1e-4)


def test_only_the_document_is_cut(tiny_causal_lm: str) -> None:
    """The library cuts the end of the whole prompt; here the question and the answer's place always stay."""
    teacher = _teacher(tiny_causal_lm, max_length=330)
    long = "the bread is old " + "glass " * 400
    assert teacher.max_length == 330
    rows = teacher._rows([("bread", long)])
    assert len(rows[0]) == 330
    text = teacher._lm.tokenizer.decode(rows[0])
    head, tail = TEMPLATES["qwen3-reranker"].text.split("{document}")
    assert text.startswith(head.replace("{instruction}", WEB_SEARCH).replace("{query}", "bread") + "the bread is old")
    assert text.endswith(tail)
    kept = text.removesuffix(tail).partition("<Document>: ")[2]
    np.testing.assert_allclose(
        teacher.score([("bread", long)]),
        _plain(tiny_causal_lm, [_filled(TEMPLATES["qwen3-reranker"].text, "bread", kept)]),
        atol=1e-4,
    )


def test_a_template_with_the_query_at_its_end_keeps_it(tiny_causal_lm: str) -> None:
    template = "{document}\nDoes this answer: {query}?\n"
    teacher = _teacher(tiny_causal_lm, template=template, max_length=64)
    row = teacher._rows([("old river 3", "glass " * 90)])[0]
    assert len(row) == 64
    assert teacher._lm.tokenizer.decode(row).endswith("Does this answer: old river 3?\n")


def test_a_query_that_leaves_no_room_is_an_error(tiny_causal_lm: str) -> None:
    with pytest.raises(TeacherError, match="with room for a document"):
        _teacher(tiny_causal_lm, template="plain", max_length=40).score([("old " * 90, "bread")])


def test_answers_must_be_single_tokens(tiny_causal_lm: str) -> None:
    with pytest.raises(ConfigError, match="'relevant!' to be one token"):
        _teacher(tiny_causal_lm, yes="relevant!")
    with pytest.raises(ConfigError, match="both 'no'"):
        _teacher(tiny_causal_lm, yes="no")


def test_a_tokeniser_without_the_templates_special_tokens_is_refused(tiny_causal_lm: str, tmp_path: Path) -> None:
    shutil.copytree(tiny_causal_lm, tmp_path / "model")
    config = tmp_path / "model" / "tokenizer.json"
    config.write_text(config.read_text().replace("<|im_start|>", "<|other|>"))
    with pytest.raises(ConfigError, match="change the setting `template`: `plain`"):
        _teacher(str(tmp_path / "model"))
    assert np.isfinite(_teacher(str(tmp_path / "model"), template="plain").score(PAIRS)).all()


@pytest.mark.parametrize("template", ["qwen", "{query}", "{query} {document} {document}"])
def test_a_template_without_its_places_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"one \{document\}"):
        PointwisePrompt(template, "")


def test_an_encoder_is_no_language_model(tiny_encoder: str) -> None:
    with pytest.raises(ModelReferenceError, match="causal language model"):
        load(tiny_encoder, kind="llm_pointwise")


def test_a_tokeniser_that_begins_texts_with_a_token_begins_prompts_with_it(tiny_gpt2: str, tmp_path: Path) -> None:
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    folder = tmp_path / "model"
    shutil.copytree(tiny_gpt2, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert _teacher(str(folder), template="plain")._lm.start == []
    first = ("<|endoftext|>", 0)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{first[0]} $A", special_tokens=[first])
    tokenizer.bos_token = first[0]
    tokenizer.save_pretrained(folder)
    teacher = _teacher(str(folder), template="plain")
    prompts = ["<|endoftext|>" + _filled(TEMPLATES["plain"].text, *pair) for pair in PAIRS]
    np.testing.assert_allclose(teacher.score(PAIRS), _plain(str(folder), prompts), atol=1e-4)


def test_a_reranker_saved_by_sentence_transformers_is_a_cross_encoder(tiny_causal_lm: str, tmp_path: Path) -> None:
    """It brings its own prompt, as a chat template, and reads the same two logits; the library runs it."""
    import torch
    from sentence_transformers import CrossEncoder
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_causal_lm)
    shutil.copytree(tiny_causal_lm, tmp_path / "model")
    ids = set()
    for number, last in enumerate((": ", "\n")):
        tokenizer.chat_template = (
            "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}{% endfor %}" + last
        )
        tokenizer.save_pretrained(tmp_path / "model")
        folder = str(tmp_path / f"saved-{number}")
        model = CrossEncoder(str(tmp_path / "model"), device="cpu")
        model.save_pretrained(folder)
        teacher = load(folder)
        assert teacher.fingerprint["kind"] == "cross_encoder"
        expected = model.predict(PAIRS, activation_fn=torch.nn.Identity())
        np.testing.assert_allclose(teacher.score(PAIRS), expected, atol=1e-4)
        ids.add(teacher.teacher_id)
    assert len(ids) == 2


def test_learned_positions_end_and_no_longer_prompt_is_asked_for(tiny_gpt2: str, tiny_causal_lm: str) -> None:
    """GPT-2 has 512 positions; Qwen's are rotary, and its configuration and tokeniser name the limit."""
    assert _teacher(tiny_gpt2, template="plain", max_length=512).max_length == 512
    for kind in ("llm_pointwise", "llm_listwise"):
        with pytest.raises(ConfigError, match=r"max_length of at most 512[\s\S]*got: 513"):
            TeacherSpec(kind, {"model": tiny_gpt2, "max_length": 513}).load()
    assert _teacher(tiny_causal_lm, max_length=5000).max_length == 512
