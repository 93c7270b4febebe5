"""How a language model is shown a document, and how queries are read out of what it says."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rankdistill.querying.prompt import Prompt, messages, read_reply, shown
from rankdistill.records import Document
from rankdistill.teachers.replies import Reply


@pytest.mark.parametrize(
    ("reply", "queries"),
    [
        ("what is asthma\nasthma causes", ["what is asthma", "asthma causes"]),
        ("1. what is asthma\n2) asthma causes\n(3) who gets it", ["what is asthma", "asthma causes", "who gets it"]),
        ("- what is asthma\n* asthma causes\n• who gets it", ["what is asthma", "asthma causes", "who gets it"]),
        ('"what is asthma"\n“asthma causes”', ["what is asthma", "asthma causes"]),
        ("**what is asthma**\n\n", ["what is asthma"]),
        ("Query 1: what is asthma\nQuestion: who gets it", ["what is asthma", "who gets it"]),
        ("Here are three queries:\n1. what is asthma", ["what is asthma"]),
        ("<think>1. let me see\n2. hm</think>\nwhat is asthma", ["what is asthma"]),
        ("<think>1. let me see", []),
        ("They want queries.\nLet me see.\n</think>\n\nharbour depth\ncranes", ["harbour depth", "cranes"]),
        ("```\nhow to cook\nhow to bake\n```", ["how to cook", "how to bake"]),
        ('```json\n["how to cook", "how to bake"]\n```', ["how to cook", "how to bake"]),
        (Reply.of('[\n "how to cook",\n "how to bake",\n "how to', True), ["how to cook", "how to bake"]),
        ('{"queries": [{"query": "a"}, {"query": "b"}]}', ["a", "b"]),
        ("**1.** foo\n**2.** bar", ["foo", "bar"]),
        ("**Query 1:** how to cook", ["how to cook"]),
        ("3. a\n4. b\n5. c", ["a", "b", "c"]),
        ('1) "a".\n2) "b",', ["a", "b"]),
        ("1) Sure thing, by Miguel!\n2) other", ["Sure thing, by Miguel!", "other"]),
        ("here comes the sun lyrics meaning.\nhow old is it", ["here comes the sun lyrics meaning.", "how old is it"]),
        ("***\nwhat is asthma\n___", ["what is asthma"]),
        ("12: The Musical\n2. asthma", ["12: The Musical", "asthma"]),
        (Reply.of("what is asthma\nasthma cau", True), ["what is asthma"]),
        ('{"queries": ["what is asthma", "asthma causes"]}', ["what is asthma", "asthma causes"]),
        ('["what is asthma", "asthma causes", 3]', ["what is asthma", "asthma causes"]),
        ("[what is asthma", ["[what is asthma"]),
        ("same\nsame\nother", ["same", "other"]),
        ("3 symptoms of asthma", ["3 symptoms of asthma"]),
        ("802.11 wifi\n2.4 GHz band\n10:30 train", ["802.11 wifi", "2.4 GHz band", "10:30 train"]),
        ("-40 celsius in fahrenheit\n- -40 celsius", ["-40 celsius in fahrenheit", "-40 celsius"]),
        ("1. 2.4 GHz band\n2) 802.11 wifi\n3: 10:30 train", ["2.4 GHz band", "802.11 wifi", "10:30 train"]),
        ("911: who answers\n(3)who gets it\n---\n•bread", ["911: who answers", "who gets it", "bread"]),
        ("a\nb\nc\nd", ["a", "b", "c"]),
        ("", []),
    ],
)
def test_queries_are_the_lines_of_a_reply_without_what_stands_around_them(reply: str, queries: list[str]) -> None:
    assert read_reply(reply, 3) == queries


def test_braces_of_a_document_stay_and_both_places_are_filled() -> None:
    system, user = messages(Prompt(), Document("d", "{count}", "of {document}"), 2)
    assert system["role"] == "system"
    assert "{count}\n\nof {document}" in user["content"]
    assert "Write 2 different" in user["content"]
    assert len(messages(Prompt(system="", template="{document}"), Document("d", "", "x"), 2)) == 1
    with pytest.raises(ValidationError, match="lacks"):
        Prompt(template="no place")


def test_a_document_is_cut_after_its_words_or_letters() -> None:
    assert shown(Document("d", "one two", "three four  five"), 4) == "one two\n\nthree four"
    assert shown(Document("d", "", "one"), 4) == "one"
    assert shown(Document("d", "", "漢" * 100), 2) == "漢" * 16
