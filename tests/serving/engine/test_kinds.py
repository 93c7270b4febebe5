"""Each kind of model as it is served gives the numbers of its own encoder or scorer."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rankdistill.bundles.making import bundle
from rankdistill.errors import ModelReferenceError
from rankdistill.inference import PairScorer, TextEncoder, trained_dimensions
from rankdistill.inference.multi_vector_encoder import MultiVectorTextEncoder
from rankdistill.inference.sparse_encoder import SparseTextEncoder
from rankdistill.serving.contracts import Limits, ServedModel
from rankdistill.serving.models import load_model
from rankdistill.serving.refusals import BadRequestError, OtherSpaceError, TooLongError
from tests.conftest import TOPICS, WORDS

TEXTS = [" ".join(random.Random(row).choices([*TOPICS, *WORDS], k=1 + (row * 7) % 30)) for row in range(12)]


def _load(reference: str | Path, name: str | None = None) -> ServedModel:
    return load_model(str(reference), name=name, backend="torch", limits=Limits(wait=60.0))


def _asked(model: ServedModel, *questions: Callable[[], Awaitable[Any]]) -> list[Any]:
    """The answers to `questions`, one after the other, with a probe before and a close behind."""

    async def run() -> list[Any]:
        try:
            await model.probe()
            return [await question() for question in questions]
        finally:
            await model.close()

    return asyncio.run(run())


def test_a_static_model_is_a_table(static_student: str) -> None:
    model = _load(static_student)
    (encoded,) = _asked(model, lambda: model.encode(TEXTS, "query"))
    np.testing.assert_allclose(encoded.vectors, TextEncoder(static_student).encode_queries(TEXTS), rtol=1e-6)
    assert model.backend == "static"
    assert encoded.timing.queue == 0.0
    assert list(encoded.truncated) == []


def test_a_large_request_of_a_static_model_waits_in_the_queue(static_student: str) -> None:
    model = _load(static_student)
    texts = TEXTS * 40
    (encoded,) = _asked(model, lambda: model.encode(texts, "document"))
    np.testing.assert_allclose(encoded.vectors, TextEncoder(static_student).encode_documents(texts), rtol=1e-6)
    assert encoded.timing.queue > 0.0


def test_a_static_model_that_cuts_tells_what_was_cut(static_student: str, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    cutting = SentenceTransformer(static_student, device="cpu")
    cutting[0].tokenizer.enable_truncation(5)
    cutting.save(str(tmp_path / "cutting"), create_model_card=False)
    model = _load(tmp_path / "cutting")
    texts = ["river planet", "the deep river is slow and bright"]
    (encoded,) = _asked(model, lambda: model.encode(texts, "query"))
    assert list(encoded.truncated) == [1]
    assert list(encoded.tokens) == [2, 5]
    assert model.max_length("query") == 5
    expected = TextEncoder(str(tmp_path / "cutting")).encode_queries(texts)
    np.testing.assert_allclose(encoded.vectors, expected, rtol=1e-6)


def test_a_sparse_model_gives_terms(tiny_splade: str) -> None:
    model = _load(tiny_splade)
    encoder = SparseTextEncoder(tiny_splade, "torch")
    (encoded,) = _asked(model, lambda: model.encode(TEXTS, "query"))
    np.testing.assert_allclose(encoded.vectors.toarray(), encoder.encode_queries(TEXTS).toarray(), rtol=1e-4, atol=1e-5)
    assert model.kind == "sparse"
    assert model.symmetric
    assert list(model.vocabulary()) == list(encoder.vocabulary)


def test_a_multi_vector_model_gives_a_vector_a_token(tiny_multi_vector: str) -> None:
    model = _load(tiny_multi_vector)
    encoder = MultiVectorTextEncoder(tiny_multi_vector, "torch")
    queries, documents = _asked(model, lambda: model.encode(TEXTS, "query"), lambda: model.encode(TEXTS, "document"))
    for found, expected in (
        (queries, encoder.encode_queries(TEXTS)),
        (documents, encoder.encode_documents(TEXTS)),
    ):
        assert [len(one) for one in found.vectors] == list(expected.lengths)
        np.testing.assert_allclose(np.concatenate(found.vectors), expected.vectors, rtol=1e-4, atol=1e-5)
    assert not model.symmetric
    assert (model.max_length("query"), model.max_length("document")) == (16, 40)
    long = [place for place, text in enumerate(TEXTS) if len(f"the old {text}".split()) + 2 > 16]
    assert list(queries.truncated) == long


def test_a_prompt_is_taken_by_models_that_sentence_transformers_runs(tiny_multi_vector: str) -> None:
    model = _load(tiny_multi_vector)
    bare, prompted = _asked(
        model,
        lambda: model.encode(["river"], "document", prompt=""),
        lambda: model.encode(["river"], "document", prompt="the old "),
    )
    assert len(prompted.vectors[0]) == len(bare.vectors[0]) + 2


def test_a_cross_encoder_scores_pairs(tiny_cross_encoder: str) -> None:
    model = _load(tiny_cross_encoder)
    texts = [*TEXTS, "river " * 100]
    (scored,) = _asked(model, lambda: model.score("the deep river", texts))
    expected = PairScorer(tiny_cross_encoder, "torch").score([("the deep river", text) for text in texts])
    np.testing.assert_allclose(scored.scores, expected, rtol=1e-4, atol=1e-5)
    assert scored.scores.dtype == np.float32
    assert list(scored.truncated) == [12]
    assert scored.tokens[12] == 64
    assert model.kind == "pairs"


def test_a_pair_that_is_too_long_is_refused_on_request(tiny_cross_encoder: str) -> None:
    model = _load(tiny_cross_encoder)
    with pytest.raises(TooLongError, match="place 1"):
        _asked(model, lambda: model.score("the deep river", ["bread", "river " * 100], truncate=False))


def test_what_a_model_does_not_do_is_refused(tiny_cross_encoder: str, static_student: str) -> None:
    scorer, encoder = _load(tiny_cross_encoder), _load(static_student)
    with pytest.raises(BadRequestError, match="scores pairs"):
        _asked(scorer, lambda: scorer.encode(["river"], "query"))
    with pytest.raises(BadRequestError, match="gives vectors"):
        _asked(encoder, lambda: encoder.score("river", ["bread"]))


def test_a_bundle_is_served_as_its_towers(student: str, teacher: str, tmp_path: Path) -> None:
    whole = bundle(student, teacher, tmp_path / "whole", include_document_model=True, onnx=False, router=False)
    model = _load(whole)
    queries, documents = _asked(model, lambda: model.encode(TEXTS, "query"), lambda: model.encode(TEXTS, "document"))
    expected = TextEncoder(student, "torch").encode_queries(TEXTS)
    np.testing.assert_allclose(queries.vectors, expected, rtol=1e-4, atol=1e-5)
    expected = TextEncoder(teacher, "torch").encode_documents(TEXTS)
    np.testing.assert_allclose(documents.vectors, expected, rtol=1e-4, atol=1e-5)
    assert not model.symmetric
    assert model.sides == ("query", "document")


def test_a_bundle_that_points_to_its_documents_takes_queries_alone(student: str, teacher: str, tmp_path: Path) -> None:
    trained = tmp_path / "trained"
    shutil.copytree(student, trained)
    trained_dimensions.write(trained, [16, 8])
    pointing = bundle(str(trained), teacher, tmp_path / "pointing", onnx=False, router=False)
    model = _load(pointing, name="named")
    assert model.sides == ("query",)
    assert model.dimensions == (32, 16, 8)
    assert model.name == "named"
    with pytest.raises(OtherSpaceError, match="--include-document-model"):
        _asked(model, lambda: model.encode(["river"], "document"))


def test_a_bundle_of_one_model_loads_it_once_for_both_sides(teacher: str, tmp_path: Path) -> None:
    model = _load(bundle(teacher, teacher, tmp_path / "one", onnx=False, router=False))
    queries, documents = _asked(model, lambda: model.encode(TEXTS, "query"), lambda: model.encode(TEXTS, "document"))
    encoder = TextEncoder(teacher, "torch")
    np.testing.assert_allclose(queries.vectors, encoder.encode_queries(TEXTS), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(documents.vectors, encoder.encode_documents(TEXTS), rtol=1e-4, atol=1e-5)
    assert model.sides == ("query", "document")
    assert not model.symmetric
    assert len(model.query_spaces) == 1


def test_repeated_queries_come_from_the_cache_and_documents_do_not(tiny_encoder: str) -> None:
    model = _load(tiny_encoder)
    first, again, whole, other, documents = _asked(
        model,
        lambda: model.encode(["river", "bread"], "query"),
        lambda: model.encode(["bread", "violin", "river"], "query"),
        lambda: model.encode(["violin", "bread"], "query"),
        lambda: model.encode(["violin"], "query", prompt="the "),
        lambda: model.encode(["river"], "document"),
    )
    assert [one.cached for one in (first, again, whole, other, documents)] == [0, 2, 2, 0, 0]
    np.testing.assert_array_equal(again.vectors[[2, 0]], first.vectors)
    np.testing.assert_array_equal(whole.vectors, again.vectors[[1, 0]])
    assert list(whole.tokens) == [3, 3]


def test_what_was_cut_is_told_from_the_cache_too(tiny_encoder: str) -> None:
    model, long = _load(tiny_encoder), "river " * 100

    async def refused() -> None:
        with pytest.raises(TooLongError):
            await model.encode([long], "query", truncate=False)

    ask = lambda: model.encode([long], "query")  # noqa: E731
    _, cached, _ = _asked(model, ask, ask, refused)
    assert (cached.cached, list(cached.truncated)) == (1, [0])


def test_a_causal_language_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architectures": ["GPT2LMHeadModel"]}')
    with pytest.raises(ModelReferenceError, match="causal lm"):
        _load(tmp_path)
