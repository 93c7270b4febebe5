"""Near-duplicates: every one of them, held against comparing all pairs; leaks of each kind; mteb's own search."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from rankdistill.data import load
from rankdistill.publishing.leakage import cleaning, matching, scanning
from rankdistill.publishing.lineage import Texts
from tests import tiny_task


def jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    """By its definition."""
    return len(one & other) / len(one | other) if one | other else 0.0


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 1.0])
@pytest.mark.parametrize("parts", [matching.words, matching.shingles])
def test_no_pair_is_missed_and_none_is_made_up(parts: matching.Parts, threshold: float) -> None:
    generator = random.Random(5)
    vocabulary = [f"w{place}" for place in range(12)]
    texts = {str(key): " ".join(generator.choices(vocabulary, k=generator.randint(1, 14))) for key in range(60)}
    asked = [" ".join(generator.choices(vocabulary, k=generator.randint(1, 14))) for _ in range(120)]
    for key, text in list(texts.items())[:30]:
        words = text.split()
        words[generator.randrange(len(words))] = "other"
        asked += [" ".join(words), f"{text} {key}"]
    finder = matching.Matcher(texts, parts, threshold)
    for text in asked:
        expected = {key: jaccard(parts(text), parts(one)) for key, one in texts.items()}
        assert dict(finder.of(text)) == pytest.approx({key: one for key, one in expected.items() if one >= threshold})


def test_a_text_without_words_is_like_none() -> None:
    assert list(matching.Matcher({"a": "???"}, matching.words, 0.5).of("!!!")) == []


def scanned(tmp_path: Path, queries: list[str], documents: list[str]) -> scanning.Scan:
    """The tiny test held against these training texts."""
    folder = tiny_task.write_collection(tmp_path / "task", tiny_task.QUERIES)
    return scanning.scan(load(folder), "test", [Texts("store", lambda: queries, lambda: documents)])


@pytest.mark.parametrize(
    ("text", "key", "kind"),
    [
        ("Where does the WHITE owl sleep, during the day?", "t0", scanning.EXACT),
        ("  stoat in winter ", "t3", scanning.EXACT),
        ("where does the white owl sleep in the day", "t0", scanning.NEAR),
        ("stoat in summer", None, None),
        ("where do we sleep", None, None),
    ],
)
def test_queries_are_found_whatever_their_case_and_nearly(
    tmp_path: Path, text: str, key: str | None, kind: str | None
) -> None:
    for queries, documents in (([text], ["nothing"]), (["nothing"], [text])):
        found = scanned(tmp_path / str(len(queries[0])), queries, documents)
        assert {leak.key: leak.kind for leak in found.queries.values()} == ({key: kind} if key else {})
        assert found.trained == 2


def test_relevant_documents_are_found_and_others_are_not_looked_for(tmp_path: Path) -> None:
    relevant = f"{tiny_task.DOCUMENTS['p0'].split()[0]} {tiny_task.DOCUMENTS['p0']}"
    judged_of_none = f"{tiny_task.DOCUMENTS['p5'].split()[0]} {tiny_task.DOCUMENTS['p5']}"
    found = scanned(tmp_path, ["nothing"], [relevant.upper(), judged_of_none])
    assert found.documents["p0"].kind == scanning.EXACT
    assert "p5" not in found.documents
    assert found.tested == (4, 7)


def test_equal_queries_of_a_test_are_each_leaked_and_repeated_texts_count_once(tmp_path: Path) -> None:
    asked = tiny_task.QUERIES | {"t0": f"  {tiny_task.QUERIES['t3'].upper()}!"}
    folder = tiny_task.write_collection(tmp_path / "task", asked)
    text = tiny_task.QUERIES["t3"]
    for trained in (Texts("s", lambda: [text, text], lambda: []), Texts("s", lambda: [], lambda: [text, text])):
        found = scanning.scan(load(folder), "test", [trained])
        assert {key for key, leak in found.queries.items() if leak.kind == scanning.EXACT} >= {"t3", "t0"}
        assert found.trained == 1


def test_mteb_finds_what_stands_there_to_the_letter() -> None:
    trained, tested = ["a white owl", "b", "a white owl"], ["c", " a white owl", "A White Owl"]
    assert cleaning.found_by_mteb(trained, tested) == [1]
    assert cleaning.found_by_mteb([], tested) == []


def test_a_text_that_one_query_is_and_another_nearly_is_tells_of_both(tmp_path: Path) -> None:
    queries = {"t1": "how deep is the old river", "t2": "how deep is the old river bed"}
    folder = tiny_task.write_collection(tmp_path / "task", queries | {"t3": "what else"})
    found = scanning.scan(load(folder), "test", [Texts("store", lambda: ["How deep is the old river?"], lambda: [])])
    assert {key: leak.kind for key, leak in found.queries.items()} == {"t1": "exact", "t2": "near"}
    assert found.queries["t2"].similarity == pytest.approx(6 / 7)
