"""What a language model is asked about a conversation, and how its reply is read."""

from __future__ import annotations

import pytest

from rankdistill.errors import ConfigError
from rankdistill.rewriting.prompt import Prompt, messages, read_rewrite
from rankdistill.rewriting.registry import named
from rankdistill.teachers.replies import Reply

SAID = ["what is a harbour?", "a place {question} for ships", "who digs it?", "", "is it deep?"]
PLAIN = Prompt(system="", template="{conversation}|{question}")


def asked(prompt: Prompt) -> tuple[str, bool]:
    told, short = messages(prompt, SAID)
    return told[-1]["content"], short


def test_the_conversation_is_told_with_its_speakers_and_the_question_apart() -> None:
    told = "User: what is a harbour?\nAssistant: a place {question} for ships\nUser: who digs it?|is it deep?"
    assert asked(PLAIN) == (told, False)
    full, _ = messages(Prompt(), SAID)
    assert [message["role"] for message in full] == ["system", "user"]
    assert "is it deep?" in full[1]["content"]


def test_the_oldest_turns_are_left_out_whole() -> None:
    for most in range(4):
        told, short = messages(PLAIN, SAID, most)
        assert len(told[-1]["content"].partition("|")[0].splitlines()) == most
        assert short == (most < 3)
    for words, lines in ((4, 1), (9, 1), (10, 2), (14, 2), (15, 3)):
        told, short = asked(PLAIN.model_copy(update={"conversation_words": words}))
        before = told.partition("|")[0].splitlines()
        assert len(before) == lines, words
        assert short == (lines < 3)
        assert before[-1] == "User: who digs it?"


@pytest.mark.parametrize(
    ("reply", "rewrite"),
    [
        ("is a harbour deep?", "is a harbour deep?"),
        ('\n  "Is a harbour deep?"\nIt depends.', "Is a harbour deep?"),
        ("<think>it is a harbour</think>\nis a harbour deep?", "is a harbour deep?"),
        ("Rewritten question: is a harbour deep?", "is a harbour deep?"),
        ("Standalone query: **is a harbour deep?**", "is a harbour deep?"),
        ("Question: is a harbour deep?", "is a harbour deep?"),
        ("2.4 GHz wifi range", "2.4 GHz wifi range"),
        ("1. 10:30 train to the harbour", "10:30 train to the harbour"),
        ("-40 celsius in a harbour", "-40 celsius in a harbour"),
        ("Writing systems: which are old?", "Writing systems: which are old?"),
        ("Written by whom: the sea or the river?", "Written by whom: the sea or the river?"),
        ("", ""),
        ("<think>I never stop", ""),
        ("Okay, the user asks how deep.\nLet me think.\n</think>\n\nis a harbour deep?", "is a harbour deep?"),
        ("<thinking>hm</thinking>is a harbour deep?", "is a harbour deep?"),
        ("24: Live Another Day cast", "24: Live Another Day cast"),
        ("12: The Musical, who wrote it?", "12: The Musical, who wrote it?"),
        ('Who wrote "Emma"', 'Who wrote "Emma"'),
        ('"Emma" or "Persuasion"', '"Emma" or "Persuasion"'),
        ("What does __init__", "What does __init__"),
        ("***Is a harbour deep?***", "Is a harbour deep?"),
        ("```\nis a harbour deep?\n```", "is a harbour deep?"),
        ("**Rewritten question:** is a harbour deep?", "is a harbour deep?"),
        ("*Rewritten:* is a harbour deep?", "is a harbour deep?"),
        ('"is a harbour deep?', "is a harbour deep?"),
        ('"Who said "hi"?"', 'Who said "hi"?'),
        ("'Who's the king?'", "Who's the king?"),
        ("``is a harbour deep?''", "is a harbour deep?"),
        ('{"rewrite": "is a harbour deep?", "reason": "it is asked"}', "is a harbour deep?"),
        ("__init__ of a class", "__init__ of a class"),
        ("What does __init__ do", "What does __init__ do"),
        ("***", ""),
        ("Assistant: is a harbour deep?", "is a harbour deep?"),
        ("Sure, here you go.\nIs a harbour deep?", "Is a harbour deep?"),
        ('{"question": "is a harbour deep?"}', "is a harbour deep?"),
        (Reply.of("is a harbour de", True), ""),
    ],
)
def test_a_reply_is_read(reply: str, rewrite: str) -> None:
    assert read_rewrite(reply) == rewrite


@pytest.mark.parametrize("template", ["{question}", "{conversation}"])
def test_a_template_needs_both_places(template: str) -> None:
    with pytest.raises(ConfigError, match="the template lacks"):
        named({"kind": "openai", "url": "http://localhost/v1/chat/completions", "model": "m", "template": template})
