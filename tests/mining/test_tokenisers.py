"""Words by name: CJK as Lucene's CJKAnalyzer takes it apart, languages by their stems, and what is told of a script."""

from __future__ import annotations

import json
from pathlib import Path

import bm25s
import pytest
import Stemmer

from rankdistill import data, manifest
from rankdistill.cli.evaluate import evaluate
from rankdistill.cli.index import index
from rankdistill.cli.mine import mine
from rankdistill.errors import ConfigError
from rankdistill.evaluation.retrieve import Bm25Retriever
from rankdistill.indexing import build, load
from rankdistill.indexing.sources import KINDS
from rankdistill.mining import candidates
from rankdistill.mining.bm25 import Bm25
from rankdistill.mining.sources import Bm25Source, named
from rankdistill.mining.tokenisers import named as tokeniser
from rankdistill.mining.tokenisers import names, script_note
from rankdistill.recipe.scores.mining import MinePart
from tests.beir_folder import beir_folder
from tests.cli.verb import run_verb

CHINESE = {
    "d1": "\u7ea2\u8272\u7684\u6cb3\u6d41\u5728\u5317\u65b9\u6d41\u6dcc",
    "d2": "\u73bb\u7483\u505a\u7684\u5c0f\u63d0\u7434",
}
ASKED = {"q1": "\u5317\u65b9\u7684\u6cb3\u6d41", "q2": "\u73bb\u7483\u5c0f\u63d0\u7434"}
QRELS = {"train": [("q1", "d1", 1), ("q2", "d2", 1)], "test": [("q1", "d1", 1), ("q2", "d2", 1)]}


@pytest.fixture
def chinese(tmp_path: Path) -> Path:
    return beir_folder(tmp_path / "zh", CHINESE, ASKED, QRELS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\u5317\u65b9\u7684\u6cb3", ["\u5317\u65b9", "\u65b9\u7684", "\u7684\u6cb3"]),
        ("\u6cb3", ["\u6cb3"]),  # one that stands alone
        (
            "\u6cb3 \u6d41\u3002\u5317\u65b9",
            ["\u6cb3", "\u6d41", "\u5317\u65b9"],
        ),  # nothing goes over a space or a stop
        ("iPhone15\u624b\u673a\u58f3", ["iphone15", "\u624b\u673a", "\u673a\u58f3"]),
        ("\uff21\uff22\uff23 \uff76\uff9e\uff97\uff7d", ["abc", "\u30ac\u30e9", "\u30e9\u30b9"]),  # full and half width
        ("\ud55c\uad6d\uc5b4", ["\ud55c\uad6d", "\uad6d\uc5b4"]),
        ("Vitamin C", ["vitamin", "c"]),
        ("\U00020000\U00020001", ["\U00020000\U00020001"]),
        ("", []),
    ],
)
def test_cjk(text: str, words: list[str]) -> None:
    assert tokeniser("cjk")([text]) == [words]


def test_english_is_what_it_always_was() -> None:
    texts = ["The Rivers of vitamin C", "", CHINESE["d1"]]
    stemmer = Stemmer.Stemmer("english")
    expected = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, return_ids=False, show_progress=False)
    assert tokeniser("english")(texts) == expected
    assert Bm25Source().parameters == {
        "k1": 0.9,
        "b": 0.4,
        "method": "lucene",
        "stemmer": "english",
        "stopwords": "english",
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("german", "Die H\u00e4user und das Haus", ["haus", "haus"]),
        ("french", "Les chevaux du roi", ["cheval", "roi"]),
        ("hindi", "\u0939\u093f\u0928\u094d\u0926\u0940", None),  # its vowel signs stay in the word
        ("words", "Vitamin C and K2", ["vitamin", "c", "and", "k2"]),
    ],
)
def test_a_language_by_its_name(name: str, text: str, words: list[str] | None) -> None:
    (found,) = tokeniser(name)([text])
    assert found == words if words is not None else len(found) == 1


def test_every_name_works_and_another_is_an_error() -> None:
    assert {"english", "russian", "words", "cjk"} <= set(names())
    assert all(len(tokeniser(name)(["river", "", "d1 C"])) == 3 for name in names())
    with pytest.raises(ConfigError, match="english"):
        tokeniser("klingon")
    for text in ("bm25:klingon", "lucene-bm25:klingon"):
        with pytest.raises(ConfigError, match=r"tokeniser|language"):
            named(text, kinds=KINDS)


def test_chinese_is_found_by_bigrams(chinese: Path, tmp_path: Path) -> None:
    dataset = data.load(chinese)
    queries = dataset.queries("test")
    usual, cjk = Bm25Retriever(dataset), Bm25Retriever(dataset, tokenizer="cjk")
    assert usual.retrieve(queries, 10) == {"q1": {}, "q2": {}}
    assert usual.unanswered == {"q1", "q2"}
    assert [next(iter(found)) for found in cjk.retrieve(queries, 10).values()] == ["d1", "d2"]
    assert cjk.unanswered == set()
    assert usual.fingerprint == {"bm25": {"k1": 0.9, "b": 0.4}}
    assert cjk.fingerprint["bm25"]["tokenizer"] == "cjk"


