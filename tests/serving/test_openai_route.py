"""`/v1/embeddings` and `/v1/models`."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from rankdistill.serving.app import create_app
from tests.serving.fakes import FakeHolder, FakeModel, ask


@pytest.fixture
def model() -> FakeModel:
    """A bundle with two towers."""
    return FakeModel()


def test_vectors_come_as_numbers_and_as_base64(model: FakeModel) -> None:
    """Both are the model's float32, to the bit."""
    app = create_app(FakeHolder(model))
    asked = {"input": ["a river", "bread"], "input_type": "query"}
    numbers = ask(app, "/v1/embeddings", asked)
    coded = ask(app, "/embeddings", asked | {"encoding_format": "base64", "model": "tiny", "user": "u"})
    assert numbers.status == coded.status == 200
    given = np.array([row["embedding"] for row in numbers.json["data"]], dtype=np.float32)
    decoded = [np.frombuffer(base64.b64decode(row["embedding"]), dtype="<f4") for row in coded.json["data"]]
    np.testing.assert_array_equal(given, np.stack(decoded))
    assert numbers.json["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
    assert numbers.json["space"] == numbers.headers["x-rankdistill-space"] == model.space.fingerprint
    assert numbers.json["truncated"] == []
    assert "x-truncated" not in numbers.headers


def test_a_bundle_asks_for_the_side(model: FakeModel) -> None:
    """Its two towers differ, and no guess is made."""
    holder = FakeHolder(model)
    app = create_app(holder)
    refused = ask(app, "/v1/embeddings", {"input": "a river"})
    assert refused.status == 400
    assert refused.json["error"]["param"] == "input_type"
    holder.state.default_side = "document"
    assert ask(app, "/v1/embeddings", {"input": "a river"}).status == 200
    assert model.asked[-1][1] == ("document", None)
    model.symmetric, holder.state.default_side = True, None
    assert ask(app, "/v1/embeddings", {"input": "a river"}).status == 200


def test_models_are_listed(model: FakeModel) -> None:
    """As OpenAI lists its own."""
    listed = ask(create_app(FakeHolder(model, FakeModel("other"))), "/v1/models").json
    assert [one["id"] for one in listed["data"]] == ["tiny", "other"]
