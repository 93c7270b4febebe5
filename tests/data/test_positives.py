"""What is no negative of a query: by labels of every split, by texts, and by the query's own id."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path

import numpy as np
import pytest

from rankdistill.data import Dataset, load
from rankdistill.data.positives import Positives, gather, hashes
from rankdistill.stores.keys import text_hash

SPLITS = ("dev", "test", "train")


@pytest.fixture
def repeated(tmp_path: Path) -> Dataset:
    """40 documents of 25 texts and 20 queries of 12 texts; a query and a document share an id, others a text."""
    generator = random.Random(3)
    documents = [{"_id": f"d{number}", "title": "", "text": f"text {number % 25}"} for number in range(38)]
    documents += [{"_id": "q3", "title": "own", "text": "document"}, {"_id": "same", "title": "", "text": "ask 5"}]
    queries = [{"_id": f"q{number}", "text": f"ask {number % 12}"} for number in range(20)]
    for name, rows in (("corpus", documents), ("queries", queries)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "qrels").mkdir()
    for split in SPLITS:
        lines = ["query-id\tcorpus-id\tscore"]
        for query in generator.sample(range(20), 9):
            judged = generator.sample(range(38), generator.randint(1, 5))
            lines += [f"q{query}\td{number}\t{generator.randint(0, 2)}" for number in judged]
        (tmp_path / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    return load(tmp_path)


def is_no_negative(dataset: Dataset, query: str, document: str) -> bool:
    """The rule, one pair of texts at a time."""
    asked = [query_id for query_id, text in dataset.query_texts.items() if text == query]
    said = [doc_id for doc_id, text in dataset.contents.items() if text == document]
    labels = [dataset.judgements[split] for split in dataset.splits]
    return query == document or any(
        query_id == doc_id or any(judged.get(query_id, {}).get(doc_id, 0) > 0 for judged in labels)
        for query_id, doc_id in itertools.product(asked, said)
    )


def found(dataset: Dataset, trained: list[str], held: list[str]) -> Positives:
    return gather(
        dataset,
        {query_id: dataset.query_texts[query_id] for query_id in trained},
        {doc_id: dataset.contents[doc_id] for doc_id in held},
        own={"q3"},
    )


def test_equal_ids_mean_nothing_unless_the_query_is_that_document(repeated: Dataset) -> None:
    """As in collections that number queries and documents from 1."""
    query = {"q3": repeated.query_texts["q3"]}
    for own, expected in ((set(), False), ({"q3"}, True), ({"q4"}, False)):
        positives = gather(repeated, query, repeated.contents, own=own)
        assert positives.mask([query["q3"]], [repeated.contents["q3"]]).tolist() == [[expected]]


@pytest.mark.parametrize("held", [0, 7, 40])
def test_the_mask_is_that_of_the_rule_whatever_texts_are_at_hand(repeated: Dataset, held: int) -> None:
    trained = [f"q{number}" for number in range(9)]
    positives = found(repeated, trained, repeated.doc_ids[:held])
    queries = [repeated.query_texts[query_id] for query_id in [*trained, "q2", "q2"]]
    documents = [*repeated.contents.values(), *repeated.contents.values(), "nowhere"]
    expected = np.array([[is_no_negative(repeated, one, other) for other in documents] for one in queries])
    assert 0.05 < expected.mean() < 0.6
    np.testing.assert_array_equal(positives.mask(queries, documents), expected)
    pairs = list(itertools.product(queries, documents))
    included = positives.include(hashes(one for one, _ in pairs), hashes(other for _, other in pairs))
    np.testing.assert_array_equal(included.reshape(expected.shape), expected)


def test_queries_that_are_not_asked_about_are_not_held(repeated: Dataset) -> None:
    positives = found(repeated, ["q0"], repeated.doc_ids)
    assert len(positives.queries) == 1
    assert not positives.mask(["ask 1", "nowhere"], list(repeated.contents.values())).any()


def test_a_query_that_the_data_set_lacks_shares_the_labels_of_its_text(repeated: Dataset) -> None:
    mine = gather(repeated, {"new": "ask 1"}, {}).mask(["ask 1"], list(repeated.contents.values()))
    theirs = found(repeated, ["q1"], []).mask(["ask 1"], list(repeated.contents.values()))
    np.testing.assert_array_equal(mine, theirs)
    assert mine.any()


def test_labels_from_elsewhere_count_as_the_data_set_s_own(repeated: Dataset) -> None:
    named = [("new", "d7"), ("unknown query", "d8"), ("new", "unknown document")]
    positives = gather(repeated, {"new": "a new question"}, {}, named)
    assert positives.mask(["a new question"], ["text 7", "text 8", "a new question"]).tolist() == [[True, False, True]]


def test_nothing_is_known_of_nothing(repeated: Dataset) -> None:
    nothing = gather(repeated, {}, {})
    assert nothing.mask(["ask 1"], ["text 1"]).tolist() == [[False]]
    assert nothing.mask([], []).shape == (0, 0)
    assert nothing.include(hashes(["ask 1"]), hashes(["text 1"])).tolist() == [False]


def test_texts_are_equal_where_their_content_keys_are() -> None:
    texts = ["river", "River", "river ", "riv\u0065\u0301r", "riv\u00e9r", "\udc80", ""]
    ours, keys = hashes(texts * 2), [text_hash(text) for text in texts * 2]
    same = np.array([[one == other for other in keys] for one in keys])
    np.testing.assert_array_equal(ours[:, None] == ours[None, :], same)


def test_the_content_hash_is_of_the_pairs_whatever_their_order(repeated: Dataset) -> None:
    one = found(repeated, ["q0", "q1"], repeated.doc_ids)
    assert one.content_hash == found(repeated, ["q1", "q0"], repeated.doc_ids[::-1]).content_hash
    assert one.content_hash != found(repeated, ["q0", "q2"], repeated.doc_ids).content_hash
