"""`/v2/embed`."""

from __future__ import annotations

import base64

import numpy as np

from rankdistill.serving.app import create_app
from tests.serving.fakes import FakeHolder, FakeModel, ask

ASKED = {"model": "tiny", "texts": ["a river", "x " * 30], "input_type": "search_document"}


def test_vectors_come_by_type_and_cut_texts_are_warned_of() -> None:
    """Bytes and numbers are the same vectors."""
    app = create_app(FakeHolder(FakeModel()))
    given = ask(app, "/v2/embed", ASKED | {"embedding_types": ["float", "base64"], "output_dimension": 4})
    assert given.status == 200
    numbers = np.array(given.json["embeddings"]["float"], dtype=np.float32)
    decoded = [np.frombuffer(base64.b64decode(text), dtype="<f4") for text in given.json["embeddings"]["base64"]]
    np.testing.assert_array_equal(numbers, np.stack(decoded))
    assert numbers.shape == (2, 4)
    np.testing.assert_allclose(np.linalg.norm(numbers, axis=1), 1, rtol=1e-6)
    assert given.json["truncated"] == [1]
    assert given.headers["x-truncated"] == "1"
    assert "16 tokens" in given.json["meta"]["warnings"][0]
    assert given.json["meta"]["billed_units"]["input_tokens"] == 20


def test_what_is_not_served_is_refused_in_cohere_s_words() -> None:
    """Quantised types, other uses of texts, a cut at the start."""
    app = create_app(FakeHolder(FakeModel()))
    for wrong in ({"embedding_types": ["int8"]}, {"input_type": "clustering"}, {"truncate": "START"}, {"images": []}):
        refused = ask(app, "/v2/embed", ASKED | wrong)
        assert refused.status == 400, wrong
        assert set(refused.json) == {"message"}
