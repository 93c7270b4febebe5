"""Conversations, where the model reads them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rankdistill.inference.conversation import Conversation, named
from rankdistill.serving.contracts import SearchRequest
from rankdistill.serving.refusals import BadRequestError, TooLongError
from rankdistill.serving.retrieval import open_search
from tests.serving.retrieval.fakes import PlainModel

TURNS = ["the old river", "it is deep", "and the planet"]


@pytest.fixture
def reader(tiny_encoder: str) -> PlainModel:
    """A model that reads conversations."""
    model = PlainModel(tiny_encoder)
    model.conversation = Conversation()
    return model


def test_turns_are_the_text_that_the_model_was_trained_on(indexes: dict[str, Path], reader: PlainModel) -> None:
    service = open_search({"dense": indexes["dense"]}, {"reader": reader})
    turns, text = asyncio.run(
        service.search(
            [
                SearchRequest(turns=TURNS),
                SearchRequest("and the planet [SEP] it is deep [SEP] the old river"),
            ]
        )
    )
    assert turns.hits == text.hits
    assert service.describe()["dense"]["conversations"]


def test_others_refuse_turns(indexes: dict[str, Path], models: dict[str, PlainModel], reader: PlainModel) -> None:
    plain = open_search({"dense": indexes["dense"]}, models)
    with pytest.raises(BadRequestError, match="not trained to read conversations") as refused:
        asyncio.run(plain.search([SearchRequest(turns=TURNS)]))
    assert "rewritten" in refused.value.remedy
    fused = open_search({name: indexes[name] for name in ("dense", "bm25")}, {"reader": reader})
    with pytest.raises(BadRequestError, match="searched by words"):
        asyncio.run(fused.search([SearchRequest(turns=TURNS)]))
    assert asyncio.run(fused.search([SearchRequest(turns=TURNS, index="dense")]))[0].hits


def test_turns_that_end_with_an_answer_are_refused(indexes: dict[str, Path], reader: PlainModel) -> None:
    service = open_search({"dense": indexes["dense"]}, {"reader": reader})
    for turns in ([], TURNS[:2], ["a", "b", ""]):
        with pytest.raises(BadRequestError, match="odd number"):
            asyncio.run(service.search([SearchRequest(turns=turns)]))


def test_a_long_conversation_loses_whole_turns(indexes: dict[str, Path], reader: PlainModel) -> None:
    """In a format that reads the newest turn last, nothing else would be left of the question."""
    reader.conversation = named("oldest_first")
    service = open_search({"dense": indexes["dense"]}, {"reader": reader})
    most = reader.max_length("query")
    assert most is not None
    long = ["a river " * most, "deep", "and the planet"]
    turns, text, short = asyncio.run(
        service.search(
            [SearchRequest(turns=long), SearchRequest("deep [SEP] and the planet"), SearchRequest(turns=TURNS)]
        )
    )
    assert turns.hits == text.hits
    assert (turns.truncated, text.truncated, short.truncated) == (True, False, False)
    whole = asyncio.run(service.search([SearchRequest(turns=TURNS, truncate=False)]))[0]
    assert [hit.id for hit in whole.hits] == [hit.id for hit in short.hits]
    with pytest.raises(TooLongError, match="a conversation of at most"):
        asyncio.run(service.search([SearchRequest(turns=long, truncate=False)]))
