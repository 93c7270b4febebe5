"""What each kind that needs no model makes of a document, against formulas written down anew."""

from __future__ import annotations

import math
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.data import load
from rankdistill.errors import ConfigError
from rankdistill.querying.corpus import Corpus, Weights, words_of
from rankdistill.querying.generator import Generator
from rankdistill.querying.registry import KINDS, identity_of, named
from rankdistill.records import Document

RUN_NO_MODEL = [kind for kind in KINDS if kind not in ("seq2seq", "causal", "openai")]


@pytest.fixture
def corpus(tiny_beir: Path) -> Corpus:
    return Corpus(load(tiny_beir))


def made(generator: Generator, *documents: Document, count: int = 3) -> list[list[str]]:
    found = dict(generator.generate(documents, count))
    return [[query.text for query in found[number]] for number in range(len(documents))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_says_what_it_is_and_refuses_settings_of_others(kind: str, corpus: Corpus) -> None:
    module = import_module(KINDS[kind])
    assert kind == module.KIND
    with pytest.raises(ConfigError, match=f"settings of {kind}"):
        named({"kind": kind, "no_such": 1}, corpus)


@pytest.mark.parametrize("kind", RUN_NO_MODEL)
def test_queries_are_the_same_in_any_company_and_empty_documents_have_none(kind: str, tiny_beir: Path) -> None:
    dataset = load(tiny_beir)
    documents = [*dataset.documents(), Document("empty", "", ""), Document("space", " ", "\n \n")]
    together = made(named(kind, Corpus(dataset)), *documents)
    alone = [made(named(kind, Corpus(dataset)), document)[0] for document in documents]
    assert together == alone
    assert together[-2:] == [[], []]
    assert all(len(queries) <= 3 for queries in together)
    assert kind == "headings" or sum(map(len, together)) >= len(documents) - 2


def test_titles_are_put_on_one_line(corpus: Corpus) -> None:
    assert made(named("titles", corpus), Document("d", " Deep\n river ", "x"), Document("e", "", "x")) == [
        ["Deep river"],
        [],
    ]


def test_first_sentences_are_cut_to_their_length(corpus: Corpus) -> None:
    text = (
        "Asthma is a long disease of the airways. It causes wheezing and cough at night. Short. Ends here, at last so."
    )
    generator = named({"kind": "first_sentences", "longest": 5}, corpus)
    assert made(generator, Document("d", "", text), count=2) == [
        ["Asthma is a long disease", "It causes wheezing and cough"]
    ]


def test_headings_of_markdown_html_underlines_lines_and_questions(corpus: Corpus) -> None:
    text = (
        "# What asthma is ##\nText of it, with words.\n\nSymptoms\n--------\nMore text.\n\n<h2>The <b>causes</b></h2>"
        "\nText here.\n\nWho gets it\n\nEverybody does. How is asthma treated? With care."
    )
    (found,) = made(named("headings", corpus), Document("d", "Asthma", text), count=9)
    assert found == [
        "What asthma is",
        "Asthma: Symptoms",
        "Asthma: The causes",
        "Asthma: Who gets it",
        "How is asthma treated?",
    ]


def test_weights_are_bm25s(tiny_beir: Path) -> None:
    texts = list(load(tiny_beir).contents.values())
    words = [text.lower().split() for text in texts]
    mean, k1, b = sum(map(len, words)) / len(words), 0.9, 0.4
    (own,) = words[3:4]
    wanted = []
    for word in own:
        n, f = sum(word in one for one in words), own.count(word)
        idf = math.log(1 + (len(words) - n + 0.5) / (n + 0.5))
        wanted.append(idf * f / (f + k1 * (1 - b + b * len(own) / mean)))
    np.testing.assert_allclose(Weights(texts).of_document(words_of(texts[3])), wanted)


def test_the_best_span_is_the_one_of_the_largest_value(corpus: Corpus) -> None:
    text = "the old river is deep and violin stone, planet 77 (glass is north of the harbour) the the the is iron."
    settings = {"kind": "spans", "shortest": 2, "longest": 4, "titled": 0}
    (found,) = made(named(settings, corpus), Document("d", "", text), count=1)
    words = words_of(text)
    weight = dict(zip(words, corpus.weights.of_document(words), strict=True))
    median = float(np.median([weight[word] for word in words]))
    runs = [words_of(part) for part in text.replace(")", "(").split("(")]
    spans = [run[start : start + size] for run in runs for size in (2, 3, 4) for start in range(len(run) - size + 1)]
    spans = [span for span in spans if weight[span[0]] >= median and weight[span[-1]] >= median]
    best = max(spans, key=lambda span: sum(weight[word] for word in span) / math.sqrt(len(span)))
    assert words_of(found[0]) == best
    assert found[0] in text


def test_spans_share_less_than_half_of_their_words_and_have_a_short_title_in_front(corpus: Corpus) -> None:
    document = Document("d", "Sweet bread.", "the old river is deep and the violin is of north stone and of glass iron")
    (found,) = made(named("spans", corpus), document)
    assert len(found) > 1
    assert all(one.startswith("Sweet bread ") for one in found)
    bare = [Counter(words_of(one.removeprefix("Sweet bread "))) for one in found]
    for later, one in enumerate(bare):
        assert all(2 * len(one.keys() & other.keys()) < len(one) for other in bare[:later])
    long = document._replace(title="a title of seven words it is")
    assert made(named("spans", corpus), long)[0] == [one.removeprefix("Sweet bread ") for one in found]


def test_keywords_are_the_heaviest_words_in_the_order_of_the_text(corpus: Corpus) -> None:
    text = "the bread is of violin and iron harbour"
    (found,) = made(named({"kind": "keywords", "words": 3}, corpus), Document("d", "", text), count=1)
    words = words_of(text)
    weight = dict(zip(words, corpus.weights.of_document(words), strict=True))
    heaviest = sorted(words, key=lambda word: (-weight[word], words.index(word)))[:3]
    assert found[0].split() == sorted(heaviest, key=words.index)


def test_the_mixture_takes_from_its_parts_in_turn_and_names_them(corpus: Corpus) -> None:
    document = Document(
        "d", "Bread", "What is old bread? The old bread is of iron and glass stone. The end is near us."
    )
    ((_, found),) = named("embedded", corpus).generate([document], 4)
    assert len({query.text for query in found}) == 4
    kinds = [query.kind for query in found]
    assert kinds[0] == "titles"
    assert {"spans", "headings"} <= {*kinds}


def test_a_mixture_of_ones_own_and_what_identifies_it(corpus: Corpus) -> None:
    document = Document(
        "d", "Bread", "What is old bread? The old bread is of iron and glass stone. The end is near us."
    )
    ((_, found),) = named({"kind": "embedded", "parts": ["keywords", "titles"]}, corpus).generate([document], 2)
    assert [query.kind for query in found] == ["keywords", "titles"]
    assert identity_of("embedded") == identity_of({"kind": "embedded"})
    assert identity_of("embedded")["parts"]
    assert identity_of("embedded") != identity_of({"kind": "embedded", "parts": ["titles"]})
    for wrong in (["seq2seq"], ["titles", "titles"], []):
        with pytest.raises(ConfigError, match="settings of embedded"):
            named({"kind": "embedded", "parts": wrong}, corpus)


@pytest.mark.parametrize("given", ["no_such", "titles:", "no_such.yaml", {"kind": "no_such"}, {"model": "x"}])
def test_what_names_no_generator_is_refused(given: Any, corpus: Corpus) -> None:
    with pytest.raises(ConfigError, match="a generator: embedded, titles"):
        named(given, corpus)


def test_a_file_of_settings_and_what_identifies_a_model(corpus: Corpus, tmp_path: Path, tiny_bert: Path) -> None:
    file = tmp_path / "spans.yaml"
    file.write_text("kind: spans\nlongest: 5\n")
    assert named(str(file), corpus).fingerprint == named({"kind": "spans", "longest": 5}, corpus).fingerprint
    assert identity_of(f"seq2seq:{tiny_bert}")["model"] != str(tiny_bert)
    assert identity_of("seq2seq:x/y", resolve_models=False) == {"kind": "seq2seq", "model": "x/y"}
    with pytest.raises(ConfigError, match="write seq2seq:MODEL"):
        named("seq2seq", corpus)
