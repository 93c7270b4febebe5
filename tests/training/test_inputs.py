"""What a run may train on: nothing of a query that another split judges, whatever id its text stands under."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rankdistill import sessions
from rankdistill.data import Dataset, load
from rankdistill.errors import DataError
from rankdistill.training import inputs
from tests.conversations import write_tiny_sessions
from tests.training.conftest import MemoryStore


def trained(dataset: Dataset, store: MemoryStore) -> set[str]:
    return set(inputs.read(dataset, store, "train", None).candidates["query_id"])


@pytest.mark.parametrize("said", [str, str.upper, lambda text: f"  {text}?!"], ids=["same", "case", "punctuation"])
def test_a_held_out_query_is_held_out_under_another_id_too(
    tiny_data: Dataset, tiny_store: MemoryStore, said: object
) -> None:
    tested = next(iter(sorted(tiny_data.qrels("test").keys() - tiny_data.qrels("train").keys())))
    before = trained(tiny_data, tiny_store)
    copied = min(before)
    texts = {**tiny_store.queries, copied: said(tiny_data.query_texts[tested])}  # type: ignore[operator]
    store = replace(tiny_store, queries=texts)
    assert trained(tiny_data, store) == before - {copied}
    found = inputs.read(tiny_data, store, "train", None)
    assert copied not in set(found.scores["query_id"])
    assert found.held_out_queries == inputs.read(tiny_data, tiny_store, "train", None).held_out_queries + 1


def test_a_query_that_is_a_held_out_questions_rewrite_is_held_out(tiny_beir: Path, tiny_store: MemoryStore) -> None:
    dataset = load(write_tiny_sessions(tiny_beir))
    asked = next(one for one in sessions.read(tiny_beir).asked("test") if one.depth == 2)
    before = trained(dataset, tiny_store)
    copied = min(before)
    for name in ("human", "auto"):
        texts = {**tiny_store.queries, copied: f"{asked.turn.rewrites[name][0].title()}."}
        assert trained(dataset, replace(tiny_store, queries=texts)) == before - {copied}


def test_where_no_text_stands_twice_nothing_else_is_held_out(tiny_data: Dataset, tiny_store: MemoryStore) -> None:
    others = {query for split in ("dev", "test") for query in tiny_data.qrels(split)} - tiny_data.qrels("train").keys()
    assert trained(tiny_data, tiny_store) == set(tiny_store.candidates()["query_id"]) - others


def test_where_other_splits_judge_all_it_is_told_by_which(tiny_data: Dataset, tiny_store: MemoryStore) -> None:
    count = tiny_store.candidate_frame["query_id"].n_unique()
    with pytest.raises(DataError, match=f"all {count} are held out: train judges them") as told:
        inputs.read(tiny_data, tiny_store, "test", None)
    assert "--split" in str(told.value)
