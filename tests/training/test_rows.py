"""The rows of a run: their columns, their order, their texts."""

from __future__ import annotations

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer

from rankdistill.errors import StoreError
from rankdistill.training import rows, views
from tests.training.conftest import MemoryStore


def draw(store: MemoryStore, total: int = 30, negatives: int = 2, seed: int = 1) -> rows.TrainingRows:
    view = views.build(store.scores(), store.candidates(), negatives)
    return rows.draw(view, store.query_texts(), store.document_texts(), total, negatives, "stratified", seed)


@pytest.mark.parametrize("negatives", [1, 3])
def test_a_row_has_exactly_the_columns_that_the_trainers_take(tiny_store: MemoryStore, negatives: int) -> None:
    drawn = draw(tiny_store, negatives=negatives)
    expected = ["query", "positive", *(f"negative_{i}" for i in range(1, negatives + 1)), "label"]
    assert list(drawn[0]) == drawn.column_names == drawn.to_dataset().column_names == expected


def test_texts_and_scores_belong_together(tiny_store: MemoryStore) -> None:
    score_of = {(query, document): score for query, document, score in tiny_store.scores().iter_rows()}
    id_of_query = {text: one for one, text in tiny_store.query_texts().items()}
    id_of_document = {text: one for one, text in tiny_store.document_texts().items()}
    labels = {pair[:2]: pair[2] for pair in tiny_store.candidates().iter_rows()}
    for row in draw(tiny_store).to_dataset():
        query_id = id_of_query[row["query"]]
        doc_ids = [id_of_document[row[column]] for column in ("positive", "negative_1", "negative_2")]
        assert row["label"] == pytest.approx([score_of[query_id, doc_id] for doc_id in doc_ids])
        assert [bool(labels[query_id, doc_id]) for doc_id in doc_ids] == [True, False, False]


def test_each_pass_has_every_row_once_in_another_order_with_other_negatives(tiny_store: MemoryStore) -> None:
    size = len(views.build(tiny_store.scores(), tiny_store.candidates(), 2).query)
    drawn = draw(tiny_store, total=2 * size)
    first, second = (
        list(zip(part, positive, strict=True))
        for part, positive in (
            (drawn.query[:size], drawn.documents[:size, 0]),
            (drawn.query[size:], drawn.documents[size:, 0]),
        )
    )
    assert sorted(first) == sorted(second)
    assert first != second
    by_row = [
        {pair: set(negatives) for pair, negatives in zip(part, drawn.documents[at, 1:].tolist(), strict=True)}
        for part, at in ((first, slice(0, size)), (second, slice(size, None)))
    ]
    assert by_row[0] != by_row[1]


def test_a_longer_run_begins_with_the_rows_of_a_shorter_one(tiny_store: MemoryStore) -> None:
    short, long = draw(tiny_store, total=40), draw(tiny_store, total=90)
    np.testing.assert_array_equal(short.documents, long.documents[:40])


def test_a_document_without_text_is_an_error(tiny_store: MemoryStore) -> None:
    view = views.build(tiny_store.scores(), tiny_store.candidates(), 2)
    with pytest.raises(StoreError, match="text of every document"):
        rows.draw(view, tiny_store.query_texts(), {}, 10, 2, "uniform", 1)


def test_sentence_transformers_own_loss_takes_the_rows(tiny_store: MemoryStore, tiny_encoder: str) -> None:
    from sentence_transformers.sentence_transformer.data_collator import SentenceTransformerDataCollator

    model = SentenceTransformer(tiny_encoder, device="cpu")
    batch = SentenceTransformerDataCollator(model.preprocess)(list(draw(tiny_store, total=4).to_dataset()))
    assert batch["label"].shape == (4, 3)
    assert sum(name.endswith("_input_ids") for name in batch) == 4