def test_a_word_of_one_letter_is_found_by_words() -> None:
    contents = {"d1": "vitamin C and colds", "d2": "vitamin D and bones", "d3": "vitamin K and blood"}
    ids, _ = Bm25(contents, tokenizer="words").retrieve(["vitamin C", "D"], 3)
    assert (ids[0][0], ids[1]) == ("d1", ["d2"])


@pytest.mark.parametrize("again", [False, True])
def test_an_index_keeps_its_tokeniser(chinese: Path, tmp_path: Path, again: bool) -> None:
    dataset = data.load(chinese)
    out = tmp_path / "index"
    build(dataset, None, out, "bm25", build_parameters={"tokenizer": "cjk"})
    if again:
        assert not build(dataset, None, out, "bm25", build_parameters={"tokenizer": "cjk"})
    assert manifest.expect(out, "index", "index").parameters["build_parameters"]["tokenizer"] == "cjk"
    ids, _ = load(out).search(list(ASKED.values()), 1)
    assert ids.ravel().tolist() == ["d1", "d2"]
    build(dataset, None, tmp_path / "usual", "bm25")
    assert manifest.expect(tmp_path / "usual", "index", "index").parameters["build_parameters"] == {"k1": 0.9, "b": 0.4}
    with pytest.raises(ConfigError, match="klingon"):
        build(dataset, None, tmp_path / "none", "bm25", build_parameters={"tokenizer": "klingon"})
    with pytest.raises(ConfigError, match="a number for k1"):
        build(dataset, None, tmp_path / "none", "bm25", build_parameters={"k1": "many"})


def test_the_verbs_take_a_tokeniser_and_say_where_words_are_lost(chinese: Path, tmp_path: Path) -> None:
    lost = run_verb(evaluate, "--data", chinese, "--model", "bm25", "--out", tmp_path / "lost")
    assert "no document has a word of 2 of 2 queries" in lost.stderr
    assert "take the tokeniser cjk" in lost.stderr
    found = run_verb(evaluate, "--data", chinese, "--model", "bm25:cjk", "--out", tmp_path / "found")
    assert "note" not in found.stderr
    assert json.loads((tmp_path / "found" / "results.json").read_text())["ndcg_at_10"] == 1.0

    lost = run_verb(mine, "--data", chinese, "--out", tmp_path / "mined-lost")
    assert "bm25 gave nothing for 2 of 2 queries" in lost.stderr
    run_verb(mine, "--data", chinese, "--source", "bm25:cjk", "--out", tmp_path / "mined")
    assert len([row for row in candidates.read(tmp_path / "mined").to_pylist() if row["rank"] == 1]) == 2
    made = manifest.expect(tmp_path / "mined", "candidates", "mine")
    assert made.parameters["sources"]["bm25"] == {"k1": 0.9, "b": 0.4, "method": "lucene", "tokenizer": "cjk"}

    words = ["--data", chinese, "--backend", "bm25"]
    assert "cjk" in run_verb(index, *words, "--out", tmp_path / "usual").stderr
    assert "note" not in run_verb(index, *words, "--parameter", "tokenizer=cjk", "--out", tmp_path / "index").stderr
    run_verb(evaluate, "--data", chinese, "--index", tmp_path / "index", "--out", tmp_path / "through")
    assert json.loads((tmp_path / "through" / "results.json").read_text())["ndcg_at_10"] == 1.0


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("english", "a river of glass", None),
        ("english", "a river \u6cb3", None),
        ("english", CHINESE["d1"], "take the tokeniser cjk"),
        ("words", CHINESE["d1"], "take the tokeniser cjk"),
        ("cjk", CHINESE["d1"], None),
        ("english", "\u0440\u0435\u043a\u0430 \u0441\u0435\u0432\u0435\u0440", "russian"),
        ("russian", "\u0440\u0435\u043a\u0430 \u0441\u0435\u0432\u0435\u0440", None),
        ("english", "\u0e41\u0e21\u0e48\u0e19\u0e49\u0e33", "no tokeniser here"),
        ("english", "12 34", None),
        ("english", "", None),
    ],
)
def test_a_script_that_does_not_suit_is_told(name: str, text: str, told: str | None) -> None:
    note = script_note(name, [text])
    assert note is None if told is None else told in (note or "")


def test_a_recipe_evaluates_the_bm25_that_it_mines_with() -> None:
    assert MinePart.model_validate({"sources": ["bm25:cjk"]}).tokenizer == "cjk"
    assert MinePart().tokenizer == "english"
    with pytest.raises(ValueError, match="tokeniser"):
        MinePart.model_validate({"sources": ["bm25:klingon"]})
