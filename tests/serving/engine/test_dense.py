"""A served dense model gives the vectors that were evaluated, whatever else is asked at the same time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import numpy as np
import pytest

from rankdistill.inference import TextEncoder
from rankdistill.serving.contracts import Limits, ServedModel
from rankdistill.serving.models import load_model
from rankdistill.serving.refusals import TooLargeError, TooLongError
from tests.conftest import TOPICS, WORDS

TEXTS = [" ".join(random.Random(row).choices([*TOPICS, *WORDS], k=1 + (row * 7) % 50)) for row in range(70)]


@pytest.fixture(scope="module")
def served(tiny_encoder: str) -> Iterator[ServedModel]:
    model = load_model(tiny_encoder, backend="torch", limits=Limits(cache=0, wait=60.0))
    yield model
    asyncio.run(model.close())


def test_vectors_are_those_of_the_encoder_alone_and_among_others(served: ServedModel, tiny_encoder: str) -> None:
    expected = TextEncoder(tiny_encoder, backend="torch").encode_queries(TEXTS)

    async def asked() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        one_by_one = [(await served.encode([text], "query")).vectors for text in TEXTS]
        at_once = [one.vectors for one in await asyncio.gather(*(served.encode([text], "query") for text in TEXTS))]
        together = await served.encode(TEXTS, "document")
        return np.concatenate(one_by_one), np.concatenate(at_once), together.vectors

    for found in asyncio.run(asked()):
        assert found.dtype == np.float32
        assert _cosines(found, expected).min() > 0.9999999


def _cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    one, other = (vectors.astype(float) for vectors in (one, other))
    return np.vecdot(one, other) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_what_is_cut_is_told_or_refused(served: ServedModel) -> None:
    long = "river " * 100
    encoded = asyncio.run(served.encode(["river", long, "bread"], "query"))
    assert list(encoded.truncated) == [1]
    assert list(encoded.tokens) == [3, 64, 3]
    with pytest.raises(TooLongError, match="102 tokens at place 1"):
        asyncio.run(served.encode(["river", long], "query", truncate=False))


def test_a_request_has_no_more_tokens_than_the_limit(tiny_encoder: str) -> None:
    """Special ones too, after the cut."""

    async def asked() -> None:
        served = load_model(tiny_encoder, backend="torch", limits=Limits(tokens=9, cache=0))
        try:
            assert list((await served.encode(["river", "bread", "iron"], "query")).tokens) == [3, 3, 3]
            with pytest.raises(TooLargeError, match="10 in 3 texts"):
                await served.encode(["river", "bread", "old iron"], "query")
        finally:
            await served.close()

    asyncio.run(asked())


def test_a_prompt_is_put_before_each_text(served: ServedModel) -> None:
    async def asked() -> tuple[np.ndarray, np.ndarray]:
        prompted = await served.encode(["river"], "query", prompt="the old ")
        return prompted.vectors, (await served.encode(["the old river"], "query")).vectors

    prompted, whole = asyncio.run(asked())
    np.testing.assert_array_equal(prompted, whole)


ODD_TEXTS = (
    "Überfluß",
    "the river\u200b",
    "a\tb\nc",
    "[SEP] river [MASK]",
    "[sep]",
    "",
    " ",
    "x" * 300,
    "rivér 北 river",
    "!?",
)


def test_rows_are_those_of_the_tokenizer_for_any_text(served: ServedModel, tiny_encoder: str) -> None:
    texts = [*TEXTS, *ODD_TEXTS]
    expected = TextEncoder(tiny_encoder, backend="torch").model.tokenizer(texts, truncation=True, max_length=64)
    whole = TextEncoder(tiny_encoder, backend="torch").model.tokenizer(texts)
    rows = served.towers["query"].tower.rows(texts, "query", "")  # type: ignore[attr-defined]
    assert [list(row.content[0]) for row in rows] == expected["input_ids"]
    assert [row.whole for row in rows] == list(map(len, whole["input_ids"]))
    one_by_one = [served.towers["query"].tower.rows([text], "query", "")[0] for text in texts]  # type: ignore[attr-defined]
    assert [list(row.content[0]) for row in one_by_one] == expected["input_ids"]


def test_it_says_what_it_is(served: ServedModel, tiny_encoder: str) -> None:
    encoder = TextEncoder(tiny_encoder, backend="torch")
    assert served.kind == "dense"
    assert served.sides == ("query", "document")
    assert served.space == encoder.space
    assert served.dimensions == (32,)
    assert (served.backend, served.precision) == ("torch", "float32")
    assert served.weights == encoder.reference.weights_hash
    assert served.max_length("query") == 64
    assert served.name.startswith("tiny-encoder")


def test_tokens_have_places_in_the_text(served: ServedModel) -> None:
    (tokens,) = served.tokenise(["Old river"], "query")
    assert [(token.text, token.special, token.start, token.stop) for token in tokens] == [
        ("[CLS]", True, None, None),
        ("Old", False, 0, 3),
        ("river", False, 4, 9),
        ("[SEP]", True, None, None),
    ]
    assert [token.text for token in served.tokenise(["Old river"], "query", special=False)[0]] == ["Old", "river"]


def test_the_probe_answers_and_a_closed_model_refuses(tiny_encoder: str) -> None:
    from rankdistill.serving.refusals import UnavailableError

    model = load_model(tiny_encoder, backend="torch", limits=Limits(cache=0))

    async def run() -> None:
        await model.probe()
        waiting = asyncio.ensure_future(model.encode(TEXTS, "query"))
        await asyncio.sleep(0)
        await model.close()
        assert len((await waiting).vectors) == len(TEXTS)
        with pytest.raises(UnavailableError):
            await model.encode(["river"], "query")

    asyncio.run(run())
