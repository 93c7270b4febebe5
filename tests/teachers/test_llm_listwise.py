"""The listwise language-model teacher: windows, repairs, and the same ranks whatever the order of the pairs."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from rankdistill.errors import ConfigError, ModelReferenceError, TeacherError
from rankdistill.teachers import PairTeacher, TeacherSpec
from rankdistill.teachers.first_stage import bm25_order
from rankdistill.teachers.listwise import ListTeacher, QueryList, RankedPairs
from rankdistill.teachers.llm_listwise import ListwiseLlm, Settings
from rankdistill.teachers.local_chat import Messages

_PASSAGE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


class Oracle:
    """A chat that ranks by the number in each passage, the largest first, and replies out of order."""

    def __init__(self, spoil: str = "{}") -> None:
        self.spoil, self.asked = spoil, list[Messages]()

    @property
    def fingerprint(self) -> Mapping[str, Any]:
        return {"oracle": self.spoil}

    def complete_all(self, conversations: Sequence[Messages]) -> Iterator[tuple[int, str]]:
        self.asked.extend(conversations)
        for number in reversed(range(len(conversations))):
            passages = _PASSAGE.findall(conversations[number][-1]["content"])
            order = sorted(passages, key=lambda passage: -int(passage[1].split()[1]))
            yield number, self.spoil.format(" > ".join(f"[{identifier}]" for identifier, _ in order))


def _listwise(chat: Oracle, **settings: Any) -> ListwiseLlm:
    return ListwiseLlm(chat, Settings(model="unused", **settings))


def _documents(count: int) -> list[str]:
    return [f"river {number}" for number in range(count)]


def test_one_window_is_ranked_at_once() -> None:
    chat = Oracle()
    assert _listwise(chat).rank([QueryList("river", _documents(7))]) == [list(range(6, -1, -1))]
    assert len(chat.asked) == 1
    assert chat.asked[0][0]["role"] == "system"


@pytest.mark.parametrize("count", [21, 25, 40, 53])
def test_sliding_windows_bring_the_best_ones_to_the_front(count: int) -> None:
    """One pass of window 20 and step 10 orders the best ten exactly, wherever they started."""
    documents = _documents(count)
    random.Random(3).shuffle(documents)
    (order,) = _listwise(Oracle()).rank([QueryList("river", documents)])
    best = [f"river {number}" for number in range(count - 1, count - 11, -1)]
    assert [documents[row] for row in order[:10]] == best
    assert sorted(order) == list(range(count))


def test_more_passes_order_more_of_the_list() -> None:
    documents = _documents(50)
    (order,) = _listwise(Oracle(), passes=5).rank([QueryList("river", documents)])
    assert order == list(range(49, -1, -1))


def test_lists_of_several_lengths_are_asked_side_by_side_and_all_progress_is_told() -> None:
    chat, done = Oracle(), list[int]()
    lists = [QueryList("river", _documents(count)) for count in (1, 45, 20, 0, 25)]
    orders = _listwise(chat).rank(lists, done.append)
    assert [len(order) for order in orders] == [1, 45, 20, 0, 25]
    assert orders[2] == list(range(19, -1, -1))
    assert sum(done) == 91
    assert len(chat.asked) == 4 + 1 + 2


def test_malformed_answers_are_repaired_and_counted() -> None:
    teacher = _listwise(Oracle(spoil="Sure! {} > [77] > [1]"))
    (order,) = teacher.rank([QueryList("river", _documents(5))])
    assert order == [4, 3, 2, 1, 0]
    assert teacher.spent() == "rankings: 1 answers, 1 malformed, 0 missing, 1 repeated, 1 foreign"
    silent = _listwise(Oracle(spoil="no"))
    assert silent.rank([QueryList("river", _documents(3))]) == [[0, 1, 2]]
    assert silent.counts.missing == 3


def test_what_looks_like_an_identifier_in_a_passage_is_none() -> None:
    chat = Oracle()
    _listwise(chat, passage_words=3).rank([QueryList("old river", ["river 5\n[2] and more", "river 6 [12]"])])
    prompt = chat.asked[0][-1]["content"]
    assert "river 5 (2)\n" in prompt
    assert "and more" not in prompt
    assert "river 6 (12)" in prompt
    assert "query: old river" in prompt


def test_pairs_of_a_query_get_its_ranks_whatever_their_order() -> None:
    teacher = RankedPairs(_listwise(Oracle()))
    assert isinstance(teacher, PairTeacher)
    assert isinstance(teacher.teacher, ListTeacher)
    assert teacher.score_kind == "rank"
    pairs = [("old river", f"river {number}") for number in range(4)] + [("bread", "river 9"), ("bread", "river 3")]
    pairs.append(pairs[2])
    scores = teacher.score(pairs)
    np.testing.assert_array_equal(scores, np.array([-3, -2, -1, 0, 0, -1, -1], dtype=np.float32))
    shuffled = list(enumerate(pairs))
    random.Random(1).shuffle(shuffled)
    done: list[int] = []
    again = teacher.score([pair for _, pair in shuffled], done.append)
    np.testing.assert_array_equal(again, scores[[row for row, _ in shuffled]])
    assert sum(done) == len(pairs)
    assert teacher.score([]).shape == (0,)


def test_the_list_is_ordered_by_bm25_first() -> None:
    documents = ["glass engine", "bread", "the old bread is bread", "old"]
    assert bm25_order("what is bread", documents) == [2, 1, 0, 3]
    chat = Oracle(spoil="nothing")
    numbered = ["glass 1", "bread 2 and more", "bread 3"]
    assert _listwise(chat).rank([QueryList("bread", numbered)]) == [[2, 1, 0]]


def test_the_list_is_ordered_by_another_teacher_first(tiny_causal_lm: str, tiny_encoder: str) -> None:
    from rankdistill.teachers import load

    first = {"kind": "embedding", "model": tiny_encoder, "backend": "torch"}
    settings = {"model": tiny_causal_lm, "first_stage": first, "max_new_tokens": 1}
    teacher = TeacherSpec("llm_listwise", settings).load()
    documents = ["glass engine", "bread", "the old bread is bread", "old"]
    scores = teacher.score([("bread", document) for document in documents])
    expected = load(tiny_encoder, backend="torch").score([("bread", document) for document in documents])
    assert np.argsort(-scores).tolist() == np.argsort(-expected).tolist()
    assert teacher.fingerprint["first_stage"]["kind"] == "embedding"


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_local_model_is_asked_greedily_through_its_chat_template(
    tiny_causal_lm: str, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from rankdistill.teachers.local_chat import LocalChat

    chat = LocalChat(tiny_causal_lm, "float32", None, 6, {"enable_thinking": False}, batch_size)
    template = "{% for m in messages %}<|im_start|>{{ m['role'] }} {{ m['content'] }}<|im_end|>{% endfor %}the"
    monkeypatch.setattr(chat._lm.tokenizer, "chat_template", template)
    contents = ["what is bread", "old", "the deep river is slow"]
    replies = dict(chat.complete_all([[{"role": "user", "content": content}] for content in contents]))
    tokenizer = AutoTokenizer.from_pretrained(tiny_causal_lm)
    lm = AutoModelForCausalLM.from_pretrained(tiny_causal_lm, dtype=torch.float32).eval()
    for number, content in enumerate(contents):
        ids = tokenizer(f"<|im_start|>user {content}<|im_end|>the", return_tensors="pt")["input_ids"]
        start = ids.shape[1]
        for _ in range(6):
            with torch.inference_mode():
                following = lm(input_ids=ids).logits[0, -1].argmax()
            ids = torch.cat([ids, following.reshape(1, 1)], dim=1)
            if int(following) == tokenizer.eos_token_id:
                break
        assert replies[number] == tokenizer.decode(ids[0, start:], skip_special_tokens=True)


def test_a_prompt_that_is_too_long_is_an_error(tiny_causal_lm: str) -> None:
    teacher = TeacherSpec("llm_listwise", {"model": tiny_causal_lm, "max_length": 50}).load()
    with pytest.raises(TeacherError, match="lower the settings `window` and `passage_words`"):
        teacher.score([("bread", "the old bread"), ("bread", "glass")])


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "give one of `model` and `chat`"),
        ({"model": "m", "window": 10, "step": 10}, "`step` must be less"),
        ({"model": "m", "template": "{query}"}, "lacks {passages}"),
        ({"model": "m", "first_stage": {"model": "x"}}, "needs `kind`"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(problem)):
        Settings(**settings)
    with pytest.raises(ConfigError, match=re.escape(problem)):
        TeacherSpec("llm_listwise", settings).load()


def test_everything_that_ranks_depend_on_is_in_the_fingerprint() -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"window": 15},
        {"step": 5},
        {"passes": 2},
        {"passage_words": 50},
        {"system": ""},
        {"template": "{query} {passages}"},
    ]
    ids = {_listwise(Oracle(), **variant).teacher_id for variant in variants}
    assert len(ids | {_listwise(Oracle("x{}")).teacher_id}) == len(variants) + 1


def test_an_encoder_is_refused(tiny_encoder: str) -> None:
    with pytest.raises(ModelReferenceError, match="causal language model"):
        TeacherSpec("llm_listwise", {"model": tiny_encoder}).load()


def test_the_estimate_counts_prompts_and_asks_nothing() -> None:
    chat = Oracle()
    told = _listwise(chat).estimate(1000, 10, [("river", "one two three")])
    assert told["prompts"].startswith("90: 9 for each of 10 queries")
    assert "5,400 words" in told["text"]
    assert not chat.asked
