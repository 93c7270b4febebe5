"""Why a generated query goes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from rankdistill.data import load
from rankdistill.querying.collection import divided, wholes
from rankdistill.querying.generator import Written
from rankdistill.querying.sieve import MOST_DOCUMENTS, Query, Sieve, is_repetitive

CONTENTS = {f"d{number:02d}": f"document {number} of asthma and cough" for number in range(MOST_DOCUMENTS + 2)}


def sieved(
    written: Mapping[str, Sequence[str]], near: float = 0.7, judged: Sequence[str] = ()
) -> tuple[Sieve, dict[str, list[str]]]:
    sieve = Sieve(2, 12, near, judged)
    made = {doc_id: [Written("k", text) for text in texts] for doc_id, texts in written.items()}
    return sieve, {query.text: list(query.documents) for query in sieve.gather(made, CONTENTS)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "words"),
        ("?!", "words"),
        ("asthma", "words"),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", "words"),
        ("the the the cough", "repetitive"),
        ("the cough the cough the cough", "repetitive"),
        ("asthma " * 50, "repetitive"),
        ("a b c a d c b a", "repetitive"),
        ("Document 0 of asthma -- and COUGH!", "copy"),
        ("What is asthma?", "judged"),
    ],
)
def test_a_query_that_says_nothing_goes_and_is_counted(text: str, reason: str) -> None:
    sieve, kept = sieved({"d00": [text, "who gets asthma"]}, judged=["what IS asthma"])
    assert kept == {"who gets asthma": ["d00"]}
    assert sieve.counts.dropped == {("k", reason): 1}
    assert (sieve.counts.made["k"], sieve.counts.kept("k")) == (2, 1)


@pytest.mark.parametrize("text", ["to be or not to be", "what is it", "new york new york", "哮喘的症状是什么"])
def test_what_only_looks_like_a_repetition_stays(text: str) -> None:
    _, kept = sieved({"d00": [text]})
    assert kept == {text: ["d00"]}


def test_one_query_of_several_documents_is_one_with_several_positives() -> None:
    sieve, kept = sieved({"d00": ["What is asthma"], "d01": ["what is asthma?", "what is asthma"]})
    assert kept == {"What is asthma": ["d00", "d01"]}
    assert sieve.counts.dropped == {("k", "near-duplicate"): 1}


def test_one_query_of_too_many_documents_goes() -> None:
    few = {doc_id: ["what is asthma"] for doc_id in list(CONTENTS)[:MOST_DOCUMENTS]}
    assert sieved(few)[1] == {"what is asthma": list(few)}
    sieve, kept = sieved({doc_id: ["what is asthma"] for doc_id in CONTENTS})
    assert kept == {}
    assert sieve.counts.dropped == {("k", "common"): len(CONTENTS)}


def test_of_near_duplicates_the_first_stays_unless_told_otherwise() -> None:
    long = "how is asthma of small children treated in winter"
    written = {"d00": [long], "d01": [f"{long} nights"]}
    assert sieved(written, near=0.7)[1] == {long: ["d00"]}
    assert len(sieved(written, near=0)[1]) == 2


def test_only_documents_that_a_search_finds_stay_with_their_query() -> None:
    sieve = Sieve(2, 12, 0.7, [])
    both = [Written("k", "what is asthma")]
    queries = sieve.gather({"d00": both, "d01": both, "d02": [Written("l", "what is cough")]}, CONTENTS)
    (found,) = sieve.found(queries, [["d05", "d01"], ["d05"]])
    assert (found.text, found.documents) == ("what is asthma", {"d01": "k"})
    assert sieve.counts.dropped == {("k", "round trip"): 1, ("l", "round trip"): 1}
    assert sieve.counts.kept("k") == 1


def test_passages_of_one_document_have_queries_in_one_split() -> None:
    """They overlap: what is asked of the end of one is asked of the beginning of the next."""
    sieve = Sieve(1, 12, 0.0, [])
    made = {f"d{number // 4}#{number % 4 + 1}": [Written("k", f"own words {number}")] for number in range(24)}
    queries = sieve.gather(made, dict.fromkeys(made, "a text"))
    whole = {passage: passage.partition("#")[0] for passage in made}
    parts = sieve.apart(divided(queries, "train", 4, 4, whole), whole)
    documents = {split: {whole[doc_id] for one in own for doc_id in one.documents} for split, own in parts.items()}
    assert {split: len(own) for split, own in documents.items()} == {"test": 1, "dev": 1, "train": 4}
    assert len(set.union(*documents.values())) == 6
    shared = Query("k", "of both", {"d0#1": "k", "d1#1": "k"})
    alone = Query("k", "of one", {"d0#2": "k"})
    assert sieve.apart({"test": [alone], "train": [shared]}, whole) == {"test": [alone], "train": []}


def test_passages_are_known_by_their_metadata(tmp_path: Path) -> None:
    rows = [
        {"_id": "g#1", "title": "", "text": "a", "metadata": {"document": "g", "passage": 1, "start": 0, "end": 1}},
        {"_id": "h", "title": "", "text": "b", "metadata": {"document": "x"}},
    ]
    (tmp_path / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert wholes(load(tmp_path)) == {"g#1": "g"}


def test_what_repeats_itself() -> None:
    assert is_repetitive(["a"] * 3)
    assert not is_repetitive(["a", "a"])
    assert is_repetitive(["a", "b"] * 3)
    assert not is_repetitive([])


def test_no_document_has_queries_in_two_splits() -> None:
    """A query of several documents is in the split of the first; the others' queries are elsewhere."""
    titles = {f"d{number:02d}": [f"shared title {number // 2}", f"own words {number}"] for number in range(12)}
    sieve = Sieve(2, 12, 0.0, [])
    made = {doc_id: [Written("k", text) for text in texts] for doc_id, texts in titles.items()}
    queries = sieve.gather(made, CONTENTS)
    parts = divided(queries, "train", dev=3, test=4)
    documents = {split: {doc_id for one in own for doc_id in one.documents} for split, own in parts.items()}
    assert documents["train"] & documents["test"], "what the sieve is for"
    kept = sieve.apart(parts)
    assert list(kept) == ["test", "dev", "train"]
    assert kept["test"] == parts["test"]
    of = {split: {doc_id for one in own for doc_id in one.documents} for split, own in kept.items()}
    assert not of["test"] & of["dev"] | of["test"] & of["train"] | of["dev"] & of["train"]
    lost = [one for split in parts for one in parts[split] if one not in kept[split]]
    assert sieve.counts.dropped == {("k", "other split"): sum(len(one.documents) for one in lost)}
    assert sum(map(len, kept.values())) + len(lost) == len(queries)
